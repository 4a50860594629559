import { onTestFinished } from 'vitest'
import {
  DELIVERY_LIMITS,
  Delivery,
  type DeliveryLimits,
  type Message,
  type OpenStore,
  type Outcome,
  type Sequence,
  type SubscriptionState,
} from '../../streams/index.ts'
import { ManualClock } from './manual-clock.ts'
import { named, origin, putText, turn } from './store-harness.ts'

export const refused = (reason = 'it answered 500'): Outcome => ({ kind: 'refused', reason })
export const accepted: Outcome = { kind: 'accepted' }

export function subscription(changes: Partial<SubscriptionState> = {}): SubscriptionState {
  const secret = { kind: 'sealed', value: '' } as const
  const registration = { url: 'https://example.org/', query: '', format: 'json', after: 0, secret }
  return { id: 'SB', application: 'tester', created: 0, registration, after: 0, dead: [], ...changes }
}

/** A message under way, which a test answers. */
export interface Underway {
  readonly sequence: Sequence
  readonly message: Message
  answer(outcome: Outcome): void
}

/** A delivery whose subscriber is the test: it sees what comes, and answers when it likes. */
export class DeliveryRun {
  readonly clock = new ManualClock()
  readonly delivery: Delivery
  /** In the order in which they were sent; answered ones leave. */
  readonly underway: Underway[] = []
  /** Sequences, in the order in which they were sent. */
  readonly sent: Sequence[] = []
  progressTold = 0

  constructor(
    store: Pick<OpenStore, 'tail'>,
    state: SubscriptionState,
    limits: Partial<DeliveryLimits> = {},
    random = () => 1,
  ) {
    this.delivery = new Delivery(state, {
      follow: (after, signal) => store.tail(origin, { after, signal, query: state.registration.query }),
      send: (message, signal) => this.#send(message, signal),
      context: { source: '/test' },
      timers: this.clock,
      clock: this.clock,
      random,
      limits: { ...DELIVERY_LIMITS, ...limits },
      onProgress: () => {
        this.progressTold += 1
      },
    })
    this.delivery.start()
    onTestFinished(() => this.end())
  }

  /** Resolves once it holds. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await turn()
  }

  /** The message underway with this sequence, once there is one. */
  async message(sequence: Sequence): Promise<Underway> {
    await this.until(() => this.underway.some((one) => one.sequence === sequence))
    return this.underway.find((one) => one.sequence === sequence)!
  }

  async answer(sequence: Sequence, outcome: Outcome): Promise<void> {
    const one = await this.message(sequence)
    one.answer(outcome)
  }

  /** Ends it, however it stands. */
  async end(): Promise<void> {
    const closing = this.delivery.close()
    this.clock.run(DELIVERY_LIMITS.closeMsMax)
    await closing
  }

  #send(message: Message, signal: AbortSignal): Promise<Outcome> {
    let resolve = (_outcome: Outcome): void => {}
    const promise = new Promise<Outcome>((settle) => {
      resolve = settle
    })
    const sequence = Number(message.id.split('-').at(-1))
    const one = { sequence, message, answer: resolve }
    this.underway.push(one)
    this.sent.push(sequence)
    const cutOff = () => resolve(refused('cut off'))
    signal.addEventListener('abort', cutOff)
    return promise.finally(() => {
      signal.removeEventListener('abort', cutOff)
      this.underway.splice(this.underway.indexOf(one), 1)
    })
  }
}

/** Objects with these keys; the sequences of their records. */
export async function putAll(store: OpenStore, keys: readonly string[]): Promise<Sequence[]> {
  const sequences: Sequence[] = []
  for (const key of keys) sequences.push((await putText(store, named(key), key)).sequence)
  return sequences
}
