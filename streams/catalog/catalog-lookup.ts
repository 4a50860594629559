import type { RecentHeads } from './catalog-heads.ts'
import type { CatalogLevel } from './catalog-level.ts'

interface Asked {
  readonly key: string
  readonly resolve: (text: string | undefined) => void
  readonly reject: (error: unknown) => void
}

/**
 * Looks up current entries. While one lookup is underway the next gathers, so that many names asked for at once cost
 * one call of `level` together. What is found is remembered, and so is that nothing was.
 */
export class CatalogLookup {
  readonly #database: CatalogLevel
  readonly #heads: RecentHeads
  #asked: Asked[] = []
  #isRunning = false

  constructor(database: CatalogLevel, heads: RecentHeads) {
    this.#database = database
    this.#heads = heads
  }

  /** The entry as stored; undefined for a name that is not bound. */
  async get(key: string): Promise<string | undefined> {
    const known = this.#heads.get(key)
    if (known !== undefined) return known ?? undefined
    return await new Promise((resolve, reject) => {
      this.#asked.push({ key, resolve, reject })
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#asked.length > 0) {
      const asked = this.#asked
      this.#asked = []
      await this.#lookUp(asked)
    }
    this.#isRunning = false
  }

  async #lookUp(asked: readonly Asked[]): Promise<void> {
    const { ages } = this.#heads
    try {
      const texts = await this.#database.getMany(asked.map(({ key }) => key))
      asked.forEach(({ key, resolve }, index) => {
        const text = texts[index]
        this.#heads.learn(key, text ?? null, ages)
        resolve(text)
      })
    } catch (error) {
      for (const { reject } of asked) reject(error)
    }
  }
}
