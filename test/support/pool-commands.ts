import assert from 'node:assert/strict'
import fc from 'fast-check'
import { PoolError } from '../../pool/index.ts'
import { Ledger } from './pool-ledger.ts'
import {
  commit,
  compare,
  type Fate,
  granted,
  livePayload,
  type Model,
  prepare,
  RealPool,
  resumable,
  type Upload,
} from './pool-model.ts'

/*
 * What one may do with a pool, each as a command that does it to the pool and to the model, and compares what both say.
 * A command whose arguments point at something takes a part from 0 to 1 of what there is to choose from by then.
 */

type Command = fc.AsyncCommand<Model, RealPool>

class Step<T> implements Command {
  readonly #name: string
  readonly #given: T
  readonly #run: (given: T, model: Model, real: RealPool) => Promise<void>

  constructor(name: string, given: T, run: (given: T, model: Model, real: RealPool) => Promise<void>) {
    this.#name = name
    this.#given = given
    this.#run = run
  }

  check(): boolean {
    return true
  }

  async run(model: Model, real: RealPool): Promise<void> {
    await this.#run(this.#given, model, real)
    await real.quiet()
    assert.equal(real.pool.position.sequence, model.ledger.sequence, 'last sequence')
  }

  toString(): string {
    return `${this.#name} ${JSON.stringify(this.#given)}`
  }
}

const step = <T>(
  name: string,
  given: fc.Arbitrary<T>,
  run: (given: T, model: Model, real: RealPool) => Promise<void>,
): fc.Arbitrary<Command> => given.map((value) => new Step(name, value, run))

const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const picks = fc.array(part, { maxLength: 3 })
const payloadBytes = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 700 }) },
  { weight: 2, arbitrary: fc.integer({ min: 701, max: 3000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 3000, max: 20_000 }) },
)
const payload = fc.record({ bytes: payloadBytes, fill: fc.nat(1e6) })
const contents = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 400 }), fill: fc.nat(1e6) }), {
  minLength: 1,
  maxLength: 3,
})
const payloads = fc.array(payload, { maxLength: 3 })
const fates = fc.array(fc.constantFrom<Fate>('kept', 'dropped', 'torn'), { minLength: 1, maxLength: 8 })

type Bytes = { readonly bytes: number; readonly fill: number }

const filled = ({ bytes, fill }: Bytes): Buffer => Buffer.alloc(bytes, `${fill}/${bytes};`)

const PIECE_BYTES = 1300

async function write({ stagings, payloads }: Upload, number: number, bytes: Buffer): Promise<void> {
  payloads[number] = Buffer.concat([payloads[number]!, bytes])
  for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) {
    await stagings[number]!.write(bytes.subarray(offset, offset + PIECE_BYTES))
  }
  assert.equal(stagings[number]!.length, payloads[number]!.length, 'bytes staged')
}

/** An upload of so many payloads; undefined when there was no room for them. */
async function upload(real: RealPool, given: readonly Bytes[]): Promise<Upload | undefined> {
  const begun: Upload = { transaction: real.pool.begin(), stagings: [], payloads: [] }
  return (await granted(stage(begun, given))) ? begun : void (await begun.transaction.abort())
}

async function stage(begun: Upload, given: readonly Bytes[]): Promise<void> {
  for (const bytes of given) {
    begun.stagings.push(begun.transaction.stage())
    begun.payloads.push(Buffer.alloc(0))
    await write(begun, begun.payloads.length - 1, filled(bytes))
  }
}

/** The upload underway that `pick` points at. */
const underway = ({ uploads }: Model, pick: number): Upload | undefined => uploads[Math.floor(pick * uploads.length)]

function forget(model: Model, upload: Upload): void {
  model.uploads = model.uploads.filter((other) => other !== upload)
}

const lengthOf = ({ length }: { readonly length: number }): number => length

async function rejects(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof PoolError && error.code === code)
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(Uint8Array.from(chunk))
  return Buffer.concat(all)
}

const put = fc.record({ payloads, contents, picks })

const commits = step('commit', put, async (given, model, real) => {
  const begun = await upload(real, given.payloads)
  if (begun) await commit(model, real, begun, { contents: given.contents.map(filled), picks: given.picks })
})

