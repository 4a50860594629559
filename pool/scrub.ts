import type { Checkpoint } from './checkpoint.ts'
import type { Sequence } from './contract.ts'
import type { Core } from './core.ts'
import { PoolError } from './errors.ts'
import type { Journal } from './journal.ts'
import type { Pages } from './pages.ts'
import type { Reader } from './reader.ts'
import type { Releases } from './releases.ts'
import type { ScrubGround } from './scrub-copies.ts'
import { MemberScrub } from './scrub-members.ts'
import { Pace, type ScrubClock, systemScrubClock } from './scrub-pace.ts'
import { PageScrub } from './scrub-pages.ts'
import {
  type FindingTaker,
  readCursor,
  type ScrubCursor,
  type ScrubProgress,
  ScrubRecord,
  type ScrubReport,
} from './scrub-report.ts'
import { type From, SegmentScrub } from './scrub-segment.ts'
import { freeUnnamed, tellKept } from './scrub-space.ts'
import type { Segment } from './segment.ts'
import type { Guard } from './superblock.ts'
import type { Suspects } from './suspects.ts'

export interface ScrubOptions {
  /** Of an earlier scrub that did not finish. */
  readonly cursor?: ScrubCursor
  readonly bytesPerSecond?: number
  readonly clock?: ScrubClock
  /** Ends it early, with the cursor to go on from. */
  readonly signal?: AbortSignal
  /** Called between two pieces; the scrub waits for it. */
  readonly onProgress?: (progress: ScrubProgress) => void | Promise<void>
  readonly onFinding?: FindingTaker
  readonly findingsMax?: number
}

/** What of an open pool a scrub works on. */
export interface ScrubParts {
  readonly core: Core
  readonly guard: Guard
  readonly epoch: number
  readonly journal: Journal
  readonly reader: Reader
  readonly releases: Releases
  readonly checkpoint: Checkpoint
  readonly pages: Pages
}

/** What fails in a task that it is given halts the pool. */
export type Guarded = (task: () => Promise<void>) => Promise<void>

const PAGES_AT_ONCE = 64

/**
 * Verifies every copy of everything, while commits go on, and repairs what is right on another copy.
 *
 *   members (guards, rings) ─▶ pages, level by level ─▶ records in order, and what they own ─▶ units that nothing names
 *
 * It goes as far as the last record that was durable when it began; what came later was written a moment ago. Whatever
 * it finds, it goes on to the end. Between two pieces it may be stopped, and gone on with from its cursor, by this
 * process or a later one.
 */
export class Scrub {
  readonly #parts: ScrubParts
  readonly #options: ScrubOptions
  readonly #guarded: Guarded
  readonly #record: ScrubRecord
  readonly #ground: ScrubGround
  readonly #pace: Pace
  readonly #bytesTotal: number
  #cursor: ScrubCursor
  #paced = 0
  /** Nothing may be freed: damage, or an earlier run, hides what is named. */
  #isUncertain: boolean

  constructor(parts: ScrubParts, options: ScrubOptions, guarded: Guarded) {
    const { core } = parts
    this.#parts = parts
    this.#options = options
    this.#guarded = guarded
    this.#record = new ScrubRecord(options.onFinding, options.findingsMax)
    this.#ground = { core, record: this.#record, flush: () => guarded(() => core.device.flush()) }
    this.#pace = new Pace(options.clock ?? systemScrubClock, options.bytesPerSecond)
    this.#bytesTotal = bytesOf(parts)
    this.#cursor = startOf(options.cursor)
    this.#isUncertain = options.cursor !== undefined
  }

