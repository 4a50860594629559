import type { ScrubOutcome } from '../pool/index.ts'
import type { IntegrityVerdict, ScrubFinding, Sequence } from '../streams/index.ts'

/** Findings that one verdict tells of; the report has them all. */
const findingsMax = 8

type Verdict = Omit<IntegrityVerdict, 'time'>

interface Gathered {
  state: IntegrityVerdict['state']
  readonly words: string[]
  more: number
}

/**
 * What a scrub found, by the record concerned: one verdict for each, however many findings there are. What could not be
 * repaired outweighs what could.
 */
export class ScrubVerdicts {
  readonly #gathered = new Map<Sequence, Gathered>()
  readonly #damaged = new Set<Sequence>()

  /** A repaired batch has lost nothing of any object; a damaged one has lost its records. */
  take(outcome: ScrubOutcome, finding: ScrubFinding): void {
    const { sequence, records = 1, payload } = finding
    if (sequence === undefined || (outcome === 'repaired' && payload === undefined)) return
    if (payload !== undefined && payload !== 0) return
    for (let concerned = sequence; concerned < sequence + records; concerned++) {
      this.#gather(concerned, outcome, wordsOf(finding))
    }
  }

  /** True when a damaged copy of something of this record was found, told already or not. */
  isDamaged(sequence: Sequence): boolean {
    return this.#damaged.has(sequence)
  }

  #gather(sequence: Sequence, state: Gathered['state'], words: string): void {
    if (state === 'damaged') this.#damaged.add(sequence)
    let gathered = this.#gathered.get(sequence)
    if (!gathered || (state === 'damaged' && gathered.state === 'repaired')) {
      gathered = { state, words: [], more: 0 }
      this.#gathered.set(sequence, gathered)
    }
    if (gathered.state !== state) return
    if (gathered.words.length < findingsMax) gathered.words.push(words)
    else gathered.more++
  }

  /** Takes out the verdicts on records before `sequence`: nothing more will be found of them. */
  *before(sequence: Sequence): Generator<Verdict> {
    for (const [concerned, { state, words, more }] of [...this.#gathered]) {
      if (concerned >= sequence) continue
      this.#gathered.delete(concerned)
      const rest = more > 0 ? [`${more} more`] : []
      yield { sequence: concerned, state, detail: [...words, ...rest].join('; ') }
    }
  }
}

/** `payload: checksum on member 1, bytes 0 to 65535`. */
export function wordsOf({ subject, kind, member, offset, length, note }: ScrubFinding): string {
  const where = member === undefined ? '' : ` on member ${member}`
  const range = rangeOf(offset, length)
  return `${subject}: ${kind}${where}${range}${note ? ` (${note})` : ''}`
}

function rangeOf(offset: number | undefined, length: number | undefined): string {
  if (length === undefined) return ''
  return offset === undefined ? `, ${length} bytes` : `, bytes ${offset} to ${offset + length - 1}`
}
