import type { Sequence } from './contract.ts'

/** What a finding is about. `payload` and `manifest` lie in units of their own, `inline` in the journal. */
export type ScrubSubject =
  | 'guard'
  | 'superblock'
  | 'page'
  | 'segment'
  | 'batch'
  | 'inline'
  | 'manifest'
  | 'payload'
  | 'space'

/** What a copy was found to hold, as far as what lies there tells. */
export type ScrubKind =
  /** The medium failed to give it. */
  | 'unreadable'
  /** Bytes that nobody wrote. */
  | 'checksum'
  /** Something whole, of another place. */
  | 'misdirected'
  /** Something whole, of this place, from before: a write was lost. */
  | 'stale'
  /** Owned by nothing that can be named. */
  | 'unnamed'

/** One copy that is not what was written, or was not. */
export interface ScrubFinding {
  readonly subject: ScrubSubject
  readonly kind: ScrubKind
  /** Number of the member, in the order of the layout; absent where no member alone is concerned. */
  readonly member?: number
  /** From the start of that member. */
  readonly memberOffset?: number
  /** The first record concerned, and how many are: all of a batch. */
  readonly sequence?: Sequence
  readonly records?: number
  readonly payload?: number
  /** Of the payload's bytes, those concerned. */
  readonly offset?: number
  readonly length?: number
  /** Why it could not be repaired, or what was done beyond writing a good copy over it. */
  readonly note?: string
}

/** Where a scrub is. Plain data: it may be kept, and given back to go on from there. */
export type ScrubCursor =
  | { readonly stage: 'members'; readonly member: number }
  | { readonly stage: 'pages'; readonly level: number; readonly index: number }
  | { readonly stage: 'records'; readonly sequence: Sequence; readonly payload: number; readonly offset: number }

export interface ScrubProgress {
  readonly cursor: ScrubCursor
  readonly records: number
  readonly bytesVerified: number
  /** An estimate of what there is, all copies counted. */
  readonly bytesTotal: number
  readonly repaired: number
  readonly damaged: number
}

export interface ScrubReport {
  readonly finished: boolean
  /** Where to go on; null when finished. */
  readonly cursor: ScrubCursor | null
  readonly records: number
  /** Read and compared with what they should be, all copies counted. */
  readonly bytesVerified: number
  /** Copies of blocks, batches, payload units …, each counted. */
  readonly copiesVerified: number
  /** The first FINDINGS_MAX of each kind, neighbours joined; the counts are of all. */
  readonly repaired: readonly ScrubFinding[]
  readonly damaged: readonly ScrubFinding[]
  readonly repairedCount: number
  readonly damagedCount: number
}

export const FINDINGS_MAX = 10_000

export type ScrubOutcome = 'repaired' | 'damaged'

export type FindingTaker = (outcome: ScrubOutcome, finding: ScrubFinding) => void

/** Gathers what a scrub finds and counts what it does. */
export class ScrubRecord {
  records = 0
  bytesVerified = 0
  copiesVerified = 0
  readonly #findings = { repaired: [] as ScrubFinding[], damaged: [] as ScrubFinding[] }
  readonly #counts = { repaired: 0, damaged: 0 }
  readonly #take: FindingTaker
  readonly #findingsMax: number

  constructor(take: FindingTaker = () => {}, findingsMax = FINDINGS_MAX) {
    this.#take = take
    this.#findingsMax = findingsMax
  }

  get repaired(): number {
    return this.#counts.repaired
  }

  get damaged(): number {
    return this.#counts.damaged
  }

  add(outcome: ScrubOutcome, finding: ScrubFinding): void {
    this.#counts[outcome]++
    this.#take(outcome, finding)
    const findings = this.#findings[outcome]
    const joined = findings.length > 0 ? join(findings.at(-1)!, finding) : undefined
    if (joined) findings[findings.length - 1] = joined
    else if (findings.length < this.#findingsMax) findings.push(finding)
  }

  report(cursor: ScrubCursor | null): ScrubReport {
    return {
      finished: cursor === null,
      cursor,
      records: this.records,
      bytesVerified: this.bytesVerified,
      copiesVerified: this.copiesVerified,
      ...this.#findings,
      repairedCount: this.#counts.repaired,
      damagedCount: this.#counts.damaged,
    }
  }
}

/** Two findings as one, when the second goes on where the first ends: a lost gigabyte is one finding. */
function join(first: ScrubFinding, second: ScrubFinding): ScrubFinding | undefined {
  const { offset, length, ...what } = first
  const { offset: next, length: more, ...same } = second
  if (offset === undefined || length === undefined || next !== offset + length || more === undefined) return undefined
  const isSame = (Object.keys({ ...what, ...same }) as (keyof typeof what)[]).every(
    (name) => name === 'memberOffset' || what[name] === same[name],
  )
  return isSame ? { ...what, offset, length: length + more } : undefined
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** What was kept of a cursor, when it is one. */
export function readCursor(value: unknown): ScrubCursor | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { stage, member, level, index, sequence, payload, offset } = value as Record<string, unknown>
  if (stage === 'members' && isCount(member)) return { stage, member }
  if (stage === 'pages' && isCount(level) && isCount(index)) return { stage, level, index }
  if (stage === 'records' && isCount(sequence) && isCount(payload) && isCount(offset))
    return { stage, sequence, payload, offset }
  return undefined
}
