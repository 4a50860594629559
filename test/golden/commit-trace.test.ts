import { describe, expect, test } from 'vitest'
import type { Format, Mutation } from '../../pool/index.ts'
import { CrashDevice, Medium, type RecordedWrite, type TraceEvent } from '../support/crash-device.ts'
import { pattern, put, release } from '../support/pool-client.ts'
import { seededRandom } from '../support/random.ts'
import { formatDevice, openDevice, SingleZones } from '../support/single-device.ts'
import { identity, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'
import { goldenFor } from './golden-file.ts'
import { type Kind, type Mark, TraceReader } from './trace-lines.ts'

/** Segments of four blocks: the third commit opens the second one. */
const FORMAT: Format = { ...TINY_FORMAT, unitBytes: 512, segmentBytes: 2048 }
const TUNING = { transactionBytesMax: 1024, groupBytesMax: 512 }
const BYTES = 96 * 1024
const READER = new TraceReader(new SingleZones(BYTES, FORMAT), identity().pool)

type Trace = readonly TraceEvent<Mark>[]

/** Every request takes as long as it may: whoever does not wait for it is seen to overtake it. */
const slow = { ...seededRandom(1), below: (bound: number) => bound - 1 }

async function traceOf(...mutations: Mutation[]): Promise<Trace> {
  const device = new CrashDevice<Mark>(new Medium(BYTES), { random: slow })
  const call = async <T>(name: string, task: () => Promise<T>): Promise<T> => {
    device.mark({ call: name })
    const result = await task()
    device.mark({ answer: typeof result === 'number' ? { record: result } : {} })
    return result
  }
  const options = tiny({ tuning: TUNING, mutations: new Set(mutations) })
  await call('create', () => formatDevice(device, FORMAT, identity()))
  const pool = await call('open', () => openDevice(device, options))
  const small = await call('commit 600 bytes, inline', () => put(pool, pattern(600)))
  const large = await call('commit 1200 bytes, in extents', () => put(pool, pattern(1200)))
  const both = [small, large].map((sequence) => ({ sequence, payload: 0 }))
  await call('commit a release of both', () => release(pool, ...both))
  await call('checkpoint', () => pool.checkpoint())
  await call('close', () => pool.close())
  return device.trace
}

const linesOf = (trace: Trace): string[] => trace.map((event) => READER.line(event))

/** Writes that had ended when a flush began that has ended itself. */
const flushedIn = (trace: Trace): RecordedWrite[] =>
  trace.flatMap((event) => (event.kind === 'flush' ? event.covered : []))

function unflushedIn(trace: Trace): RecordedWrite[] {
  const flushed = new Set(flushedIn(trace))
  return trace.flatMap((event) => (event.kind === 'write' && !flushed.has(event.write) ? [event.write] : []))
}

/** An acknowledgement comes when all is flushed, and the batch that holds the record is among it. */
function isAnsweredEarly(record: number | undefined, before: Trace): boolean {
  const durable = flushedIn(before).flatMap((write) => READER.read(write).records)
  return unflushedIn(before).length > 0 || (record !== undefined && !durable.includes(record))
}

/** These name what was written before them; the other kinds name nothing. What need not be flushed by then is listed. */
const COMPANIONS: { readonly [Naming in Kind]?: readonly Kind[] } = {
  guard: ['guard'],
  superblock: [],
  batch: ['segment header'],
}

function isWrittenEarly(write: RecordedWrite, before: Trace): boolean {
  const companions = COMPANIONS[READER.read(write).kind]
  return !!companions && unflushedIn(before).some((earlier) => !companions.includes(READER.read(earlier).kind))
}

/** The lines of what came before the flush that it should have awaited. */
function earlyIn(trace: Trace): string[] {
  const early = trace.filter((event, i) => {
    const before = trace.slice(0, i)
    if (event.kind === 'write') return isWrittenEarly(event.write, before)
    return event.kind === 'mark' && event.mark.answer !== undefined && isAnsweredEarly(event.mark.answer.record, before)
  })
  return linesOf(early)
}

describe('the commit protocol', () => {
  test('is the one of commit-trace.txt', async () => {
    const text = `${linesOf(await traceOf()).join('\n')}\n`
    expect(text).toBe(goldenFor('commit-trace.txt', text))
  })

  test('awaits the flush that covers what it names or acknowledges', async () => {
    expect(earlyIn(await traceOf())).toEqual([])
  })

  test.each<[Mutation, string]>([
    ['ack-before-flush', 'acknowledge  record 1'],
    ['publish-before-data-flush', 'batch at lsn 3: record 2'],
    ['epoch-not-flushed', 'ring R slot 2'],
  ])('broken by %s is caught', async (mutation, line) => {
    expect(earlyIn(await traceOf(mutation))).toContainEqual(expect.stringContaining(line))
  })
})
