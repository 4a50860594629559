import { describe, expect, test } from 'vitest'
import { type Envelope, limiter, type StoreErrorCode } from '../../streams/index.ts'
import { describeConformance, envelopeOf } from '../support/stage-conformance.ts'

const facts = { type: 'ftp', user: 'u', path: '/p', secure: false } as const
const bytes = (length: number) => new Uint8Array(length)

function run(objectBytesMax: number, expected: Envelope['expected'], chunks: readonly number[]) {
  const stage = limiter(objectBytesMax)
  const steps: number[] = []
  const refusal = (code: StoreErrorCode) => expect.objectContaining({ code })
  try {
    let state = stage.start(envelopeOf(facts, expected))
    for (const length of chunks) {
      state = stage.step(state, bytes(length))
      steps.push(length)
    }
    return { steps, attributes: stage.finish(state), refusal }
  } catch (error) {
    return { steps, error, refusal }
  }
}

describe('limiter', () => {
  test('lets an object of exactly the bound pass, and of the declared size, and of none', () => {
    expect(run(10, {}, [4, 6])).toMatchObject({ steps: [4, 6], attributes: {} })
    expect(run(10, { size: 10 }, [10])).toMatchObject({ attributes: {} })
    expect(run(10, { size: 0 }, [])).toMatchObject({ attributes: {} })
    expect(run(0, {}, [0])).toMatchObject({ attributes: {} })
  })

  test('refuses the first chunk that goes over the bound', () => {
    const { steps, error, refusal } = run(10, {}, [4, 6, 1, 1])
    expect(steps).toEqual([4, 6])
    expect(error).toEqual(refusal('ERR_TOO_LARGE'))
    expect(error).toMatchObject({ message: 'an object may have at most 10 bytes' })
  })

  test('refuses a declared size over the bound before a byte came', () => {
    const { steps, error, refusal } = run(10, { size: 11 }, [1])
    expect(steps).toEqual([])
    expect(error).toEqual(refusal('ERR_TOO_LARGE'))
  })

  test('refuses the first chunk that goes over the declared size', () => {
    const { steps, error, refusal } = run(10, { size: 5 }, [5, 0, 1])
    expect(steps).toEqual([5, 0])
    expect(error).toEqual(refusal('ERR_LENGTH_MISMATCH'))
    expect(error).toMatchObject({ message: '5 bytes were declared and more came' })
  })

  test('refuses an end before the declared size', () => {
    const { steps, error, refusal } = run(10, { size: 5 }, [4])
    expect(steps).toEqual([4])
    expect(error).toEqual(refusal('ERR_LENGTH_MISMATCH'))
    expect(error).toMatchObject({ message: '5 bytes were declared and only 4 came' })
  })
})

const lengths = { small: bytes(200), large: bytes(100_000) }
describeConformance('limiter', { stages: [limiter(100_000)], envelope: envelopeOf(facts), ...lengths })
describeConformance('limiter that refuses what is large', {
  stages: [limiter(150)],
  envelope: envelopeOf(facts),
  ...lengths,
})
describeConformance('limiter that refuses another length', {
  stages: [limiter(200_000)],
  envelope: envelopeOf(facts, { size: 100 }),
  ...lengths,
})
