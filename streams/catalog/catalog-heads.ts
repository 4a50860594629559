/** Entries kept of those last written or read. */
const HEADS_MAX = 10_000
/** Characters kept of their keys and texts. */
const CHARACTERS_MAX = 16 << 20

type Known = string | null

/**
 * Current entries last written or asked for, as stored, by current key; null for a name known not to be bound, which is
 * what most uploads find. They are kept in two ages of half the bounds each: when the younger one is full, the older
 * one is dropped and the younger one takes its place.
 */
export class RecentHeads {
  readonly #headsMax: number
  readonly #charactersMax: number
  #younger = new Map<string, Known>()
  #older = new Map<string, Known>()
  #characters = 0
  #ages = 0

  constructor(headsMax = HEADS_MAX, charactersMax = CHARACTERS_MAX) {
    this.#headsMax = headsMax / 2
    this.#charactersMax = charactersMax / 2
  }

  /** How often the older age was dropped: what was known before the last time but one may be forgotten. */
  get ages(): number {
    return this.#ages
  }

  /** Undefined when it is not known here. */
  get(key: string): Known | undefined {
    const known = this.#younger.get(key)
    if (known !== undefined) return known
    const older = this.#older.get(key)
    if (older !== undefined) this.set(key, older)
    return older
  }

  /** A batch was written that leaves these. */
  written(heads: Iterable<readonly [string, string | undefined]>): void {
    for (const [key, text] of heads) this.set(key, text ?? null)
  }

  /**
   * What was read from the database while `ages` was as it is told. A batch that was written meanwhile knows better; what
   * it wrote is here, unless it is forgotten again.
   */
  learn(key: string, known: Known, ages: number): void {
    if (this.#ages - ages < 2 && !this.#younger.has(key) && !this.#older.has(key)) this.set(key, known)
  }

  /** One that is longer than an age may be is not kept, and nothing that was read before it is learned any more. */
  set(key: string, known: Known): void {
    this.#older.delete(key)
    const before = this.#younger.get(key)
    if (before !== undefined) this.#characters -= charactersOf(key, before)
    this.#younger.delete(key)
    const characters = charactersOf(key, known)
    if (characters > this.#charactersMax) {
      this.clear()
      return
    }
    this.#younger.set(key, known)
    this.#characters += characters
    if (this.#younger.size > this.#headsMax || this.#characters > this.#charactersMax) this.#age()
  }

  clear(): void {
    this.#age()
    this.#age()
  }

  #age(): void {
    this.#ages++
    this.#older = this.#younger
    this.#younger = new Map()
    this.#characters = 0
  }
}

const charactersOf = (key: string, known: Known): number => key.length + (known?.length ?? 0)
