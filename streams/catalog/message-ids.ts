import { indexedPart, type Scalar, scalarsOf, typedText } from '../attributes.ts'
import { indexPrefix, indexText, prefixRange } from './catalog-keys.ts'
import type { CatalogLevel } from './catalog-level.ts'
import type { EntryChange } from './facet-counters.ts'

const MESSAGE_ID = 'email.message-id'

/** 8 MiB: of 5 million ids one new one in a hundred is taken for known, and asked about; of more ids, more. */
const BITS = 1 << 26
const PROBES = 3
/** Keys read at once; the event loop waits as long as that takes, about a millisecond. */
const CHUNK_KEYS = 1000

/**
 * The Message-IDs of current objects, as a Bloom filter, which is sure of one that is not there: most mail is new, and need
 * not be looked for in the index. What is folded is noted as it comes; what was there before is read from the index at the
 * first question, and until that is done nothing is sure. What goes is not forgotten before the next start.
 *
 *   NEW ──first question──▶ READING ──end of the index──▶ SURE
 *                              └──an error──▶ UNSURE (for the rest of this run)
 */
export class MessageIds {
  readonly #database: CatalogLevel
  readonly #words = new Uint32Array(BITS / 32)
  #isSure = false
  #reading: Promise<void> | undefined

  constructor(database: CatalogLevel) {
    this.#database = database
  }

  /** To be told before the changes can be read from the catalog. */
  note(changes: readonly EntryChange[]): void {
    for (const { after } of changes)
      for (const id of scalarsOf(after?.stat.attributes[MESSAGE_ID] ?? [])) this.#add(indexed(id))
  }

  /** True when no current object has it for certain; to be asked while the index is whole. */
  lack(id: string): boolean {
    this.#reading ??= this.#read().catch(() => undefined)
    return this.#isSure && !probesOf(indexed(id)).every((bit) => this.#has(bit))
  }

  async #read(): Promise<void> {
    const keys = this.#database.keys(prefixRange(indexPrefix('values', MESSAGE_ID)))
    try {
      for (let chunk = await keys.nextv(CHUNK_KEYS); chunk.length > 0; chunk = await keys.nextv(CHUNK_KEYS))
        for (const key of chunk) this.#add(indexText(key))
    } finally {
      await keys.close()
    }
    this.#isSure = true
  }

  #add(text: string): void {
    for (const bit of probesOf(text)) this.#words[bit >>> 5]! |= 1 << (bit & 31)
  }

  #has(bit: number): boolean {
    return (this.#words[bit >>> 5]! & (1 << (bit & 31))) !== 0
  }
}

/** As the index has it, which keeps the beginning of a long one. */
function indexed(id: Scalar): string {
  return indexedPart(typedText(id))
}

/** Two hashes (FNV-1a) make all of them (Kirsch and Mitzenmacher, 2006). */
function probesOf(text: string): readonly number[] {
  let one = 0x811c9dc5
  let other = 0x9747b28c
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    one = Math.imul(one ^ unit, 0x01000193)
    other = Math.imul(other ^ unit, 0x01000193) ^ (other >>> 15)
  }
  const step = other | 1
  return Array.from({ length: PROBES }, (_, probe) => ((one + Math.imul(probe, step)) >>> 0) % BITS)
}
