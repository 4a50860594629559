import type { Attributes, Envelope, Facts, Plain } from './envelope.ts'

/**
 * A stage of an upload: a pure fold over its chunks.
 *
 * `step` consumes the state it is given: the caller goes on with the one returned and never looks at the old one, so
 * a stage may reuse its memory. `freeze` copies the state as plain data, on any chunk boundary; a stage whose state is
 * hidden in a library, or is longer to keep than to find again, says 'replay' and is given the staged bytes again. `finish` is
 * called once, after the last chunk.
 */
export interface Stage<State = unknown, F extends Facts = Facts> {
  readonly name: string
  /** Bytes, from the first on, that it looks at: it need not be given those that follow again. All when absent. */
  readonly sightBytes?: number
  start(envelope: Envelope<F>): State
  step(state: State, chunk: Uint8Array): State
  freeze(state: State): Plain | 'replay'
  thaw(plain: Plain, envelope: Envelope<F>): State
  finish(state: State): Attributes | Promise<Attributes>
}
