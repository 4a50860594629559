import type { Sequence } from '../../pool/index.ts'
import type { DeadLetter } from '../records/record.ts'
import {
  type FormatContext,
  RECORD_FORMATS,
  type RecordFormat,
  type RecordFormatName,
} from '../records/record-format.ts'
import type { ShownRecord } from '../records/shown-record.ts'
import { toStoreError } from '../store-errors.ts'
import type { TailPage } from '../tail/tail-page.ts'
import { Courier, messageIdOf } from './courier.ts'
import { DeliveryFigures } from './delivery-figures.ts'
import type { DeliveryLimits } from './delivery-limits.ts'
import type { Send } from './delivery-port.ts'
import { ProgressLedger } from './delivery-progress.ts'
import { DeliveryWindow, laneOf, type Parcel } from './delivery-window.ts'
import type { Timers } from './pauses.ts'
import { Revival } from './revival.ts'
import type { DeliveryProgress } from './subscription-changes.ts'
import type { SubscriptionHealth } from './subscription-port.ts'
import type { SubscriptionState } from './subscription-state.ts'

export interface DeliveryOptions {
  /** The stream as the subscription's application sees it now; throws when that may not. */
  readonly follow: (after: Sequence, signal: AbortSignal) => AsyncGenerator<TailPage>
  readonly send: Send
  readonly context: FormatContext
  readonly timers: Timers
  readonly clock: { now(): number }
  /** From 0 up to 1. */
  readonly random: () => number
  readonly limits: DeliveryLimits
  /** There is progress worth being noted. */
  readonly onProgress: () => void
}

/**
 * Delivers a stream to one subscriber, at least once and in order for each object.
 *
 *   stream ──▶ WAITING in its lane ──▶ SENDING ──accepted──▶ DELIVERED ──noted──▶ never sent again
 *                                       │   ▲
 *                                 in vain   a while later
 *                                       ▼   │
 *                                    BACKING OFF ──attemptsMax──▶ DEAD ──noted──▶ until somebody has it tried again
 *
 * 1. What is not noted is sent again after a crash: what is noted was accepted, or is a dead letter.
 * 2. An object's records are sent one after the other; one that is given up lets those after it go on.
 */
export class Delivery {
  readonly figures: DeliveryFigures
  readonly #options: DeliveryOptions
  readonly #format: RecordFormat
  readonly #window: DeliveryWindow
  readonly #ledger: ProgressLedger
  readonly #courier: Courier
  readonly #ending = new AbortController()
  readonly #tasks = new Set<Promise<void>>()
  readonly #revival: Revival

