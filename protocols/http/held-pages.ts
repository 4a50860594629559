import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type PageRoom, StoreError } from '../../streams/index.ts'

export interface HeldLimits {
  /** Bytes of pages that all answers from streams together hold for clients that have not taken them yet. */
  readonly heldBytesMax: number
  /** What a page counts as while it is being made; then it counts as what it is. */
  readonly pageBytesMax: number
  /** How long an answer that has not begun waits for room before it is refused. */
  readonly roomMsMax: number
  /** How long a client may take nothing while others wait for room. */
  readonly stalledMsMax: number
}

/**
 * What clients that read slowly may cost, together. A page is made once there is room for it; who has waited in vain is
 * refused, and who stalls the longest while others wait is cut off, to go on where it was on another connection.
 *
 *   WAITING ──room──▶ MAKING ──made──▶ SENDING ──taken, piece by piece──▶ holds nothing
 *      └──roomMsMax──▶ refused            └──stalledMsMax, and others wait──▶ cut off
 */
export class HeldPages {
  readonly #limits: HeldLimits
  readonly #sending = new Set<HeldPage>()
  #waiting: { readonly page: HeldPage; readonly grant: () => void }[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(limits: HeldLimits) {
    assert(limits.pageBytesMax <= limits.heldBytesMax, 'there is room for a page')
    this.#limits = limits
  }

  /** Held now, pages that are being made included. */
  get bytes(): number {
    return this.#bytes
  }

  /** One answer; it holds nothing any more when its connection is closed. */
  open(response: ServerResponse, signal: AbortSignal): HeldPage {
    const page = new HeldPage(this, response, signal)
    response.once('close', () => page.end())
    return page
  }

  /** Resolves when there is room for the page, or when it is not wanted any more. ERR_BUSY after `roomMsMax`, if it may. */
  async reserve(page: HeldPage, signal: AbortSignal, mayBeRefused: boolean): Promise<void> {
    if (signal.aborted) return
    if (this.#waiting.length > 0 || !this.#fits(page)) await this.#wait(page, signal, mayBeRefused)
    if (!signal.aborted) this.count(page, this.#limits.pageBytesMax)
  }

  /** A page holds so many bytes now. */
  count(page: HeldPage, bytes: number, isSending = false): void {
    this.#bytes += bytes - page.bytes
    page.bytes = bytes
    page.since = performance.now()
    if (isSending && bytes > 0) this.#sending.add(page)
    else this.#sending.delete(page)
    this.#grant()
  }

  #fits({ bytes }: HeldPage): boolean {
    return this.#bytes - bytes + this.#limits.pageBytesMax <= this.#limits.heldBytesMax
  }

  async #wait(page: HeldPage, signal: AbortSignal, mayBeRefused: boolean): Promise<void> {
    const isLate = await new Promise<boolean>((resolve) => {
      const grant = (): void => settle(false)
      const timer = mayBeRefused ? setTimeout(() => settle(true), this.#limits.roomMsMax) : undefined
      const settle = (isLate: boolean): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', grant)
        this.#waiting = this.#waiting.filter((one) => one.grant !== grant)
        resolve(isLate)
      }
      signal.addEventListener('abort', grant)
      this.#waiting.push({ page, grant })
      this.#watch()
    })
    if (isLate) throw new StoreError('ERR_BUSY', `clients that read slowly hold ${this.#limits.heldBytesMax} bytes`)
  }

  /** In the order in which they came. Who is granted room counts at once, so that the next one sees it. */
  #grant(): void {
    for (let first = this.#waiting[0]; first && this.#fits(first.page); first = this.#waiting[0]) {
      this.#bytes += this.#limits.pageBytesMax - first.page.bytes
      first.page.bytes = this.#limits.pageBytesMax
      first.grant()
    }
    this.#watch()
  }

  /** While somebody waits, the one that has stalled the longest is looked at when its time has come. */
  #watch(): void {
    clearTimeout(this.#timer)
    if (this.#waiting.length === 0) return
    const [first, ...rest] = this.#sending
    if (first === undefined) return
    const oldest = rest.reduce((old, page) => (page.since < old.since ? page : old), first)
    const late = oldest.since + this.#limits.stalledMsMax - performance.now()
    this.#timer = setTimeout(() => oldest.cut(), Math.max(0, late))
  }
}

/** What one answer holds. */
export class HeldPage implements PageRoom {
  /** Held, and since when no less; kept by the HeldPages. */
  bytes = 0
  since = 0
  readonly #all: HeldPages
  readonly #response: ServerResponse
  readonly #signal: AbortSignal
  #hasBegun = false
  #isKept = false

  constructor(all: HeldPages, response: ServerResponse, signal: AbortSignal) {
    this.#all = all
    this.#response = response
    this.#signal = signal
  }

  /** Once there was a page the status is sent: from then on it waits rather than being refused. */
  take(): Promise<void> {
    return this.#all.reserve(this, this.#signal, !this.#hasBegun)
  }

  /** The page that was made is the last one, and counts until it is taken. */
  keep(): void {
    this.#isKept = true
  }

  leave(): void {
    if (!this.#isKept) this.end()
  }

  end(): void {
    this.#all.count(this, 0)
  }

  cut(): void {
    this.#response.destroy()
    this.end()
  }

  /** The body of a page in pieces; when the next one is asked for, the client has taken the one before. */
  async *pieces(body: Buffer): AsyncGenerator<Buffer> {
    this.#hasBegun = true
    this.#all.count(this, body.length, true)
    for (let at = 0; at < body.length; at += PIECE_BYTES) {
      yield body.subarray(at, at + PIECE_BYTES)
      if (!this.#response.destroyed) this.#all.count(this, Math.max(0, body.length - at - PIECE_BYTES), true)
    }
  }
}

const PIECE_BYTES = 64 * 1024
