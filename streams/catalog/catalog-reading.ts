import type { Sequence } from '../../pool/index.ts'
import { StoreError } from '../errors.ts'
import { type KeyRange, keyIn, lastElement, POSITION_KEY } from './catalog-keys.ts'
import { type CatalogLevel, type StoredPosition, startOf } from './catalog-level.ts'
import { type ReadObserver, Scan, type ScanOptions, type Snapshot } from './catalog-scan.ts'
import { percentOf, progressOf } from './index-state.ts'

/** The catalog at one moment: what one page, plan or count is made of. */
export class Reading {
  readonly #database: CatalogLevel
  readonly #snapshot: Snapshot
  readonly #observe: ReadObserver
  readonly #position: Promise<StoredPosition>

  constructor(database: CatalogLevel, observe: ReadObserver) {
    this.#database = database
    this.#snapshot = database.snapshot()
    this.#observe = observe
    this.#position = this.#storedPosition()
    this.#position.catch(() => undefined) // Whoever asks for it is told.
  }

  scan(range: KeyRange, options?: ScanOptions): Scan {
    return new Scan(this.#database, range, this.#snapshot, this.#observe, options)
  }

  /** Where the fold was. */
  position(): Promise<StoredPosition> {
    return this.#position
  }

  async sequence(): Promise<Sequence> {
    return (await this.position()).sequence
  }

  async #storedPosition(): Promise<StoredPosition> {
    const text = await this.#database.get(POSITION_KEY, { snapshot: this.#snapshot })
    return text === undefined ? startOf('') : (JSON.parse(text) as StoredPosition)
  }

  /** Whether every current entry is in the index. */
  async isIndexWhole(): Promise<boolean> {
    return (await this.position()).index.phase === 'whole'
  }

  /** Why what needs the index cannot be done. */
  async noIndex(what: string): Promise<StoreError> {
    const { index, objects } = await this.position()
    const percent = percentOf(progressOf(index, objects))
    return new StoreError('ERR_BUSY', `the index is being made anew (${percent} % is there), and ${what}`)
  }

  get(key: string): Promise<string | undefined> {
    return this.#database.get(key, { snapshot: this.#snapshot })
  }

  /** Which of the keys are there. */
  hasMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return this.#database.hasMany([...keys], { snapshot: this.#snapshot })
  }

  /** Bytes of the tables, not of what is in memory still. */
  bytesOf({ gte, lt }: KeyRange): Promise<number> {
    return this.#database.approximateSize(gte, lt)
  }

  /** The entries, as stored, that index keys lead to. */
  async entryTexts(keys: readonly string[]): Promise<readonly string[]> {
    const options = { snapshot: this.#snapshot }
    const objects = keys.map((key) => keyIn('n', lastElement(key)))
    const names = await this.#database.getMany(objects, options)
    const texts = await this.#database.getMany(
      names.map((name) => `c${found(name)}`),
      options,
    )
    return texts.map(found)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#position.catch(() => undefined)
    await this.#snapshot.close()
  }
}

/** The index holds keys of current entries only (catalog-fold.ts). */
function found(value: string | undefined): string {
  if (value === undefined) throw new StoreError('ERR_CORRUPT', 'the index of the catalog leads to no object')
  return value
}
