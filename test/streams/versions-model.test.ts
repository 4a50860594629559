import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Pool } from '../../pool/index.ts'
import { verifyStream } from '../../streams/custody/verification.ts'
import type { AttributeRecord, Catalog, ObjectName, OpenStore } from '../../streams/index.ts'
import { openStore } from '../../streams/index.ts'
import { assertChains } from '../support/chains.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { levelCatalog, openHarness, origin, putText, recordsOf, textOf } from '../support/store-harness.ts'
import { VersionModel } from './version-model.ts'

const HOUR_MS = 3_600_000
const BYTES_MAX = 1_000_000

const bucket = fc.constantFrom('inbox', 'other')
const name = fc.record({ bucket, key: fc.constantFrom('a', 'a/b', '\u{10000}') })
const pick = fc.nat(1000)
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ verb: fc.constant('put' as const), name, text: fc.string({ maxLength: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant('remove' as const), name }) },
  { weight: 5, arbitrary: fc.record({ verb: fc.constant('removeVersion' as const), name, pick, any: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant('rename' as const), name, to: name }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('annotate' as const), name, user: fc.nat(9) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      verb: fc.constant('configure' as const),
      bucket,
      versioning: fc.constantFrom('off' as const, 'enabled' as const, 'enabled' as const, 'suspended' as const),
      days: fc.constantFrom(null, null, 1, 2),
      expiry: fc.constantFrom(null, { currentDays: 2 }, { noncurrentDays: 1 }, { currentDays: 1, noncurrentDays: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('retain' as const), name, pick, hours: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('hold' as const), name, pick, isHeld: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('expire' as const) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('reopen' as const), anew: fc.boolean() }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
type Acting = Exclude<Step, { verb: 'wait' | 'reopen' | 'expire' }>

/** The store beside the model. */
class Run {
  readonly model = new VersionModel()
  readonly #pool: Pool
  readonly #newCatalog: () => Promise<Catalog>
  #catalog: Catalog
  #store: OpenStore
  #now = 1_700_000_000_000

  private constructor(pool: Pool, newCatalog: () => Promise<Catalog>, catalog: Catalog) {
    this.#pool = pool
    this.#newCatalog = newCatalog
    this.#catalog = catalog
    this.#store = undefined as never
  }

  static async start(newCatalog: () => Promise<Catalog>): Promise<Run> {
    const pool = memoryPool({ bytesMax: BYTES_MAX })
    const run = new Run(pool, newCatalog, await newCatalog())
    await run.#open()
    for (const bucket of ['inbox', 'other']) {
      await run.#store.createBucket(origin, bucket)
      run.model.buckets.set(bucket, { versioning: 'off' })
    }
    return run
  }

  async #open(): Promise<void> {
    this.#store = await openStore({
      pool: this.#pool,
      catalog: this.#catalog,
      partition: 'main',
      stages: () => [],
      clock: { now: () => this.#now },
      limits: { expiryLookMax: 2 },
    })
  }

  async act(step: Step): Promise<void> {
    if (step.verb === 'wait') this.#now += step.hours * HOUR_MS
    else if (step.verb === 'reopen') await this.#reopen(step.anew)
    else if (step.verb === 'expire') await this.#expire()
    else {
      const next = this.#pool.position.sequence + 1
      const outcome = await outcomeOf(() => this.#do(step))
      const version = String(next).padStart(16, '0')
      expect(outcome, JSON.stringify(step)).toEqual(await outcomeOf(async () => this.#expect(step, version)))
    }
  }

  async #do(step: Acting): Promise<unknown> {
    const store = this.#store
    const { versions } = store
    switch (step.verb) {
      case 'put':
        return void (await putText(store, step.name, step.text))
      case 'remove':
        return store.remove(origin, step.name)
      case 'removeVersion': {
        const { name, version } = this.#picked(step.name, step.pick, step.any)
        return versions.removeVersion(origin, name, version)
      }
      case 'rename':
        return store.rename(origin, step.name, step.to)
      case 'annotate':
        return store.annotate(origin, step.name, { 'user.a': step.user })
      case 'configure':
        return versions.configure(origin, step.bucket, {
          versioning: step.versioning,
          retention: step.days === null ? null : { days: step.days },
          expiry: step.expiry,
        })
      case 'retain': {
        const until = this.#now + step.hours * HOUR_MS
        return versions.retain(origin, { ...step.name, version: this.#version(step) }, until)
      }
      case 'hold':
        return versions.hold(origin, { ...step.name, version: this.#version(step) }, step.isHeld)
    }
  }

  #expect(step: Acting, version: string): unknown {
    const now = this.#now
    const { model } = this
    switch (step.verb) {
      case 'put':
        return model.put(step.name, step.text, version, now)
      case 'remove':
        return model.remove(step.name, version, now)
      case 'removeVersion': {
        const picked = this.#picked(step.name, step.pick, step.any)
        return model.removeVersion(picked.name, picked.version, now)
      }
      case 'rename':
        return model.rename(step.name, step.to, version, now)
      case 'annotate':
        return model.annotate(step.name, step.user)
      case 'configure':
        return model.configure(step.bucket, step.versioning, step.days, step.expiry)
      case 'retain':
        return model.retain(step.name, this.#version(step), now + step.hours * HOUR_MS, now)
      case 'hold':
        return model.hold(step.name, this.#version(step), step.isHeld)
    }
  }

  /** Everything that is due, however few versions a round looks at. */
  async #expire(): Promise<void> {
    const before = this.#pool.position.sequence
    while (await this.#store.expire(origin)) {
      // The next round.
    }
    const records = (await recordsOf(this.#pool))
      .map(({ record }) => record)
      .filter(({ sequence }) => sequence > before)
    for (const bucket of ['inbox', 'other']) {
      this.model.expire(bucket, this.#now, (key) => {
        const isIt = (record: AttributeRecord) =>
          record.operation === 'delete' &&
          record.version === undefined &&
          record.key === key &&
          record.bucket === bucket
        return String(records.find(isIt)?.sequence ?? 0).padStart(16, '0')
      })
    }
  }

  /** A version or marker that there is or was; under its own name, unless `any` name is to do. */
  #picked(name: ObjectName, pick: number, any: boolean): { name: ObjectName; version: string } {
    const { everything, objects } = this.model
    const version = everything[pick % Math.max(everything.length, 1)]?.version ?? '0000000000000001'
    const object = objects.find(
      ({ versions, marker }) => marker === version || versions.some((other) => other.version === version),
    )
    return { name: any || !object ? name : object.name, version }
  }

  /** One of the versions under the name, or none to mean the current one. */
  #version({ name, pick }: { name: ObjectName; pick: number }): string | undefined {
    const rows = this.model.list(name.bucket).filter(([key]) => key === name.key)
    return rows[pick % (rows.length + 1)]?.[1]
  }

  /** The store is closed and opened; its catalog goes on, or is folded anew from the pool. */
  async #reopen(anew: boolean): Promise<void> {
    await this.#store.close()
    await this.#catalog.settled(this.#pool.position.sequence)
    if (anew) {
      await this.#catalog.close()
      this.#catalog = await this.#newCatalog()
    }
    await this.#open()
  }

  /** The store shows what the model has, and no byte more is kept. */
  async check(pageLimit: number): Promise<void> {
    const { model } = this
    for (const bucket of ['inbox', 'other']) {
      const rows = await this.#rows(bucket, pageLimit)
      expect(rows.map(({ key, version, state }) => [key, version, state])).toEqual(model.list(bucket))
      const current = rows.filter(({ state }) => state === 'current')
      const { objects } = await this.#store.list(origin, bucket)
      expect(objects.map(({ key, version }) => [key, version])).toEqual(
        current.map(({ key, version }) => [key, version]),
      )
      expect(await this.#store.versions.settings(origin, bucket)).toEqual(model.buckets.get(bucket))
    }
    for (const object of model.objects) {
      for (const version of object.versions) {
        const { stat, body } = await this.#store.versions.readVersion(origin, {
          ...object.name,
          version: version.version,
        })
        expect(await textOf(body)).toBe(version.text)
        const { attributes } = stat
        expect(attributes['user.a']).toBe(version.user)
        expect(attributes['retention.until']).toBe(version.until ? new Date(version.until).toISOString() : undefined)
        expect(attributes['retention.hold']).toBe(version.held || undefined)
      }
    }
    const kept = Buffer.byteLength(model.objects.flatMap(({ versions }) => versions.map(({ text }) => text)).join(''))
    expect(this.#pool.status()).toMatchObject({ freeBytes: BYTES_MAX - kept, stagedBytes: 0 })
  }

  async #rows(bucket: string, limit: number) {
    const rows = []
    let cursor: string | undefined
    do {
      const options = { limit, ...(cursor !== undefined && { cursor }) }
      const page = await this.#store.versions.listVersions(origin, bucket, options)
      expect(page.versions.length).toBeLessThanOrEqual(limit)
      rows.push(...page.versions)
      cursor = page.next
    } while (cursor !== undefined)
    return rows
  }

  /** A catalog that folds the same records from the first one says the same of every object. */
  async sameAnew(): Promise<void> {
    const catalog = new MemoryCatalog()
    const clock = { now: () => this.#now }
    await openStore({ pool: this.#pool, catalog, partition: 'main', stages: () => [], clock })
    const records = (await recordsOf(this.#pool)).map(({ record }) => record)
    for (const object of new Set(records.flatMap((record) => ('object' in record ? [record.object] : [])))) {
      const place = await this.#catalog.place(object)
      expect(shown(place)).toEqual(shown(await catalog.place(object)))
      for (const { sequence } of records) {
        const [one, other] = [await this.#catalog.older(object, sequence), await catalog.older(object, sequence)]
        expect(one && nameless(one)).toEqual(other && nameless(other))
      }
      expect((await this.#catalog.older(object))?.stat.version).toBe((await catalog.older(object))?.stat.version)
    }
    for (const bucket of ['inbox', 'other'])
      expect(await this.#catalog.versions(bucket, {})).toEqual(await catalog.versions(bucket, {}))
    const { application } = origin.principal
    expect(this.#catalog.usage(application)).toEqual(catalog.usage(application))
    await assertChains(this.#pool)
    const source = { pool: this.#pool, settled: async () => {} }
    for await (const event of verifyStream(source, {})) expect(event.type).not.toBe('finding')
  }
}

/** How long the longest one among the older versions is retained may be told too long: such a one was once among them. */
function shown(place: Awaited<ReturnType<Catalog['place']>>): unknown {
  if (place === undefined) return undefined
  const { protocol: _protocol, application: _application, older, ...head } = place.head as Loose
  const { until: _until, ...rest } = older ?? {}
  return JSON.parse(JSON.stringify({ ...place, head: { ...head, older: older && rest } }))
}

interface Loose {
  readonly protocol?: string
  readonly application?: string
  readonly older?: { readonly until?: number }
}

function nameless({ stat, ...rest }: { stat: ObjectName }): unknown {
  const { bucket: _bucket, key: _key, ...left } = stat
  return { ...rest, stat: left }
}

async function outcomeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work()
  } catch (error) {
    return { refused: (error as { code?: string }).code ?? error }
  }
}

test.each([
  ['in memory', async () => new MemoryCatalog() as Catalog, 150],
  ['on level', () => levelCatalog(), 60],
])('versions are what a plain model says, its catalog %s', { timeout: 60_000 }, async (_what, newCatalog, numRuns) => {
  const scenario = async (steps: Step[], pageLimit: number) => {
    const run = await Run.start(newCatalog)
    for (const step of steps) await run.act(step)
    await run.check(pageLimit)
    await run.sameAnew()
  }
  const steps = fc.array(step, { maxLength: 60, size: 'max' })
  await fc.assert(fc.asyncProperty(steps, fc.constantFrom(1, 2, 3, 1000), scenario), { numRuns })
})

test('many at once leave what a fold of their records says', { timeout: 30_000 }, async () => {
  const scenario = async (steps: Step[]) => {
    const pool = memoryPool({ bytesMax: BYTES_MAX })
    const catalog = await levelCatalog()
    const { store } = await openHarness({ pool, catalog })
    await store.createBucket(origin, 'other')
    const acting = steps.map((step) => atOnce(store, step).catch((error) => error))
    const outcomes = (await Promise.all(acting)).filter((outcome) => outcome instanceof Error)
    const refusals = ['ERR_NOT_FOUND', 'ERR_CONFLICT', 'ERR_LOCKED', 'ERR_INVALID']
    for (const error of outcomes) expect(refusals).toContain((error as { code?: string }).code)
    await assertChains(pool)
    const anew = new MemoryCatalog()
    await openHarness({ pool, catalog: anew })
    let [kept, objects] = [0, 0]
    for (const bucket of ['inbox', 'other']) {
      const { versions } = await store.versions.listVersions(origin, bucket)
      expect(versions).toEqual((await anew.versions(bucket, {})).versions)
      const all = versions.filter((version) => version.state !== 'marker')
      kept += all.reduce((sum, { size }) => sum + size, 0)
      objects += all.length
    }
    expect(catalog.usage(origin.principal.application)).toEqual({ bytes: kept, objects })
    expect(pool.status()).toMatchObject({ freeBytes: BYTES_MAX - kept, stagedBytes: 0 })
  }
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), scenario), { numRuns: 60 })
})

async function atOnce(store: OpenStore, step: Step): Promise<unknown> {
  const { versions } = store
  if (step.verb === 'put') return putText(store, step.name, step.text)
  if (step.verb === 'remove') return store.remove(origin, step.name)
  if (step.verb === 'rename') return store.rename(origin, step.name, step.to)
  if (step.verb === 'annotate') return store.annotate(origin, step.name, { 'user.a': step.user })
  if (step.verb === 'configure') return versions.configure(origin, step.bucket, { versioning: step.versioning })
  if (step.verb === 'expire') return store.expire(origin)
  if (step.verb === 'hold') return versions.hold(origin, step.name, step.isHeld)
  if (step.verb !== 'removeVersion') return undefined
  const { bucket, key } = step.name
  const rows = (await versions.listVersions(origin, bucket)).versions.filter((version) => version.key === key)
  const picked = rows[step.pick % Math.max(rows.length, 1)]
  return picked && versions.removeVersion(origin, step.name, picked.version)
}
