/** Entries kept of those last written. */
const HEADS_MAX = 10_000
/** Characters kept of their keys and texts. */
const CHARACTERS_MAX = 16 << 20

/** The current entries last written or changed, as stored, by current key: least recently used ones leave first. */
export class RecentHeads {
  readonly #texts = new Map<string, string>()
  readonly #headsMax: number
  readonly #charactersMax: number
  #characters = 0

  constructor(headsMax = HEADS_MAX, charactersMax = CHARACTERS_MAX) {
    this.#headsMax = headsMax
    this.#charactersMax = charactersMax
  }

  get(key: string): string | undefined {
    const text = this.#texts.get(key)
    if (text === undefined) return undefined
    this.#texts.delete(key)
    this.#texts.set(key, text)
    return text
  }

  /** What is stored under `key` from now on; undefined for nothing. */
  set(key: string, text: string | undefined): void {
    this.#remove(key)
    if (text === undefined) return
    this.#texts.set(key, text)
    this.#characters += key.length + text.length
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= this.#headsMax && this.#characters <= this.#charactersMax) return
      this.#remove(oldest)
    }
  }

  clear(): void {
    this.#texts.clear()
    this.#characters = 0
  }

  #remove(key: string): void {
    const text = this.#texts.get(key)
    if (text === undefined) return
    this.#texts.delete(key)
    this.#characters -= key.length + text.length
  }
}
