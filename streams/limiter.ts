import { bytesToCome } from './envelope.ts'
import { StoreError } from './errors.ts'
import type { Stage } from './stage.ts'

export interface LimiterState {
  readonly declared: number | undefined
  length: number
}

/**
 * Refuses an upload as early as it can be known: declared larger than `objectBytesMax`, or at the first byte beyond it
 * (ERR_TOO_LARGE); at the first byte beyond the declared size, or at an end before it (ERR_LENGTH_MISMATCH).
 * It finds no attributes.
 */
export function limiter(objectBytesMax: number): Stage<LimiterState> {
  const refuseOver = (length: number): void => {
    if (length > objectBytesMax)
      throw new StoreError('ERR_TOO_LARGE', `an object may have at most ${objectBytesMax} bytes`)
  }
  const refuseDifference = (declared: number, came: string): never => {
    throw new StoreError('ERR_LENGTH_MISMATCH', `${declared} bytes were declared and ${came} came`)
  }
  return {
    name: 'limiter',
    admit: (envelope) => refuseOver(bytesToCome(envelope)),
    start(envelope) {
      const { expected } = envelope
      refuseOver(bytesToCome(envelope))
      return { declared: expected.size, length: 0 }
    },
    step(state, chunk) {
      state.length += chunk.length
      refuseOver(state.length)
      if (state.declared !== undefined && state.length > state.declared) refuseDifference(state.declared, 'more')
      return state
    },
    freeze(state) {
      return state.length
    },
    thaw(plain, { expected }) {
      return { declared: expected.size, length: plain as number }
    },
    finish({ declared, length }) {
      if (declared !== undefined && length < declared) refuseDifference(declared, `only ${length}`)
      return {}
    },
  }
}
