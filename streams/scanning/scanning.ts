import type { Staging } from '../../pool/index.ts'
import type { Timers } from '../delivery/pauses.ts'
import type { Attributes } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { Slots } from '../slots.ts'
import { attributesOf, type ScanPolicy } from './scan-policy.ts'
import { inPlainWords } from './scan-reason.ts'
import { noVerdict, type Scanner, type ScanOutcome, type ScanSubject } from './scanner-port.ts'

export interface ScanningLimits {
  /** Of all questions of one commit, in milliseconds: the wait for their turn, the bytes, and the answers. */
  readonly msMax: number
  /** Of one upload: nobody is asked about a larger one. */
  readonly bytesMax: number
  /** Questions at once; others wait. */
  readonly concurrentMax: number
}

export const SCANNING_LIMITS: ScanningLimits = { msMax: 30_000, bytesMax: 256 << 20, concurrentMax: 16 }

/** A question that has its answer, or what stands for one. */
export interface Scanned {
  readonly subject: ScanSubject
  readonly outcome: ScanOutcome
  readonly milliseconds: number
}

export interface ScanningOptions {
  readonly scanner: Scanner | undefined
  /** Of those whose own policy does not say. */
  readonly policy: ScanPolicy
  readonly limits?: Partial<ScanningLimits>
  /** `now` never goes back. */
  readonly timers: Timers & { now(): number }
  /** Milliseconds since 1970. */
  readonly clock: { now(): number }
  readonly onScanned?: (scanned: Scanned) => void
}

/** Asks about one upload, as its origin's policy has it; what is learnt becomes attributes of the put, or a refusal. */
export type Scan = (subject: ScanSubject, staging: Pick<Staging, 'read'>) => Promise<Attributes>

/**
 * Has uploads judged before they are acknowledged.
 *
 *   ASKED ──its turn──▶ READ ──an answer, within msMax of the first question──▶ clean, refused
 *     └─────────────────┴──silence, failure, or too large to ask──▶ unknown
 *
 * Nothing is in the stream by then: if power fails here, nobody has seen the upload, and nobody will.
 */
export class Scanning {
  readonly #options: ScanningOptions
  readonly #limits: ScanningLimits
  readonly #slots: Slots
  readonly #underway = new Set<AbortController>()
  #isClosed = false

  constructor(options: ScanningOptions) {
    this.#options = options
    this.#limits = { ...SCANNING_LIMITS, ...options.limits }
    this.#slots = new Slots(this.#limits.concurrentMax)
  }

  /** For the uploads of one commit: bytes that several of them have, as a mail to several buckets, are asked about once. */
  begin(): Scan {
    const known = new Map<string, Promise<ScanOutcome>>()
    const { scanner, policy: otherwise, clock, timers } = this.#options
    let end: number | undefined
    return async (subject, staging) => {
      const policy = subject.origin.principal.policy?.scan ?? otherwise
      if (policy === 'off') return {}
      end ??= timers.now() + this.#limits.msMax
      const outcome = known.get(subject.sha256) ?? this.#outcomeOf(subject, staging, end)
      known.set(subject.sha256, outcome)
      return attributesOf(policy, await outcome, { scanner: scanner?.name, time: clock.now() })
    }
  }

  /** Whoever waits for a verdict, and whoever comes, is refused with ERR_BUSY. */
  close(): void {
    this.#isClosed = true
    for (const over of this.#underway) over.abort(closing())
  }

  async #outcomeOf(subject: ScanSubject, staging: Pick<Staging, 'read'>, end: number): Promise<ScanOutcome> {
    const { timers, onScanned } = this.#options
    const began = timers.now()
    const outcome = inPlainWords(await this.#ask(subject, staging, end))
    onScanned?.({ subject, outcome, milliseconds: timers.now() - began })
    return outcome
  }

  /** Nobody is asked from `end` on. */
  async #ask(subject: ScanSubject, staging: Pick<Staging, 'read'>, end: number): Promise<ScanOutcome> {
    const { scanner, timers } = this.#options
    const { msMax, bytesMax } = this.#limits
    if (this.#isClosed) throw closing()
    if (!scanner) return noVerdict('no scanner is configured')
    if (subject.size > bytesMax) return { ...noVerdict(`it has more than ${bytesMax} bytes`), isLasting: true }
    const late = noVerdict(`there was no answer within ${msMax} ms`)
    const msLeft = end - timers.now()
    if (msLeft <= 0) return late
    const over = new AbortController()
    const callOff = timers.after(msLeft, () => over.abort(late))
    this.#underway.add(over)
    const answered = this.#slots.during(async () =>
      over.signal.aborted ? late : scanner.scan(subject, staging.read(), over.signal),
    )
    try {
      return await Promise.race([answered, outcomeOfAbort(over.signal)])
    } finally {
      callOff()
      this.#underway.delete(over)
    }
  }
}

/** What a question is given up for: an outcome, or an error. */
function outcomeOfAbort(signal: AbortSignal): Promise<ScanOutcome> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => (signal.reason instanceof StoreError ? reject : resolve)(signal.reason))
  })
}

function closing(): StoreError {
  return new StoreError('ERR_BUSY', 'it was not scanned: the server is closing')
}
