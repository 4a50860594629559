import type { Release, Sequence } from '../../pool/index.ts'

/** A record as the client wrote it. */
export interface LedgerRecord {
  readonly content: Buffer
  readonly payloads: readonly Buffer[]
  /** Payloads of earlier records that it lets go, those of a prepared record that it takes over among them. */
  readonly releases: readonly Release[]
  /** It was prepared: an upload goes on from it. */
  readonly prepared: boolean
}

/** What a pool that holds the records up to `sequence` must show. */
export interface Expectation {
  readonly sequence: Sequence
  readonly records: readonly LedgerRecord[]
  /** Live payloads by `sequence.payload`. */
  readonly live: ReadonlyMap<string, Buffer>
  readonly liveBytes: number
}

export const keyOf = ({ sequence, payload }: Release): string => `${sequence}.${payload}`

export function releaseOf(key: string): Release {
  const [sequence, payload] = key.split('.').map(Number)
  return { sequence: sequence!, payload: payload! }
}

/** What a client knows of its pool: each transaction in the order in which the pool gave it its place. */
export class Ledger {
  readonly #records: LedgerRecord[]
  /** Sequences at which a transaction ends: recovery stops at one of these. */
  readonly #ends: Set<Sequence>
  readonly #expectations = new Map<Sequence, Expectation>()

  constructor(records: readonly LedgerRecord[] = []) {
    this.#records = [...records]
    this.#ends = new Set(Array.from({ length: records.length + 1 }, (_, i) => i))
  }

  /** The last sequence given out. */
  get sequence(): Sequence {
    return this.#records.length
  }

  /** The pool gave `records` the sequences from `first` on; whoever had them before was refused. */
  draft(first: Sequence, records: readonly LedgerRecord[]): void {
    this.#records.splice(first - 1, Number.POSITIVE_INFINITY, ...records)
    for (const end of this.#ends) if (end >= first) this.#ends.delete(end)
    for (const known of this.#expectations.keys()) if (known >= first) this.#expectations.delete(known)
    this.#ends.add(this.sequence)
  }

  /** `records`, which had the sequences from `first` on, were refused after all. */
  withdraw(first: Sequence, records: readonly LedgerRecord[]): void {
    if (this.#records[first - 1] === records[0]) this.draft(first, [])
  }

  /** What is left after a crash from which `sequence` records came back. */
  upTo(sequence: Sequence): Ledger {
    return new Ledger(this.#records.slice(0, sequence))
  }

  endsTransaction(sequence: Sequence): boolean {
    return this.#ends.has(sequence)
  }

  expect(sequence: Sequence = this.sequence): Expectation {
    const known = this.#expectations.get(sequence)
    if (known) return known
    const records = this.#records.slice(0, sequence)
    const live = new Map<string, Buffer>()
    for (const [i, { payloads, releases }] of records.entries()) {
      for (const [payload, bytes] of payloads.entries()) live.set(keyOf({ sequence: i + 1, payload }), bytes)
      for (const release of releases) live.delete(keyOf(release))
    }
    let liveBytes = 0
    for (const bytes of live.values()) liveBytes += bytes.length
    const expectation = { sequence, records, live, liveBytes }
    this.#expectations.set(sequence, expectation)
    return expectation
  }
}
