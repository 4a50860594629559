import type { Sequence } from '../../pool/index.ts'
import type { Origin } from '../envelope.ts'
import { type ShownRecord, shown } from '../records/shown-record.ts'
import type { SizedRecord } from './recent-records.ts'
import type { RecordTest } from './record-query.ts'

/** Some records of a stream, in order. */
export interface TailPage {
  /** Those that may be seen and are asked for; a page may have none. */
  readonly records: readonly ShownRecord[]
  /** Goes on after this sequence; it is a place in the stream for ever. */
  readonly next: Sequence
  /** There was nothing more when the page was made. */
  readonly upToDate: boolean
}

/** Records looked at for one page, asked for or not, and their bytes as stored. */
export const PAGE_RECORDS_MAX = 1000
export const PAGE_BYTES_MAX = 1 << 20

/** A page as it fills: what is looked at counts, whether it is shown or not, so that every page comes to an end. */
export class TailPageBuilder {
  readonly #origin: Origin
  readonly #test: RecordTest
  readonly #records: ShownRecord[] = []
  #looked = 0
  #bytes = 0

  constructor(origin: Origin, test: RecordTest) {
    this.#origin = origin
    this.#test = test
  }

  get isFull(): boolean {
    return this.#looked >= PAGE_RECORDS_MAX || this.#bytes >= PAGE_BYTES_MAX
  }

  take({ record, bytes }: SizedRecord): void {
    this.pass(bytes)
    const view = shown(record, this.#origin)
    if (view && this.#test(record)) this.#records.push(view)
  }

  /** Counts a record that is none of ours. */
  pass(bytes: number): void {
    this.#looked += 1
    this.#bytes += bytes
  }

  page(next: Sequence, upToDate: boolean): TailPage {
    return { records: this.#records, next, upToDate }
  }
}
