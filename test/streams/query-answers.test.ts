import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Catalog, openCatalog } from '../../streams/index.ts'
import { parseQuery } from '../../streams/query/query-parser.ts'
import { attribute, bucket, change, query, record } from './catalog-arbitraries.ts'
import { CatalogModel, compareText, modelValues } from './catalog-model.ts'
import { newDirectory } from './catalog-support.ts'

/*
 * The planner beside a plain look at every object: random objects, random queries, every way to an answer, pages with
 * writes between them.
 */
type Found = ReturnType<CatalogModel['found']>[number]

const key = fc.tuple(fc.constantFrom('a/', 'b/', ''), fc.nat(30)).map(([folder, number]) => `${folder}${number}`)
const name = fc.record({ bucket, key })
const more = change.map((made) => made)
const bounds = fc.constantFrom(
  {},
  { querySortMax: 0 },
  { querySortMax: 1_000_000 },
  { queryScanMax: 3, queryKeysMax: 5, querySortMax: 4, queryProbeMax: 1 },
  { queryProbeMax: 1 },
)

function modelOf(
  changes: readonly (typeof change extends fc.Arbitrary<infer C> ? C : never)[],
  names: readonly { bucket: string; key: string }[],
): CatalogModel {
  const model = new CatalogModel()
  let next = 0
  for (const made of changes) {
    // Most objects have a name of their own, so that there are many of them.
    const own = made.operation === 'put' ? { ...made, name: names[next++ % names.length]! } : made
    record(model, own as typeof made)
  }
  return model
}

/** The rank of a value's type, and the value as far as it counts. */
function sortKeyOf(value: unknown): readonly [number, unknown] {
  if (typeof value === 'boolean') return [0, Number(value)]
  if (typeof value === 'number') return [1, value]
  const text = /^\d{4}-\d\d-\d\dT/.test(String(value)) ? new Date(String(value)).toISOString() : String(value)
  return [2, text.slice(0, 252)]
}

function compareValues(one: unknown, other: unknown): number {
  const [[rank, left], [otherRank, right]] = [sortKeyOf(one), sortKeyOf(other)]
  if (rank !== otherRank) return rank - otherRank
  return rank === 2 ? compareText(left as string, right as string) : (left as number) - (right as number)
}

/** Objects with one value each are in its order, then by object; those without come last, by object. */
function expectOrder(found: readonly Found[], sort: string): void {
  const descending = sort.startsWith('-')
  const valuesOf = (entry: Found) => modelValues(entry, descending ? sort.slice(1) : sort)
  found.slice(1).forEach((entry, at) => {
    const before = found[at]!
    const [values, others] = [valuesOf(before), valuesOf(entry)]
    const byObject = compareText(before.stat.object, entry.stat.object)
    if (values.length === 0) {
      expect(others).toEqual([])
      expect(byObject).toBeLessThan(0)
    } else if (values.length === 1 && others.length === 1) {
      const order = compareValues(values[0], others[0]) || byObject
      expect(descending ? -order : order).toBeLessThan(0)
    }
  })
}

async function everyPage(
  catalog: Catalog,
  text: string,
  options: { limit: number; sort?: string },
  between: () => Promise<void> = async () => {},
): Promise<readonly { bucket: string; key: string; version: string }[]> {
  const objects = []
  let cursor: string | null = null
  let pages = 0
  do {
    const page = await catalog.query(text, { ...options, ...(cursor !== null && { cursor }) })
    expect(page.objects.length).toBeLessThanOrEqual(options.limit)
    objects.push(...page.objects)
    cursor = page.cursor
    pages += 1
    expect(pages).toBeLessThan(2000)
    if (cursor !== null) await between()
  } while (cursor !== null)
  return objects
}

test('an answer has what meets the query, once each, in the order asked for', async () => {
  const sorted = fc.option(
    fc.tuple(fc.constantFrom('', '-'), attribute).map(([sign, by]) => `${sign}${by}`),
    { nil: undefined },
  )
  const asked = fc.tuple(query, fc.constantFrom(1, 3, 1000), sorted)
  const scenario = fc.record({
    changes: fc.array(more, { minLength: 20, maxLength: 120, size: 'max' }),
    names: fc.uniqueArray(name, {
      minLength: 30,
      maxLength: 60,
      size: 'max',
      selector: ({ bucket, key }) => `${bucket}/${key}`,
    }),
    asked: fc.array(asked, { minLength: 25, maxLength: 25 }),
    bounds,
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ changes, names, asked, bounds }) => {
      const model = modelOf(changes, names)
      const catalog = await openCatalog({ directory: await newDirectory(), ...bounds })
      try {
        catalog.apply(model.records, 1)
        await catalog.settled(model.sequence)
        for (const [text, limit, sort] of asked) {
          if (sort?.endsWith('object.bucket')) continue
          const objects = await everyPage(catalog, text, { limit, ...(sort !== undefined && { sort }) })
          expect(objects.map(({ version }) => version).toSorted()).toEqual(model.query(parseQuery(text)))
          if (sort !== undefined)
            expectOrder(
              objects.map((object) => model.head(object)!),
              sort,
            )
        }
      } finally {
        await catalog.close()
      }
    }),
    { numRuns: 20, endOnFailure: true },
  )
})

test('objects that nobody touches between pages are on one of them, whatever is written meanwhile', async () => {
  const scenario = fc.record({
    changes: fc.array(more, { minLength: 40, maxLength: 80, size: 'max' }),
    names: fc.uniqueArray(name, {
      minLength: 30,
      maxLength: 60,
      size: 'max',
      selector: ({ bucket, key }) => `${bucket}/${key}`,
    }),
    later: fc.array(change, { minLength: 40, maxLength: 40 }),
    text: query,
    sort: fc.constantFrom(undefined, 'color', '-n', 'time', '-object.key', 'to'),
    bounds,
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ changes, names, later, text, sort, bounds }) => {
      const model = modelOf(changes, names)
      const catalog = await openCatalog({ directory: await newDirectory(), ...bounds })
      try {
        catalog.apply(model.records, 1)
        await catalog.settled(model.sequence)
        const before = model.found(parseQuery(text))
        const left = [...later]
        const objects = await everyPage(catalog, text, { limit: 2, ...(sort !== undefined && { sort }) }, async () => {
          const { sequence } = model
          const made = left.pop()
          if (made) record(model, made)
          catalog.apply(model.records.slice(sequence), 1)
          await catalog.settled(model.sequence)
        })
        const versions = objects.map(({ version }) => version)
        for (const entry of before) {
          if (model.head(entry.stat) === entry)
            expect(versions.filter((version) => version === entry.stat.version)).toHaveLength(1)
        }
      } finally {
        await catalog.close()
      }
    }),
    { numRuns: 30, endOnFailure: true },
  )
})
