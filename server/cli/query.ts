import {
  COLUMNS_DEFAULT,
  columnOf,
  csvLine,
  csvRow,
  type ExplainedLeg,
  type Explanation,
  type Facet,
  type Facets,
  type ObjectStat,
  parseColumns,
  percentOf,
  type QueryResult,
} from '../../streams/index.ts'
import { CommandError, exitCode } from './exit.ts'
import { columns as sizeAndTime } from './ls.ts'
import { type Shell, tell } from './shell.ts'
import { printable, table } from './table.ts'

export interface QueryFlags {
  readonly sort?: string
  readonly limit?: number
  /** Shows every object. */
  readonly all?: boolean
  /** Names of attributes, parted by commas. */
  readonly columns?: string
  readonly csv?: boolean
  readonly explain?: boolean
  /** Names of attributes, parted by commas, whose values are counted, and not shown one by one. */
  readonly facet?: string
}

const pageObjects = 1000
const limitDefault = 1000

/** Finds objects by their attributes, page after page, until as many are shown as were asked for. */
export async function query(shell: Shell, text: string, flags: QueryFlags = {}): Promise<void> {
  const { sort, limit = flags.all ? Number.POSITIVE_INFINITY : limitDefault } = flags
  if (flags.explain) return explain(shell, { q: text, sort, limit: flags.limit })
  if (flags.facet !== undefined) return facets(shell, { q: text, by: flags.facet, values: flags.limit })
  const show = shower(shell, flags)
  let cursor: string | undefined
  let left = limit
  do {
    const parameters = { q: text, sort, limit: Math.min(left, pageObjects), cursor }
    const page = await shell.client.json<QueryResult>({ method: 'GET', path: ['query'], query: parameters })
    show(page.objects)
    left -= page.objects.length
    cursor = page.cursor ?? undefined
  } while (cursor !== undefined && left > 0)
  if (cursor !== undefined && !shell.json && !flags.csv) shell.output.write('(there are more: --all shows them)\n')
}

/** Writes the objects of a page. */
function shower(shell: Shell, flags: QueryFlags): (objects: readonly ObjectStat[]) => void {
  if (shell.json) return (objects) => objects.forEach((object) => void tell(shell, object, String))
  const names = flags.columns === undefined ? undefined : columnNames(flags.columns)
  if (flags.csv) {
    const columns = names ?? COLUMNS_DEFAULT
    shell.output.write(csvLine(columns))
    return (objects) => void shell.output.write(objects.map((object) => csvRow(object, columns)).join(''))
  }
  const rowOf = names
    ? (object: ObjectStat) => names.map((name) => printable(String(columnOf(object, name) ?? '-')))
    : (object: ObjectStat) => [sizeAndTime(object), printable(`${object.bucket}/${object.key}`)]
  const heading = names ? [names.map(printable)] : []
  return (objects) => {
    if (objects.length > 0) shell.output.write(`${table([...heading, ...objects.map(rowOf)])}\n`)
  }
}

function columnNames(text: string): readonly string[] {
  try {
    return parseColumns(text)
  } catch (error) {
    throw new CommandError(exitCode.usage, `--columns: ${(error as Error).message}`)
  }
}

async function facets(
  shell: Shell,
  question: { readonly q: string; readonly by: string; readonly values: number | undefined },
): Promise<void> {
  const answer = await shell.client.json<Facets>({ method: 'GET', path: ['facets'], query: question })
  for (const facet of answer.facets) tell(shell, facet, facetWords)
}

function facetWords({ name, distinct, values, complete }: Facet): string {
  const rows = values.map(({ value, count }) => [String(count), printable(String(value))])
  const more = distinct > values.length ? ` (${distinct} values, ${values.length} of them shown)` : ''
  const part = complete ? '' : ' (of what one page looks at, and there is more)'
  return [`${printable(name)}${more}${part}`, table([['COUNT', 'VALUE'], ...rows])].join('\n')
}

async function explain(
  shell: Shell,
  question: { readonly q: string; readonly sort: string | undefined; readonly limit: number | undefined },
): Promise<void> {
  const parameters = { ...question, explain: 'true' }
  const plan = await shell.client.json<Explanation>({ method: 'GET', path: ['query'], query: parameters })
  tell(shell, plan, explained)
}

const sortings = {
  none: 'as they are found',
  gather: 'by sorting all that is found',
  follow: 'by following its index',
} as const

function explained(plan: Explanation): string {
  const { query: text, objects, index, order, sorting, isScan, legs, others, entriesMax } = plan
  const lines = [
    `query      ${printable(text) || '(everything)'}`,
    `order      ${printable(order)}: ${sortings[sorting]}`,
    ...legs.flatMap((leg, at) => [`${at === 0 ? 'reads' : 'then'}`.padEnd(11) + legWords(leg), ...narrowings(leg)]),
    ...others.map((leg) => `instead of ${legWords(leg)}`),
    `of         ${objects} objects; a page looks at ${entriesMax} entries at the most`,
    ...(index.phase === 'whole'
      ? []
      : [`index      it is being made anew, and not read before it is whole: ${percentOf(index)} %`]),
  ]
  return [...lines, ...(isScan ? ['scan       it reads in proportion to all there is'] : [])].join('\n')
}

function legWords({ condition, reads, entries, isExact, isScan }: ExplainedLeg): string {
  const about = `${isExact ? '' : 'about '}${entries} entries`
  return `${printable(reads)}${condition === null ? '' : ` for ${printable(condition)}`}: ${about}${isScan ? ', a scan' : ''}`
}

function narrowings({ narrowedBy }: ExplainedLeg): readonly string[] {
  return narrowedBy.map(
    ({ condition, how, entries, isExact }) =>
      `  narrowed by ${printable(condition)} (${how}): ${isExact ? '' : 'about '}${entries} entries`,
  )
}