/** In one batch, or in several that follow each other at once. */
const commitsTogether = step(
  'commit together',
  fc.array(put, { minLength: 2, maxLength: 4 }),
  async (all, model, real) => {
    await Promise.all(
      all.map(async (given) => {
        const begun = await upload(real, given.payloads)
        if (begun) await commit(model, real, begun, { contents: given.contents.map(filled), picks: given.picks })
      }),
    )
  },
)

const releases = step('release', fc.array(part, { minLength: 1, maxLength: 6 }), async (given, model, real) => {
  const begun: Upload = { transaction: real.pool.begin(), stagings: [], payloads: [] }
  await commit(model, real, begun, { contents: [Buffer.from('let go')], picks: given })
})

const refuses = step('refuse', payloads, async (given, _, real) => {
  const begun = await upload(real, given)
  const drafting = () => {
    throw new Error('a precondition failed')
  }
  if (begun) await assert.rejects(begun.transaction.commit(drafting), /a precondition failed|the pool is full/)
})

const aborts = step('abort', payloads, async (given, _, real) => {
  const begun = await upload(real, given)
  await begun?.transaction.abort()
})

const begins = step('begin an upload', payloads, async (given, model, real) => {
  const begun = await upload(real, given)
  if (begun) model.uploads.push(begun)
})

const goesOn = step('go on', fc.record({ pick: part, payload }), async (given, model) => {
  const found = underway(model, given.pick)
  if (!found || found.payloads.length === 0) return
  if (await granted(write(found, found.payloads.length - 1, filled(given.payload)))) return
  await found.transaction.abort()
  forget(model, found)
})

const prepares = step('prepare', fc.record({ pick: part, contents }), async (given, model, real) => {
  const found = underway(model, given.pick)
  if (found) await prepare(model, real, found, filled(given.contents[0]!))
})

const ends = step('end an upload', fc.record({ pick: part, contents, picks }), async (given, model, real) => {
  const found = underway(model, given.pick)
  if (!found) return
  await commit(model, real, found, { contents: given.contents.map(filled), picks: given.picks })
  forget(model, found)
})

const abandons = step('abandon', part, async (pick, model) => {
  const found = underway(model, pick)
  if (!found) return
  await found.transaction.abort()
  forget(model, found)
})

const resumes = step('resume', part, async (pick, model, { pool }) => {
  const sequences = resumable(model)
  const sequence = sequences[Math.floor(pick * sequences.length)]
  if (sequence === undefined) return
  const { transaction, payloads: stagings } = await pool.resume(sequence)
  const kept = [...model.ledger.expect().records[sequence - 1]!.payloads]
  assert.deepEqual(stagings.map(lengthOf), kept.map(lengthOf))
  await rejects('ERR_BUSY', pool.resume(sequence))
  const prepared = { sequence, payloads: kept.length }
  model.uploads.push({ transaction, stagings: [...stagings], payloads: kept, prepared })
})

/** Nobody lets go what an upload goes on from. */
const robs = step('release what is held', part, async (pick, model, real) => {
  const held = model.uploads.flatMap(({ prepared }) => (prepared && prepared.payloads > 0 ? [prepared.sequence] : []))
  const sequence = held[Math.floor(pick * held.length)]
  if (sequence === undefined) return
  const draft = { records: [{ content: Buffer.from('x'), payloads: [] }], releases: [{ sequence, payload: 0 }] }
  await assert.rejects(
    real.pool.begin().commit(() => draft),
    (error) => error instanceof PoolError && ['ERR_BUSY', 'ERR_NO_SPACE'].includes(error.code),
  )
})

const reads = step('read', fc.record({ pick: part, from: part, length: fc.nat(5000) }), async (given, model, real) => {
  const found = livePayload(model, given.pick)
  if (!found) return
  const { sequence, payload: number } = found.release
  const offset = Math.floor(given.from * (found.bytes.length + 10))
  const bytes = await readAll(real.pool.read(sequence, number, { offset, length: given.length }))
  assert(bytes.equals(found.bytes.subarray(offset, offset + given.length)), `bytes ${offset} … of ${sequence}`)
})

const readsReleased = step('read what was let go', part, async (pick, { ledger }, real) => {
  const gone = ledger.expect().records.flatMap(({ releases }) => releases)
  const release = gone[Math.floor(pick * gone.length)]
  if (release) await rejects('ERR_NOT_FOUND', readAll(real.pool.read(release.sequence, release.payload)))
})

