import {
  type ManagedPool,
  type ScrubClock,
  type ScrubCursor,
  type ScrubOptions,
  systemScrubClock,
} from '../pool/index.ts'
import type {
  IntegrityVerdict,
  OpenStore,
  ScrubProgress,
  ScrubReport,
  ScrubRequest,
  ScrubStatus,
  Sequence,
} from '../streams/index.ts'
import { serverOrigin } from './bootstrap.ts'
import { damagedVersions, type VersionSource } from './damaged-versions.ts'
import { ScrubNote } from './scrub-note.ts'
import { ScrubVerdicts } from './scrub-verdicts.ts'

export interface ScrubbingParts {
  readonly pool: Pick<ManagedPool, 'scrub' | 'position' | 'read'>
  readonly store: Pick<OpenStore, 'noteIntegrity'> & VersionSource
  /** Where the note is kept. */
  readonly file: string
  readonly log: {
    info(details: object, message: string): void
    warn(details: object, message: string): void
    error(details: object, message: string): void
  }
  readonly clock?: ScrubClock
  /** Milliseconds since 1970. */
  readonly time?: { now(): number }
}

const cured = { state: 'repaired', detail: 'a later scrub found nothing wrong' } as const

/** Records that a scrub looked at, each of them whole. */
interface Covered {
  readonly from: Sequence
  readonly to: Sequence
}

/** Of one that goes on in the middle of a payload, the next record is the first. */
function firstWholeIn(cursor: ScrubCursor | undefined): Sequence {
  if (cursor?.stage !== 'records') return 1
  return cursor.payload > 0 || cursor.offset > 0 ? cursor.sequence + 1 : cursor.sequence
}

const saveMs = 10_000
const lookMs = 60_000
const hourMs = 3_600_000

/** Scrubs of the pool that is served: one at a time, noted where they are, and their findings put to the objects. */
export class Scrubbing {
  readonly #parts: ScrubbingParts
  readonly #note: ScrubNote
  readonly #time: { now(): number }
  readonly totals = { bytes: 0, repaired: 0, damaged: 0 }
  #progress: ScrubProgress | undefined
  #running: { readonly stop: AbortController; readonly done: Promise<unknown> } | undefined
  #isClosed = false
  #timer: NodeJS.Timeout | undefined

  constructor(parts: ScrubbingParts) {
    this.#parts = parts
    this.#note = new ScrubNote(parts.file)
    this.#time = parts.time ?? Date
  }

  get status(): ScrubStatus {
    const { cursor, finished } = this.#note.read(this.#parts.pool.position.pool)
    return {
      running: this.#running !== undefined,
      progress: this.#progress ?? null,
      resumable: cursor !== undefined,
      finished: finished === undefined ? null : new Date(finished).toISOString(),
    }
  }

