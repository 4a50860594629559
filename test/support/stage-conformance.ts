import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Attributes, type Envelope, type Facts, Pipeline, type Stage, StoreError } from '../../streams/index.ts'

/** What must hold of every stage, alone and among others. */
export interface StageCase {
  readonly stages: readonly Stage[]
  readonly envelope: Envelope
  /** Frozen and thawed at each of its boundaries; a few hundred bytes. */
  readonly small: Uint8Array
  /** Frozen and thawed at random boundaries, several in one run. */
  readonly large: Uint8Array
  /** How many times the large input is run; 30 when absent. */
  readonly runs?: number
}

/** Attributes, or the code of the refusal: both are what a stage yields. */
type Outcome = Attributes | string

const protocols = { http: 'http', ftp: 'ftp', email: 'smtp' } as const

export function envelopeOf(facts: Facts, expected: Envelope['expected'] = {}): Envelope {
  const principal = { application: 'test', partition: 'main', permissions: [] }
  const origin = { principal, protocol: protocols[facts.type] }
  return { origin, name: { bucket: 'inbox', key: 'object' }, facts, expected, attributes: {} }
}

/** Registers the tests of a stage: an upload is a fold, so neither chunks nor interruptions may show in its outcome. */
export function describeConformance(name: string, { stages, envelope, runs = 30, ...inputs }: StageCase): void {
  // Copies as plain arrays: a slice of a Buffer would share its memory, which outcome() overwrites.
  const small = Uint8Array.from(inputs.small)
  const large = Uint8Array.from(inputs.large)
  const uninterrupted = (input: Uint8Array) => outcome(stages, envelope, [Uint8Array.from(input)], () => false)

  describe(`${name} conforms`, () => {
    test('frozen and thawed through JSON at every boundary of a small input', async () => {
      const expected = await uninterrupted(small)
      for (let cut = 0; cut <= small.length; cut++) {
        const chunks = [small.slice(0, cut), small.slice(cut)]
        expect(await outcome(stages, envelope, chunks, (before) => before === 1), `cut at ${cut}`).toEqual(expected)
      }
    })

    test('frozen and thawed between all bytes of a small input', async () => {
      const chunks = Array.from(small, (byte) => Uint8Array.of(byte))
      expect(await outcome(stages, envelope, chunks, () => true)).toEqual(await uninterrupted(small))
    })

    test('frozen and thawed at random boundaries of a large input', async () => {
      const expected = await uninterrupted(large)
      const cuts = fc.array(fc.nat(large.length), { maxLength: 12 })
      await fc.assert(
        fc.asyncProperty(cuts, fc.infiniteStream(fc.boolean()), async (unsorted, interrupts) => {
          const chunks = split(large, unsorted)
          const actual = await outcome(stages, envelope, chunks, () => interrupts.next().value)
          return isDeepStrictEqual(actual, expected)
        }),
        { numRuns: runs },
      )
    })

    test('freezing leaves the upload as it was', async () => {
      const half = small.length >> 1
      const pipeline = Pipeline.start(stages, envelope)
      const rest = async () => {
        pipeline.step(small.slice(0, half))
        const frozen = pipeline.freeze()
        expect(pipeline.freeze()).toEqual(frozen)
        const before = JSON.stringify(frozen)
        pipeline.step(small.slice(half))
        expect(JSON.stringify(frozen), 'a frozen state is a copy').toBe(before)
        return pipeline.finish()
      }
      expect(await rest().catch(refusal)).toEqual(await uninterrupted(small))
    })

    test('takes chunks that lie anywhere in shared memory, and empty ones', async () => {
      const shared = new Uint8Array(new SharedArrayBuffer(small.length + 13)).subarray(13)
      shared.set(small)
      const chunks = [shared.subarray(0, 0), shared.subarray(0, 5), shared.subarray(5, 5), shared.subarray(5)]
      const pipeline = Pipeline.start(stages, envelope)
      const folded = async () => {
        for (const chunk of chunks) pipeline.step(chunk)
        return pipeline.finish()
      }
      expect(await folded().catch(refusal)).toEqual(await uninterrupted(small))
    })
  })
}

/** Runs `chunks` through the stages; before the chunks that `interrupts` names, the upload moves as JSON. */
async function outcome(
  stages: readonly Stage[],
  envelope: Envelope,
  chunks: readonly Uint8Array[],
  interrupts: (index: number) => boolean,
): Promise<Outcome> {
  const taken = chunks.map((chunk) => Uint8Array.from(chunk))
  try {
    let pipeline = Pipeline.start(stages, envelope)
    for (const [index, chunk] of chunks.entries()) {
      if (interrupts(index)) pipeline = await moved(pipeline, stages, envelope, taken.slice(0, index))
      pipeline.step(chunk)
      chunk.fill(0xa5) /* memory of a chunk is the caller's again: a stage that kept a reference is found out */
    }
    return await pipeline.finish()
  } catch (error) {
    return refusal(error)
  }
}

async function moved(
  pipeline: Pipeline,
  stages: readonly Stage[],
  envelope: Envelope,
  taken: readonly Uint8Array[],
): Promise<Pipeline> {
  const message = JSON.stringify([envelope, pipeline.freeze()])
  const [envelopeThere, frozen] = JSON.parse(message)
  expect(frozen, 'a frozen state is plain data').toEqual(pipeline.freeze())
  return Pipeline.thaw(stages, envelopeThere, frozen, replay(taken))
}

async function* replay(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Uint8Array.from(chunk)
}

function refusal(error: unknown): string {
  if (error instanceof StoreError) return error.code
  throw error
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const borders = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
  return borders.slice(1).map((end, index) => bytes.slice(borders[index], end))
}
