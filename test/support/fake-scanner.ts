import {
  type Scanner,
  Scanning,
  type ScanningOptions,
  type ScanOutcome,
  type ScanSubject,
} from '../../streams/index.ts'
import { ManualClock } from './manual-clock.ts'
import { textOf } from './store-harness.ts'

type Judge = (text: string, subject: ScanSubject, signal: AbortSignal) => ScanOutcome | Promise<ScanOutcome>

export const clean: ScanOutcome = { verdict: 'clean' }
export const refused = (reason: string): ScanOutcome => ({ verdict: 'refused', reason })

/** A scanner that reads all there is and lets a test judge it. */
export class FakeScanner implements Scanner {
  readonly name = 'scanner.test'
  readonly seen: { readonly text: string; readonly subject: ScanSubject }[] = []
  judge: Judge
  #onSeen: () => void = () => {}

  constructor(judge: Judge = () => clean) {
    this.judge = judge
  }

  async scan(subject: ScanSubject, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ScanOutcome> {
    const text = await textOf(bytes)
    this.seen.push({ text, subject })
    this.#onSeen()
    return this.judge(text, subject, signal)
  }

  /** Resolves once it was asked so often. */
  async asked(times: number): Promise<void> {
    while (this.seen.length < times) {
      await new Promise<void>((resolve) => {
        this.#onSeen = resolve
      })
    }
  }
}

/** Asks `scanner`, by a clock that stands still until it is told to go on. */
export function scanningBy(scanner: Scanner | undefined, options: Partial<ScanningOptions> = {}) {
  const timers = new ManualClock()
  const clock = { now: () => 1_700_000_000_000 }
  return { timers, scanning: new Scanning({ scanner, policy: 'accept', timers, clock, ...options }) }
}