  /** Resolves when it has finished, or was stopped. ERR_BUSY while another one runs. */
  async run(request: ScrubRequest = {}): Promise<ScrubReport> {
    const { pool, clock = systemScrubClock } = this.#parts
    const stop = new AbortController()
    if (this.#isClosed) stop.abort()
    const run = this.#run({ clock, signal: stop.signal, ...this.#note.optionsFor(pool.position.pool, request) })
    if (!this.#running) {
      this.#running = { stop, done: run.catch(() => {}) }
      void this.#running.done.then(() => {
        this.#running = undefined
        this.#progress = undefined
      })
    }
    return await run
  }

  async #run(options: ScrubOptions): Promise<ScrubReport> {
    const { pool, log } = this.#parts
    const verdicts = new ScrubVerdicts()
    const covered = { from: firstWholeIn(options.cursor), to: pool.position.sequence }
    let bytes = 0
    let saved = this.#time.now()
    const onProgress = async (progress: ScrubProgress) => {
      this.#progress = progress
      this.totals.bytes += progress.bytesVerified - bytes
      bytes = progress.bytesVerified
      if (progress.cursor.stage === 'records') await this.#tell(verdicts, progress.cursor.sequence)
      if (this.#time.now() - saved < saveMs) return
      saved = this.#time.now()
      await this.#save(progress.cursor)
    }
    const report = await pool.scrub({
      ...options,
      onProgress,
      onFinding: (outcome, finding) => {
        this.totals[outcome]++
        verdicts.take(outcome, finding)
      },
    })
    this.totals.bytes += report.bytesVerified - bytes
    const { finished, cursor, repairedCount: repaired, damagedCount: damaged } = report
    await this.#tell(verdicts, cursor?.stage === 'records' ? cursor.sequence : Number.POSITIVE_INFINITY)
    if (finished) await this.#tellCured(verdicts, covered)
    await this.#save(cursor)
    const level = damaged > 0 ? 'error' : repaired > 0 ? 'warn' : 'info'
    log[level](
      { finished, repaired, damaged, bytes: report.bytesVerified },
      finished ? 'the pool is scrubbed' : 'a scrub was stopped',
    )
    return report
  }

  async #tell(verdicts: ScrubVerdicts, before: number): Promise<void> {
    for (const verdict of verdicts.before(before)) await this.#put(verdict)
  }

  /** A verdict that cannot be stored, as on a full pool, is in the report and the log all the same. */
  async #put(verdict: Omit<IntegrityVerdict, 'time'>): Promise<void> {
    const { store, log } = this.#parts
    const time = new Date(this.#time.now()).toISOString()
    await store
      .noteIntegrity(serverOrigin, { ...verdict, time })
      .catch((error: unknown) => log.error({ err: error, ...verdict }, 'a verdict could not be stored'))
  }

  /**
   * Versions that an earlier scrub called damaged, and of which this one, which looked at all of them, found nothing
   * wrong: a device was replaced, or came to itself. Each is read besides, for damage elsewhere may have hidden it from
   * the scrub.
   */
  async #tellCured(verdicts: ScrubVerdicts, { from, to }: Covered): Promise<void> {
    const { store, log } = this.#parts
    try {
      for await (const sequence of damagedVersions(store, serverOrigin)) {
        const isCovered = sequence >= from && sequence <= to && !verdicts.isDamaged(sequence)
        if (isCovered && (await this.#isReadable(sequence))) await this.#put({ sequence, ...cured })
      }
    } catch (error) {
      log.error({ err: error }, 'what is damaged no longer could not be looked up')
    }
  }

  async #isReadable(sequence: Sequence): Promise<boolean> {
    try {
      for await (const _ of this.#parts.pool.read(sequence, 0));
      return true
    } catch {
      return false
    }
  }

  async #save(cursor: ScrubReport['cursor']): Promise<void> {
    const { pool, log } = this.#parts
    await this.#note
      .write(pool.position.pool, cursor, this.#time.now())
      .catch((error: unknown) => log.warn({ err: error }, 'where the scrub is could not be noted'))
  }

  /** Scrubs whenever the last one that finished is so many hours past; one that was stopped is gone on with. */
  every(hours: number, bytesPerSecond: number): void {
    if (hours === 0) return
    const look = () => {
      const { finished = 0 } = this.#note.read(this.#parts.pool.position.pool)
      if (this.#running || this.#time.now() - finished < hours * hourMs) return
      this.run({ bytesPerSecond, resume: true }).catch((error: unknown) =>
        this.#parts.log.error({ err: error }, 'a scrub failed'),
      )
    }
    this.#timer = setInterval(look, lookMs).unref()
    look()
  }

  /** When the last one finished, in seconds since 1970; 0 for never. */
  get finishedSeconds(): number {
    return (this.#note.read(this.#parts.pool.position.pool).finished ?? 0) / 1000
  }

  /** Resolves when none runs any more. It can be gone on with. */
  async stop(): Promise<void> {
    this.#running?.stop.abort()
    await this.#running?.done
  }

  /** Stops, and begins none any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.stop()
  }
}
