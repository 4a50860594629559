import type { CommitQueue } from './commit-queue.ts'
import type { Compacted, Compaction } from './compaction.ts'
import type { Core } from './core.ts'
import { Mutex } from './io.ts'
import type { Journal, JournalPosition } from './journal.ts'
import type { Pages } from './pages.ts'
import type { Releases } from './releases.ts'
import type { Regions } from './segment.ts'

/** The state between two batches, copied. */
interface Captured {
  readonly position: JournalPosition
  readonly pages: ReadonlyMap<number, Buffer>
  readonly freed: ReturnType<Releases['takeFreed']>
  readonly emptied: readonly Regions[]
}

/**
 * Saves what recovery would otherwise work out again from the journal: which units are owned, and how much of each
 * segment lives. The journal itself is not copied: it is where its records stay.
 *
 * 1. The state saved is that of one moment between two batches, every release before it worked through.
 * 2. Pages go to free blocks and are flushed before the superblock that names them is written.
 * 3. Only when that superblock is durable may anything be given out that the one before still knows.
 *
 * If power fails before (2) ends, the superblock before is in force and everything it knows is untouched.
 */
export class Checkpoint {
  readonly #core: Core
  readonly #journal: Journal
  readonly #queue: CommitQueue
  readonly #releases: Releases
  readonly #compaction: Compaction
  readonly #pages: Pages
  readonly #turn = new Mutex()
  count = 0

  constructor(parts: {
    core: Core
    journal: Journal
    queue: CommitQueue
    releases: Releases
    compaction: Compaction
    pages: Pages
  }) {
    this.#core = parts.core
    this.#journal = parts.journal
    this.#queue = parts.queue
    this.#releases = parts.releases
    this.#compaction = parts.compaction
    this.#pages = parts.pages
  }

  /** True when the journal or the releases have grown enough since the last one. */
  get isDue(): boolean {
    const { checkpointBytesMax, checkpointRecordsMax, releasesMax } = this.#core.tuning
    const { bytes, records } = this.#journal.sinceCheckpoint
    return bytes >= checkpointBytesMax || records >= checkpointRecordsMax || this.#releases.count >= releasesMax
  }

  get isDirty(): boolean {
    return this.#journal.lsn !== this.#core.members.superblock.checkpointLsn || this.#releases.count > 0
  }

  /** True when a checkpoint now would give space back. */
  get wouldFree(): boolean {
    return this.#releases.count > 0 || this.#compaction.isWorthwhile
  }

  /** Runs `task` while no checkpoint is written and no batch. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return this.#turn.run(() => this.#queue.exclusively(task))
  }

  /** Runs `task` while no checkpoint is written; commits go on. */
  holding<T>(task: () => Promise<T>): Promise<T> {
    return this.#turn.run(task)
  }

  /** `clean` says that nothing follows: the pool is being closed. */
  run(clean = false): Promise<void> {
    return this.#turn.run(() => this.#run(clean))
  }

  async #run(clean: boolean): Promise<void> {
    await this.#releases.settle()
    const compacted = await this.#compaction.run()
    const captured = await this.#queue.exclusively(() => this.#capture(compacted))
    if (this.#core.mutations.has('reuse-segment-before-superblock')) this.#giveBack(captured.emptied)
    const root = await this.#pages.write(captured.pages)
    await this.#journal.flush()
    await this.#core.members.update((superblock) => ({
      ...superblock,
      checkpointLsn: captured.position.lsn,
      checkpointRegion: captured.position.region,
      chain: captured.position.chain,
      nextSequence: captured.position.nextSequence,
      knownDurableLsn: this.#journal.durableLsn,
      cleanEndLsn: clean ? captured.position.lsn : 0,
      pages: root,
    }))
    this.#pages.retire()
    if (!this.#core.mutations.has('reuse-segment-before-superblock')) this.#giveBack(captured.emptied)
    this.#releases.recycle(captured.freed)
    this.count++
  }

  async #capture(compacted: readonly Compacted[]): Promise<Captured> {
    await this.#releases.settle()
    this.#compaction.adopt(compacted)
    return {
      position: this.#journal.position,
      pages: new Map([...this.#core.allocator.takeDirtyPages(), ...this.#core.segments.takeDirtyPages()]),
      freed: this.#releases.takeFreed(),
      emptied: compacted.flatMap(({ old }) => old.map(({ regions }) => regions)),
    }
  }

  #giveBack(emptied: readonly Regions[]): void {
    const { segments, allocator } = this.#core
    for (const regions of emptied) segments.whenUnpinned(regions[0]!, () => allocator.giveBack(regions))
  }
}
