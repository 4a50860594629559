import type { Envelope } from './envelope.ts'
import type { Derived } from './stage.ts'

/** An upload that comes out of another one, and becomes true with it. */
export interface DerivedUpload {
  write(bytes: Uint8Array): Promise<void>
  /** All of it has come. */
  end(): Promise<void>
  /** It is not to be. */
  drop(): Promise<void>
}

/** Carries out what the stages of an upload find in it: uploads of the same transaction, one after the other. */
export class Derivation {
  readonly #begin: (envelope: Envelope) => Promise<DerivedUpload>
  #open: DerivedUpload | undefined

  constructor(begin: (envelope: Envelope) => Promise<DerivedUpload>) {
    this.#begin = begin
  }

  async take(found: readonly Derived[]): Promise<void> {
    for (const derived of found) {
      if (derived.kind === 'begin') this.#open = await this.#begin(derived.envelope)
      else if (derived.kind === 'bytes') await this.#open!.write(derived.bytes)
      else await this.#end(derived.isWhole)
    }
  }

  async #end(isWhole: boolean): Promise<void> {
    const upload = this.#open!
    this.#open = undefined
    await (isWhole ? upload.end() : upload.drop())
  }
}
