import type { PoolRecord } from '../../pool/index.ts'
import type { AttributeRecord } from '../records/record.ts'
import { decodeRecord, digestOf, encodeRecord } from '../records/record-codec.ts'
import { about, difference, type Report } from './finding.ts'

export interface Looked {
  /** Undefined for what is no record. */
  readonly record?: AttributeRecord
  readonly digest: string
}

/** Whether records are in the one form that they may have, at their places, and each on the chain of the partition. */
export class RecordCheck {
  readonly #report: Report
  /** Of the record before; undefined when that is not known. */
  #previous: string | undefined = ''
  #time = 0
  #count = 0

  constructor(report: Report) {
    this.#report = report
  }

  get count(): number {
    return this.#count
  }

  /** Checks the next record of the stream. */
  take({ sequence, content }: PoolRecord): Looked {
    this.#count += 1
    const digest = digestOf(content)
    const previous = this.#previous
    this.#previous = digest
    try {
      const record = decodeRecord(content)
      if (!encodeRecord(record).equals(content)) throw new Error('it is not in canonical form')
      this.#compare(record, sequence, previous)
      return { record, digest }
    } catch (error) {
      this.#report({ code: 'RECORD_MALFORMED', detail: (error as Error).message, sequence })
      return { digest }
    }
  }

  /** Looks at a record that was, or will be, checked. */
  look({ content }: PoolRecord): Looked {
    const digest = digestOf(content)
    try {
      return { record: decodeRecord(content), digest }
    } catch {
      return { digest }
    }
  }

  /** Records before the next one were lost. */
  lose(): void {
    this.#previous = undefined
  }

  #compare(record: AttributeRecord, sequence: number, previous: string | undefined): void {
    const place = difference(sequence, record.sequence)
    if (place) this.#report({ ...about(record, 'RECORD_MISPLACED', 'it says another sequence', place), sequence })
    const chain = previous === undefined ? undefined : difference(previous, record.previous.partition)
    if (chain) this.#report(about(record, 'PARTITION_CHAIN', 'it does not follow the record before', chain))
    if (record.time < this.#time)
      this.#report(about(record, 'RECORD_TIME', 'it is older than the record before', timesOf(this.#time, record)))
    this.#time = record.time
  }
}

const timesOf = (before: number, { time }: AttributeRecord) => ({
  expected: `not before ${new Date(before).toISOString()}`,
  found: new Date(time).toISOString(),
})
