import type { Attributes, Envelope, Facts, Plain } from './envelope.ts'

/** An object that a stage finds in the bytes of an upload, as it comes out of them: one after the other. */
export type Derived =
  | { readonly kind: 'begin'; readonly envelope: Envelope }
  /** They are the stage's, or the chunk's: to be taken before the next step. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** What is not whole is not to be. */
  | { readonly kind: 'end'; readonly isWhole: boolean }

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
  /** Throws when what is known before the first byte is refused; start() does, too. */
  admit?(envelope: Envelope): void
  start(envelope: Envelope<F>): State
  step(state: State, chunk: Uint8Array): State
  /**
   * What has come out since it was last asked. Asked after each step, and once more when no more steps come; freeze()
   * knows nothing of what was not asked for.
   */
  derive?(state: State, hasEnded: boolean): readonly Derived[]
  freeze(state: State): Plain | 'replay'
  thaw(plain: Plain, envelope: Envelope<F>): State
  finish(state: State): Attributes | Promise<Attributes>
}
