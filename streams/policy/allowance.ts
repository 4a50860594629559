import type { Sequence } from '../../pool/index.ts'
import { StoreError } from '../errors.ts'
import type { Usage } from './usage.ts'

/** Of one application: what it has stored, and what its uploads underway hold. */
export interface Ledger {
  readonly application: string
  readonly held: { bytes: number; objects: number }
  readonly usage: () => Usage
}

export interface QuotaBounds {
  readonly bytesMax: number
  readonly objectsMax: number
}

/** A version that goes as another one comes: its room is the other's. */
export interface Replaced {
  readonly version: Sequence
  readonly bytes: number
}

/** What was prepared under the upload's name, by itself or before it: once it is covered, the allowance counts it. */
export interface Own {
  readonly bytes: number
  readonly isCovered: boolean
  cover(isCovered: boolean): void
}

export interface AllowanceSources {
  readonly settled: () => Promise<void>
  readonly replaced: () => Promise<Replaced | undefined>
  /** Undefined for an upload that is not prepared. */
  readonly own?: Own | undefined
}

/** Held beyond what is there already of an upload of unknown length, where there is room for it. */
const STEP_BYTES = 8 << 20

/**
 * The room that one upload holds within its application's quota.
 *
 * 1. What is counted and what is held never pass the quota.
 * 2. An upload that replaces a version holds only what it takes beyond that. Should the version be gone when the upload
 *    gets its place, and its room somebody else's, the upload is refused then.
 * 3. What is prepared of it is held in full, beside what it would replace: should it be cut off, both are there.
 */
export class Allowance {
  readonly #ledger: Ledger
  readonly #bounds: QuotaBounds
  readonly #sources: AllowanceSources
  #replaced: Replaced | undefined
  /** Of the upload, allowed. */
  #allowed = -1
  /** Of the upload, to be prepared. */
  #kept = 0
  #held = { bytes: 0, objects: 0 }
  #hasEnded = false

  constructor(ledger: Ledger, bounds: QuotaBounds, sources: AllowanceSources) {
    this.#ledger = ledger
    this.#bounds = bounds
    this.#sources = sources
  }

  /** Resolves when the upload may have `bytes`; ERR_QUOTA. */
  async grow(bytes: number): Promise<void> {
    if (bytes <= this.#allowed) return
    if (this.#allowed >= 0 && this.#hold(bytes + STEP_BYTES)) return
    if (this.#hold(bytes)) return
    await this.#sources.settled() // What was removed is perhaps not counted out yet.
    if (this.#hold(bytes)) return
    this.#replaced ??= await this.#sources.replaced()
    if (!this.#hold(bytes)) throw this.#exceeded(bytes)
  }

  /** Before `bytes` of it are prepared; false where there is no room for them beside what the upload would replace. */
  keep(bytes: number): boolean {
    const before = this.#kept
    this.#kept = bytes
    if (this.#hold(this.#allowed)) return true
    this.#kept = before
    return false
  }

  /** As the upload of `bytes` gets its place, over the version `replaced` or none. Throws ERR_QUOTA. */
  settle(bytes: number, replaced: Sequence | undefined): void {
    if (this.#replaced?.version !== replaced) this.#replaced = undefined
    if (!this.#hold(bytes)) throw this.#exceeded(bytes)
  }

  /** Whoever waits to grow still is given nothing. */
  end(): void {
    this.#hasEnded = true
    this.#change({ bytes: 0, objects: 0 })
    this.#sources.own?.cover(false)
  }

  #hold(allowed: number): boolean {
    const { bytes, objects } = this.#ledger.usage()
    const { own } = this.#sources
    const least = Math.max(own?.bytes ?? 0, this.#kept)
    const wanted = { bytes: Math.max(least, allowed - (this.#replaced?.bytes ?? 0)), objects: this.#replaced ? 0 : 1 }
    const counted = own && !own.isCovered ? own.bytes : 0
    const bytesAfter = bytes - counted + this.#ledger.held.bytes - this.#held.bytes + wanted.bytes
    const objectsAfter = objects + this.#ledger.held.objects - this.#held.objects + wanted.objects
    if (bytesAfter > this.#bounds.bytesMax || objectsAfter > this.#bounds.objectsMax) return false
    this.#allowed = allowed
    this.#change(wanted)
    if (!this.#hasEnded) own?.cover(true)
    return true
  }

  #change(wanted: { bytes: number; objects: number }): void {
    const held = this.#hasEnded ? { bytes: 0, objects: 0 } : wanted
    this.#ledger.held.bytes += held.bytes - this.#held.bytes
    this.#ledger.held.objects += held.objects - this.#held.objects
    this.#held = held
  }

  #exceeded(bytes: number): StoreError {
    const { application, usage } = this.#ledger
    const { bytesMax, objectsMax } = this.#bounds
    const used = usage()
    const words =
      used.objects >= objectsMax
        ? `may keep ${objectsMax} objects and has ${used.objects}`
        : `may keep ${bytesMax} bytes and has ${used.bytes}: there is no room for ${bytes} more`
    return new StoreError('ERR_QUOTA', `${application} ${words}`)
  }
}
