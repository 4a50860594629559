import type { Sequence } from '../../pool/index.ts'
import type { ShownRecord } from '../records/shown-record.ts'
import { toStoreError } from '../store-errors.ts'
import type { TailPage } from '../tail/tail-page.ts'

export interface RevivalOptions {
  readonly follow: (after: Sequence, signal: AbortSignal) => AsyncGenerator<TailPage>
  /** Resolves when one more may be taken in; false when none may any more. */
  readonly room: () => Promise<boolean>
  readonly add: (record: ShownRecord) => void
  readonly onFailure: (reason: string) => void
}

/** Dead letters that are tried once more: each is read again from the stream, as it may be seen now. */
export class Revival {
  readonly #options: RevivalOptions
  /** Under way: asked for twice, one is tried once. */
  readonly #underway = new Set<Sequence>()

  constructor(options: RevivalOptions) {
    this.#options = options
  }

  async revive(sequences: readonly Sequence[]): Promise<void> {
    for (const sequence of sequences) {
      if (this.#underway.has(sequence)) continue
      this.#underway.add(sequence)
      await this.#one(sequence).catch((error) => {
        this.#underway.delete(sequence)
        this.#options.onFailure(toStoreError(error).message)
      })
    }
  }

  settled(sequence: Sequence): void {
    this.#underway.delete(sequence)
  }

  /** One that may not be seen any more stays a dead letter. */
  async #one(sequence: Sequence): Promise<void> {
    const { follow, room, add } = this.#options
    if (!(await room())) return
    const looking = new AbortController()
    for await (const { records } of follow(sequence - 1, looking.signal)) {
      looking.abort()
      const record = records.find((one) => one.sequence === sequence)
      if (record) add(record)
      else this.#underway.delete(sequence)
    }
  }
}
