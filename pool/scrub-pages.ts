import { crc32c } from './checksum.ts'
import type { Pages } from './pages.ts'
import { Copies, type Part, type ScrubGround } from './scrub-copies.ts'
import { kindOfBlocks } from './scrub-kind.ts'
import type { ScrubKind } from './scrub-report.ts'
import type { PageEntry } from './superblock.ts'

/**
 * Verifies the checkpoint's pages, a few at a time. One that is right on no copy is not lost: what it says is in memory
 * while the pool is open, so it is marked as changed, and the next checkpoint writes it, and what lies above it, anew
 * to other blocks.
 */
export class PageScrub {
  readonly #ground: ScrubGround
  readonly #pages: Pages
  #lost = 0

  constructor(ground: ScrubGround, pages: Pages) {
    this.#ground = ground
    this.#pages = pages
  }

  get levels(): number {
    return this.#pages.levels.length
  }

  /** True when a checkpoint has to write pages anew. */
  get wantsCheckpoint(): boolean {
    return this.#lost > 0
  }

  checkpointed(): void {
    this.#lost = 0
  }

  /**
   * While no checkpoint is written: verifies at most `pagesMax` pages of a level from `index` on. Resolves with the index
   * to go on from, or undefined at the level's end.
   */
  async run(level: number, index: number, pagesMax: number): Promise<number | undefined> {
    const entries = this.#pages.levels[level] ?? []
    let pages = 0
    for (let at = index; at < entries.length; at++) {
      if (pages === pagesMax) return at
      const entry = entries[at]!
      if (entry.block === 0) continue
      pages++
      await this.#page(level, at, entry)
    }
    return undefined
  }

  async #page(level: number, index: number, entry: PageEntry): Promise<void> {
    const { blockBytes } = this.#ground.core.zones
    const copies = new Copies(this.#ground, [entry.block * blockBytes], blockBytes)
    await copies.load()
    const part: Part = {
      start: 0,
      length: blockBytes,
      about: { subject: 'page' },
      isRight: (bytes) => crc32c(bytes) === entry.checksum,
      kindOf: (bytes) => this.#kindOf(bytes),
    }
    if (copies.verify(part)) return await copies.repair()
    this.#renew(this.#pages.leafOf(level, index))
    copies.tellRenewed(part, 'no copy was right: the next checkpoint writes it anew from memory')
  }

  #kindOf(bytes: Buffer): ScrubKind {
    const { pool, zones } = this.#ground.core
    const checksum = crc32c(bytes)
    const isOther = this.#pages.levels.some((entries) =>
      entries.some((one) => one.block > 0 && one.checksum === checksum),
    )
    if (isOther) return 'misdirected'
    return kindOfBlocks(bytes, { pool, blockBytes: zones.blockBytes }, () => 'misdirected')
  }

  #renew(leaf: number): void {
    const { zones, allocator, segments } = this.#ground.core
    const subject = zones.pageSubject(leaf)
    if ('unit' in subject) allocator.touchPage(leaf)
    else segments.touch(subject)
    this.#lost++
  }
}