const looksUp = step('record', part, async (pick, { ledger }, real) => {
  const sequence = 1 + Math.floor(pick * (ledger.sequence + 1))
  const wanted = ledger.expect().records[sequence - 1]
  if (!wanted) return await rejects('ERR_NOT_FOUND', real.pool.record(sequence))
  const record = await real.pool.record(sequence)
  assert(wanted.content.equals(record.content), `record ${sequence}`)
})

const replays = step('replay', part, async (pick, { ledger }, real) => {
  const from = 1 + Math.floor(pick * (ledger.sequence + 1))
  const found: Buffer[] = []
  for await (const { content } of real.pool.replay(from)) found.push(Buffer.from(content))
  const wanted = ledger.expect().records.slice(from - 1)
  assert.deepEqual(
    found,
    wanted.map(({ content }) => content),
  )
})

const checkpoints = step('checkpoint', fc.constant(undefined), async (_, __, real) => await real.pool.checkpoint())

const checks = step('check', fc.constant(undefined), async (_, model, real) => await compare(model, real))

async function reopen(model: Model, real: RealPool): Promise<void> {
  model.uploads = []
  await real.open()
  const { sequence } = real.pool.position
  model.ledger = model.ledger.upTo(sequence)
  await compare(model, real)
}

const closes = step('close and open', fc.constant(undefined), async (_, model, real) => {
  const { sequence } = model.ledger
  await real.pool.close()
  await reopen(model, real)
  assert.equal(real.pool.position.sequence, sequence, 'records of a pool that was closed')
  assert.equal(real.pool.status().recovery.verdict, 'clean')
})

/** Late in the life more often than early, for what is late is more. */
const moment = fc.oneof(fc.constant(1), part, fc.double({ min: 0.8, max: 1, noNaN: true }))

const crashes = step('crash', fc.record({ moment, fates }), async (given, model, real) => {
  const { acknowledged, drafted } = real.crash(given.moment, given.fates)
  const before = model.ledger
  await reopen(model, real)
  const { sequence } = real.pool.position
  assert(sequence >= acknowledged, `${sequence} records came back, ${acknowledged} were acknowledged`)
  assert(sequence <= drafted, `${sequence} records came back, ${drafted} were begun`)
  assert(before.endsTransaction(sequence), `record ${sequence} came back in the middle of its transaction`)
})

/** Everything, and what changes something more often than what looks. */
const everything: fc.Arbitrary<Command>[] = [
  commits,
  commits,
  commitsTogether,
  releases,
  refuses,
  aborts,
  begins,
  goesOn,
  prepares,
  ends,
  abandons,
  resumes,
  robs,
  reads,
  readsReleased,
  looksUp,
  replays,
  checkpoints,
  checks,
  closes,
  crashes,
  crashes,
]

const COMMANDS_MAX = 60

/** Room to spare, or a pool that is soon full; with records of an earlier life, most of them sparse by now. */
const start = fc.record({
  deviceBytes: fc.constantFrom(256 * 1024, 160 * 1024),
  history: fc.oneof(fc.constant(0), fc.nat(60)),
})

/** Records of which one in seven keeps its payload: what compaction looks for. */
async function live(model: Model, real: RealPool, history: number): Promise<void> {
  for (let record = 0; record < history; record++) {
    const begun = (await upload(real, [{ bytes: 600, fill: record }]))!
    const picks = record % 7 === 0 ? [] : [LAST]
    await commit(model, real, begun, { contents: [Buffer.from(`record ${record}`)], picks })
  }
}

const LAST = 1 - Number.EPSILON

/** Random commands, in random order, on a pool and on its model; resolves with the number of runs. */
export async function playCommands(options: {
  seed: number
  numRuns?: number
  interruptAfterTimeLimit?: number
}): Promise<number> {
  let runs = 0
  const every = fc.commands(everything, { maxCommands: COMMANDS_MAX, size: 'max' })
  const property = fc.asyncProperty(start, every, async ({ deviceBytes, history }, commands) => {
    runs++
    const model: Model = { ledger: new Ledger(), uploads: [] }
    const real = await RealPool.create(deviceBytes)
    await live(model, real, history)
    await fc.asyncModelRun(() => ({ model, real }), commands)
    await compare(model, real)
  })
  await fc.assert(property, options)
  return runs
}
