import { createHash } from 'node:crypto'
import { crc32c, hasCode, type Pool } from '../../pool/index.ts'
import type { PutRecord } from '../records/record.ts'
import { about, difference, type Report } from './finding.ts'

/** Bytes between two reports of progress. */
const PROGRESS_BYTES = 64 << 20

/** Reads the bytes of versions, and compares them with what their records say. */
export class BytesCheck {
  readonly #pool: Pick<Pool, 'read'>
  readonly #report: Report
  payloads = 0
  bytes = 0
  /** Versions whose bytes are gone. */
  released = 0

  constructor(pool: Pick<Pool, 'read'>, report: Report) {
    this.#pool = pool
    this.#report = report
  }

  /** Yields now and then while it reads, and in the end `gone` when there was nothing to read. */
  async *check(record: PutRecord): AsyncGenerator<'reading' | 'gone'> {
    const found = new Found()
    let told = 0
    try {
      for await (const chunk of this.#pool.read(record.sequence, 0)) {
        found.take(chunk)
        this.bytes += chunk.length
        if (found.size - told < PROGRESS_BYTES) continue
        told = found.size
        yield 'reading'
      }
      this.payloads += 1
      this.#compare(record, found)
    } catch (error) {
      if (hasCode(error, 'ERR_NOT_FOUND')) {
        this.released += 1
        yield 'gone'
      } else if (hasCode(error, 'ERR_CORRUPT', 'ERR_IO')) {
        this.#report({ ...about(record, 'BYTES_UNREADABLE', error.message), version: versionOf(record) })
      } else throw error
    }
  }

  #compare(record: PutRecord, found: Found): void {
    const version = versionOf(record)
    const size = difference(record.size, found.size)
    if (size)
      this.#report({
        ...about(record, 'BYTES_SIZE', 'its bytes are more, or fewer, than its record says', size),
        version,
      })
    const sha256 = difference(record.digests.sha256, found.sha256())
    const crc = difference(record.digests.crc32c, found.crc32c())
    const digest = sha256 ?? crc
    if (digest)
      this.#report({
        ...about(record, 'BYTES_DIGEST', 'its bytes are not those that its record says', digest),
        version,
      })
  }
}

class Found {
  readonly #sha256 = createHash('sha256')
  #crc32c = 0
  size = 0

  take(chunk: Uint8Array): void {
    this.#sha256.update(chunk)
    this.#crc32c = crc32c(chunk, this.#crc32c)
    this.size += chunk.length
  }

  sha256(): string {
    return this.#sha256.digest('hex')
  }

  crc32c(): string {
    return this.#crc32c.toString(16).padStart(8, '0')
  }
}

const versionOf = ({ sequence }: PutRecord): string => sequence.toString().padStart(16, '0')