  async run(): Promise<ScrubReport> {
    const { core, journal } = this.#parts
    const goal = journal.nextSequence
    const suspects = core.allocator.suspectAll()
    try {
      await this.#between(this.#cursor)
      if (this.#cursor.stage === 'members') await this.#members(this.#cursor.member)
      if (this.#cursor.stage === 'pages') await this.#pages(this.#cursor)
      if (this.#cursor.stage === 'records') await this.#records(this.#cursor, goal, suspects)
      await this.#space(suspects, goal)
      return this.#record.report(null)
    } catch (error) {
      if (error instanceof Stopped) return this.#record.report(this.#cursor)
      throw error
    } finally {
      core.allocator.suspectNothing(suspects)
    }
  }

  async #members(from: number): Promise<void> {
    const { core, guard } = this.#parts
    const { members } = core
    const scrub = new MemberScrub(this.#ground, guard)
    for (let number = from; number < members.all.length; number++) {
      const member = members.all[number]!
      const failure = member.isInSync ? await members.exclusively(() => scrub.run(member)) : undefined
      if (failure && member.isInSync && members.isSpare(member))
        await this.#guarded(() => members.drop(member, failure))
      await this.#between({ stage: 'members', member: number + 1 })
    }
    this.#cursor = { stage: 'pages', level: 0, index: 0 }
  }

  async #pages(from: { level: number; index: number }): Promise<void> {
    const { checkpoint, pages } = this.#parts
    const scrub = new PageScrub(this.#ground, pages)
    for (let { level, index } = from; level < scrub.levels; level++, index = 0) {
      for (;;) {
        const next = await checkpoint.holding(() => scrub.run(level, index, PAGES_AT_ONCE))
        if (scrub.wantsCheckpoint) await this.#guarded(() => checkpoint.run())
        scrub.checkpointed()
        await this.#between({ stage: 'pages', level, index: next ?? Number.MAX_SAFE_INTEGER })
        if (next === undefined) break
        index = next
      }
    }
    this.#cursor = { stage: 'records', sequence: 1, payload: 0, offset: 0 }
  }

  async #records(from: From, goal: Sequence, suspects: Suspects): Promise<void> {
    const { core } = this.#parts
    const scrub = new SegmentScrub(this.#ground, this.#parts, {
      named: (unit) => suspects.clear(unit),
      lost: () => {
        this.#isUncertain = true
      },
      passed: (sequence) => this.#between({ stage: 'records', sequence, payload: 0, offset: 0 }),
      between: ({ sequence, payload }, offset) => this.#between({ stage: 'records', sequence, payload, offset }),
    })
    let last = -1
    let next = from.sequence
    for (;;) {
      const segment = segmentAfter(core.segments.all, next, last)
      if (!segment || segment.firstSequence > goal || (next >= goal && segment.ordinal <= last)) return
      next = Math.max(next, await scrub.run(segment, next === from.sequence ? from : beginningOf(next)))
      last = segment.ordinal
    }
  }

  async #space(suspects: Suspects, goal: Sequence): Promise<void> {
    if (this.#options.cursor !== undefined) return
    if (this.#isUncertain) tellKept(this.#parts.core, suspects, this.#record)
    else await this.#guarded(() => freeUnnamed(this.#parts, suspects, goal, this.#record))
  }

  /** Everything before `cursor` was looked at, and nothing of it is needed any more. */
  async #between(cursor: ScrubCursor): Promise<void> {
    const { signal, onProgress } = this.#options
    this.#cursor = cursor
    const { records, bytesVerified, repaired, damaged } = this.#record
    await onProgress?.({ cursor, records, bytesVerified, bytesTotal: this.#bytesTotal, repaired, damaged })
    await this.#pace.after(bytesVerified - this.#paced, signal)
    this.#paced = bytesVerified
    if (signal?.aborted) throw new Stopped()
  }
}

/** Ends a scrub early. */
class Stopped extends Error {}

function startOf(cursor: ScrubCursor | undefined): ScrubCursor {
  if (cursor === undefined) return { stage: 'members', member: 0 }
  const known = readCursor(cursor)
  if (!known) throw new PoolError('ERR_LIMITS', 'this is no place for a scrub to go on from')
  return known
}

const beginningOf = (sequence: Sequence): From => ({ sequence, payload: 0, offset: 0 })

/** The segment that holds `next`, or one without records that follows `last`. Compaction may have changed them all. */
function segmentAfter(segments: readonly Segment[], next: Sequence, last: number): Segment | undefined {
  return segments.find(({ nextSequence, ordinal }) => nextSequence > next || (nextSequence === next && ordinal > last))
}

/** What there is to be read, roughly. */
function bytesOf({ core, pages }: ScrubParts): number {
  const { zones, segments, allocator, device } = core
  const blocks = segments.all.reduce((sum, { blocks, regions }) => sum + blocks * regions.length, 0)
  const pageBlocks = pages.levels.flat().filter(({ block }) => block > 0).length
  const bytes = (blocks + pageBlocks) * zones.blockBytes + allocator.committedUnits * zones.unitBytes
  return bytes * device.copies
}
