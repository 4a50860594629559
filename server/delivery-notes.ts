import type { Delivery, DeliveryProgress, Timers } from '../streams/index.ts'

export interface NotesLimits {
  /** How long what was delivered may stay unnoted: that long it would be sent again after a crash. */
  readonly noteMsMax: number
  /** Records of one delivery that may. */
  readonly noteRecordsMax: number
}

export const NOTES_LIMITS: NotesLimits = { noteMsMax: 10_000, noteRecordsMax: 1000 }

export interface NotesOptions {
  readonly note: (progress: DeliveryProgress) => Promise<void>
  readonly timers: Timers
  readonly limits: NotesLimits
  readonly log: { warn(details: object, message: string): void }
}

/**
 * Notes the progress of deliveries now and then, so that their notes are few beside the records that they are about:
 * never more than one for each record delivered, and of a busy one a thousandth.
 */
export class DeliveryNotes {
  readonly #options: NotesOptions
  readonly #due = new Set<Delivery>()
  #callOff: (() => void) | undefined
  #noting: Promise<void> = Promise.resolve()
  /** The last note could not be made: the next one is made no sooner than it is due. */
  #hasFailed = false

  constructor(options: NotesOptions) {
    this.#options = options
  }

  /** There is something to be noted of it. */
  tell(delivery: Delivery): void {
    const { timers, limits } = this.#options
    this.#due.add(delivery)
    if (delivery.unnoted >= limits.noteRecordsMax && !this.#hasFailed) void this.flush().catch(() => {})
    else this.#callOff ??= timers.after(limits.noteMsMax, () => void this.flush().catch(() => {}))
  }

  /** Resolves when everything is noted that was told before; rejects with the first that could not be: it is tried again. */
  flush(): Promise<void> {
    this.#callOff?.()
    this.#callOff = undefined
    const flushed = this.#noting.then(() => this.#noteAll())
    this.#noting = flushed.catch(() => {})
    return flushed
  }

  /** Calls off what is to come. */
  close(): void {
    this.#callOff?.()
    this.#due.clear()
  }

  async #noteAll(): Promise<void> {
    const due = [...this.#due]
    this.#due.clear()
    const outcomes = await Promise.allSettled(due.map((delivery) => this.#note(delivery)))
    const failure = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failure) throw failure.reason
  }

  /** All of one flush go into the pool's next batch together. */
  async #note(delivery: Delivery): Promise<void> {
    const progress = delivery.takeProgress()
    if (progress === undefined) return
    try {
      await this.#options.note(progress)
      this.#hasFailed = false
    } catch (error) {
      delivery.putBack(progress)
      if (!this.#hasFailed)
        this.#options.log.warn({ err: error, subscription: progress.id }, 'a delivery could not be noted')
      this.#hasFailed = true
      this.tell(delivery)
      throw error
    }
  }
}
