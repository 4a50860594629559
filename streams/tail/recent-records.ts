import type { Sequence } from '../../pool/index.ts'
import { StoreError } from '../errors.ts'
import type { AttributeRecord } from '../records/record.ts'

/** A record, and how many bytes it has as stored. */
export interface SizedRecord {
  readonly record: AttributeRecord
  readonly bytes: number
}

export interface RecentBounds {
  readonly recentRecordsMax: number
  /** Of the records as stored. */
  readonly recentBytesMax: number
}

/**
 * The records applied last, once for everybody who follows the stream, and the bell that wakes them. However many
 * follow, and however slow they are, no more than the bounds is kept: who has fallen further behind reads the pool.
 */
export class RecentRecords {
  readonly #bounds: RecentBounds
  readonly #waiting = new Set<() => void>()
  #records: SizedRecord[] = []
  /** Index of the first that is kept: those before are cut off now and then, together. */
  #start = 0
  #bytes = 0
  #forgotten: Sequence
  #last: Sequence
  #isClosed = false

  /** `last` is the end of the stream as it was opened: what lies before it is in the pool only. */
  constructor(bounds: RecentBounds, last: Sequence) {
    this.#bounds = bounds
    this.#forgotten = last
    this.#last = last
  }

  /** The last record of the store that may be told of: it is durable, and so is every one before it. */
  get last(): Sequence {
    return this.#last
  }

  /** In the order of the stream. */
  add(records: readonly SizedRecord[]): void {
    for (const sized of records) {
      this.#records.push(sized)
      this.#bytes += sized.bytes
      this.#last = sized.record.sequence
    }
    this.#forget()
    this.#ring()
  }

  /** The first `count` records after `sequence`; undefined when some of them are kept no more. */
  after(sequence: Sequence, count: number): readonly SizedRecord[] | undefined {
    if (sequence < this.#forgotten) return undefined
    const index = this.#indexAfter(sequence)
    return this.#records.slice(index, index + count)
  }

  /** Resolves once there is a record after `sequence`, or `signal` is aborted. ERR_HALTED when the store closes. */
  async changed(sequence: Sequence, signal: AbortSignal): Promise<void> {
    while (this.#last <= sequence && !signal.aborted) {
      if (this.#isClosed) throw new StoreError('ERR_HALTED', 'the store is closed')
      await this.#rung(signal)
    }
  }

  /** Wakes whoever waits, for the last time. */
  close(): void {
    this.#isClosed = true
    this.#ring()
  }

  #indexAfter(sequence: Sequence): number {
    let low = this.#start
    let high = this.#records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#records[middle]!.record.sequence <= sequence) low = middle + 1
      else high = middle
    }
    return low
  }

  #forget(): void {
    const { recentRecordsMax, recentBytesMax } = this.#bounds
    while (this.#records.length - this.#start > recentRecordsMax || this.#bytes > recentBytesMax) {
      const { record, bytes } = this.#records[this.#start]!
      this.#forgotten = record.sequence
      this.#bytes -= bytes
      this.#start += 1
    }
    if (this.#start * 2 <= this.#records.length) return
    this.#records = this.#records.slice(this.#start)
    this.#start = 0
  }

  #ring(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  #rung(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
  }
}
