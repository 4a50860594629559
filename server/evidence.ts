import { createHmac } from 'node:crypto'
import type { Credentials } from '../streams/index.ts'
import type { RandomBytes } from './master-key.ts'

export interface EvidenceOptions {
  readonly entriesMax?: number
  readonly ttlMs?: number
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  readonly random: RandomBytes
}

/**
 * Remembers what was proved, for a while, so that a password's 40 ms are paid once and not with each request.
 *
 * It holds no secret: an entry is named by the HMAC-SHA-256 of the credentials under a key that lives and dies with the
 * process. Nobody outside can choose a digest, so the time of a look-up says nothing about an entry.
 */
export class EvidenceCache<T> {
  readonly #key: Buffer
  readonly #now: () => number
  readonly #entriesMax: number
  readonly #ttlMs: number
  readonly #entries = new Map<string, { readonly value: T; readonly expires: number }>()

  constructor({ now, random, entriesMax = 10_000, ttlMs = 5 * 60_000 }: EvidenceOptions) {
    this.#key = random(32)
    this.#now = now
    this.#entriesMax = entriesMax
    this.#ttlMs = ttlMs
  }

  /** The length in front keeps `ab` + `c` and `a` + `bc` apart. */
  digest({ key, secret }: Credentials): string {
    return createHmac('sha256', this.#key).update(`${key.length}:${key}:${secret}`).digest('base64url')
  }

  get(digest: string): T | undefined {
    const entry = this.#entries.get(digest)
    if (entry === undefined || entry.expires > this.#now()) return entry?.value
    this.#entries.delete(digest)
    return undefined
  }

  /** When full, the oldest entry makes room: every entry lives as long as any other, so it is the next to expire. */
  set(digest: string, value: T): void {
    this.#entries.delete(digest)
    this.#entries.set(digest, { value, expires: this.#now() + this.#ttlMs })
    if (this.#entries.size <= this.#entriesMax) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }
}
