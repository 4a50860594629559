import type { Sequence } from '../../pool/index.ts'
import type { DeadLetter } from '../records/record.ts'
import type { DeliveryProgress } from './subscription-changes.ts'
import type { SubscriptionState } from './subscription-state.ts'

/**
 * Sequences passed over, at the most, that nobody asked for, before they are worth a record: each is looked at again
 * after a crash. Were it each of them, two subscriptions would note one another's notes without end.
 */
const PASSED_MAX = 10_000

/** How far a delivery is beyond what was noted of it. */
export class ProgressLedger {
  readonly #id: string
  readonly #dead: Map<Sequence, DeadLetter>
  #noted: Sequence
  #settled = 0
  #buried = new Map<Sequence, DeadLetter>()
  #revived = new Set<Sequence>()

  constructor({ id, after, dead }: SubscriptionState) {
    this.#id = id
    this.#noted = after
    this.#dead = new Map(dead.map((letter) => [letter.sequence, letter]))
  }

  /** By sequence. */
  get dead(): ReadonlyMap<Sequence, DeadLetter> {
    return this.#dead
  }

  /** Records settled that are not noted. */
  get unnoted(): number {
    return this.#settled
  }

  /** It was delivered; whether that alone is worth a note. */
  delivered(sequence: Sequence, isWorthNote: boolean): void {
    if (isWorthNote) this.#settled += 1
    this.#buried.delete(sequence)
    if (this.#dead.delete(sequence)) this.#revived.add(sequence)
  }

  buried(letter: DeadLetter): void {
    this.#settled += 1
    this.#dead.set(letter.sequence, letter)
    this.#buried.set(letter.sequence, letter)
    this.#revived.delete(letter.sequence)
  }

  isWorthNoting(after: Sequence): boolean {
    return this.#settled > 0 || after - this.#noted >= PASSED_MAX
  }

  /** What is worth a record, all up to `after` being settled; undefined when nothing is. */
  take(after: Sequence): DeliveryProgress | undefined {
    if (!this.isWorthNoting(after)) return undefined
    const progress = { id: this.#id, after, dead: [...this.#buried.values()], settled: [...this.#revived] }
    this.#noted = after
    this.#settled = 0
    this.#buried = new Map()
    this.#revived = new Set()
    return progress
  }

  /** What was taken could not be noted: it is to be taken again, with what came since. */
  putBack({ dead, settled }: DeliveryProgress): void {
    this.#settled += Math.max(1, dead.length + settled.length)
    for (const letter of dead) if (this.#dead.get(letter.sequence) === letter) this.#buried.set(letter.sequence, letter)
    for (const sequence of settled) if (!this.#dead.has(sequence)) this.#revived.add(sequence)
  }
}