  constructor(state: SubscriptionState, options: DeliveryOptions) {
    const { limits, clock } = options
    this.#options = options
    this.#format = RECORD_FORMATS[state.registration.format as RecordFormatName]
    this.#window = new DeliveryWindow(state.after, limits)
    this.#ledger = new ProgressLedger(state)
    this.figures = new DeliveryFigures(clock)
    this.#revival = new Revival({
      follow: options.follow,
      room: () => this.#hasRoom(),
      add: (record) => this.#add(record, true),
      onFailure: (reason) => this.figures.stumbled(reason),
    })
    const { mediaType } = this.#format
    const onFailure = (parcel: Parcel, reason: string) => this.#fail(parcel, reason)
    this.#courier = new Courier({ ...options, messageId: messageIdOf(state.id), mediaType, onFailure })
  }

  /** Every record up to this one is settled, or none of its own. */
  get after(): Sequence {
    return this.#window.after
  }

  /** `idle` when nothing is under way, though there may be more to come. */
  get health(): SubscriptionHealth {
    const isFull = this.#ledger.dead.size >= this.#options.limits.deadLettersMax
    if (this.figures.isFailing) return isFull ? 'blocked' : 'failing'
    return this.#window.size > 0 ? 'delivering' : 'idle'
  }

  get deadLetters(): readonly DeadLetter[] {
    return [...this.#ledger.dead.values()].sort((left, right) => left.sequence - right.sequence)
  }

  /** Records settled whose progress is not noted. */
  get unnoted(): number {
    return this.#ledger.unnoted
  }

  start(): void {
    this.#run(this.#follow())
  }

  /** Tries the dead letters once more, and them alone. They stay what they are until they are delivered. */
  revive(): void {
    this.#run(this.#revival.revive(this.deadLetters.map(({ sequence }) => sequence)))
  }

  /** What is to be noted, if anything is worth it; then it is noted, or put back. */
  takeProgress(): DeliveryProgress | undefined {
    return this.#ledger.take(this.#window.after)
  }

  putBack(progress: DeliveryProgress): void {
    this.#ledger.putBack(progress)
  }

  /** Begins no attempt any more, and resolves when none is underway. */
  async close(): Promise<void> {
    const { timers, limits } = this.#options
    this.#ending.abort()
    this.#courier.end()
    this.#window.release()
    const callOff = timers.after(limits.closeMsMax, () => this.#courier.cut())
    while (this.#tasks.size > 0) await Promise.all(this.#tasks)
    callOff()
  }

  get #isEnding(): boolean {
    return this.#ending.signal.aborted
  }

  #run(work: Promise<void>): void {
    const task = work.finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  async #follow(): Promise<void> {
    for (let failures = 1; !this.#isEnding; failures++) {
      try {
        for await (const page of this.#options.follow(this.#window.read, this.#ending.signal)) {
          failures = 0
          this.figures.follows()
          await this.#takeIn(page)
        }
      } catch (error) {
        this.figures.stumbled(toStoreError(error).message)
      }
      await this.#courier.backOff(failures)
    }
  }

  async #takeIn({ records, next }: TailPage): Promise<void> {
    for (const record of records) {
      if (this.#format.tellsOf?.(record) === false) continue
      if (!(await this.#hasRoom())) return
      this.#add(record, false)
    }
    this.#window.pass(next)
    this.#tellProgress()
  }

  /** Waits for it; false when it ends before. */
  async #hasRoom(): Promise<boolean> {
    await this.#window.room()
    return !this.#isEnding
  }

  #add(record: ShownRecord, isRevived: boolean): void {
    const lane = laneOf(record)
    const body = this.#format.one(record, this.#options.context)
    const isWorthNote = isRevived || isNews(record)
    const parcel = { sequence: record.sequence, lane, body, isRevived, isWorthNote, attempts: 0 }
    if (this.#window.add(parcel)) this.#run(this.#drive(lane))
  }

  /** Delivers what is in a lane, one after the other, until it is empty. */
  async #drive(lane: string): Promise<void> {
    for (let parcel = this.#window.first(lane); parcel; parcel = this.#window.first(lane)) {
      const verdict = await this.#courier.deliver(parcel)
      if (verdict === undefined) return
      if (verdict === 'delivered') this.#ledger.delivered(parcel.sequence, parcel.isWorthNote)
      this.figures.settled(parcel, verdict)
      this.#revival.settled(parcel.sequence)
      this.#window.settle(parcel)
      this.#tellProgress()
    }
  }

  /** An attempt was in vain; whether it was the last. One that is a dead letter already takes no place of another. */
  #fail(parcel: Parcel, reason: string): boolean {
    const { attemptsMax, deadLettersMax } = this.#options.limits
    const { sequence, attempts, isRevived } = parcel
    const failure = this.figures.failed(parcel, reason)
    if (attempts < attemptsMax || (!isRevived && this.#ledger.dead.size >= deadLettersMax)) return false
    this.#ledger.buried({ sequence, attempts, ...failure })
    return true
  }

  #tellProgress(): void {
    if (this.#ledger.isWorthNoting(this.#window.after)) this.#options.onProgress()
  }
}

/**
 * A note is covered by a signed checkpoint as all records are. Were the delivery of that noted, too, notes and checkpoints
 * would follow one another without end where nothing else happens.
 */
function isNews({ operation }: ShownRecord): boolean {
  return operation !== 'checkpoint'
}
