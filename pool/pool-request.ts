import { PoolError } from './errors.ts'
import { isPowerOfTwo, type StackLayout } from './limits.ts'
import { ACCEPTABLE_CODES, REFUSAL_CODES, type RefusalCode } from './refusal.ts'

/** What is asked of a pool that is to be built. Sizes in bytes. */
export interface PoolRequest {
  readonly atomicity: 'enforced' | 'none'
  /** 'concat', 'stripe', 'mirror' or 'stripe-of-mirrors'; names of parity layouts are known in order to be refused. */
  readonly layout: string
  readonly stripeUnit?: number
  /** Legs of each mirror in a stripe of mirrors. */
  readonly legs?: number
  /** By default as many as there are copies of the data. */
  readonly journalCopies?: number
  /** The block of the pool: what is written all or nothing. */
  readonly atomicUnit: number
  /** The allocation unit. */
  readonly unitBytes: number
  readonly segmentBytes: number
  /** Codes of refusals whose risk is taken. */
  readonly accept: readonly string[]
  readonly acknowledge: 'after-flush' | 'after-write'
  readonly mirrorAcknowledge: 'all' | 'one'
  /** Native atomic writes: not used, used where the kernel vouches for them, or a unit that someone asserts. */
  readonly native: 'off' | 'probe' | number
  readonly discard: boolean
  readonly io: 'auto' | 'direct' | 'buffered' | 'mixed'
}

export type PoolLayout = StackLayout | 'stripe-of-mirrors'

export const STRIPE_UNIT_BYTES = 1 << 20
export const MIRROR_LEGS = 2

const LAYOUTS: readonly string[] = ['concat', 'stripe', 'mirror', 'stripe-of-mirrors'] satisfies readonly PoolLayout[]
const PARITY_LAYOUT = /^(raid[3-6]0?|raidz[1-3]?|draid[1-3]?|parity|erasure)$/

export const isParity = ({ layout }: PoolRequest): boolean => PARITY_LAYOUT.test(layout.toLowerCase())

/** A stripe's unit, also that of a stripe of mirrors; undefined where nothing is striped. */
export const stripeUnitOf = ({ layout, stripeUnit }: PoolRequest): number | undefined =>
  layout.startsWith('stripe') ? (stripeUnit ?? STRIPE_UNIT_BYTES) : undefined

/** The members that hold the same bytes, mirror by mirror; none where there is no mirror. */
export function mirrorsOf<Member>({ layout, legs = MIRROR_LEGS }: PoolRequest, members: readonly Member[]): Member[][] {
  if (layout === 'mirror') return [[...members]]
  if (layout !== 'stripe-of-mirrors') return []
  return Array.from({ length: members.length / legs }, (_, index) => members.slice(index * legs, (index + 1) * legs))
}

/** Throws ERR_LIMITS for what no device could ever make right, and for an acceptance that nobody can give. */
export function checkPoolRequest(request: PoolRequest, members: number): void {
  const problems = [
    ...request.accept.flatMap(problemOfAccept),
    ...sizeProblems(request),
    ...layoutProblems(request, members),
  ]
  if (problems.length > 0) throw new PoolError('ERR_LIMITS', problems.join('; '))
}

function problemOfAccept(code: string): string | [] {
  if ((ACCEPTABLE_CODES as readonly string[]).includes(code)) return []
  const what = REFUSAL_CODES.includes(code as RefusalCode) ? 'is not a refusal that can be accepted' : 'is no refusal'
  return `accept ${code}: this ${what}; those are ${ACCEPTABLE_CODES.join(', ')}`
}

function* sizeProblems({ atomicUnit, unitBytes, segmentBytes, stripeUnit, native }: PoolRequest): Generator<string> {
  for (const [name, value] of Object.entries({ atomicUnit, unitBytes, segmentBytes })) {
    if (!isPowerOfTwo(value) || value < 512) yield `${name} ${value}: it must be a power of two, 512 or more`
  }
  if (unitBytes < atomicUnit) yield `unitBytes ${unitBytes}: an allocation unit holds at least one atomic unit`
  if (segmentBytes < unitBytes) yield `segmentBytes ${segmentBytes}: a segment holds at least one allocation unit`
  if (stripeUnit !== undefined && !isCount(stripeUnit)) yield `stripeUnit ${stripeUnit}: it must be whole bytes`
  if (typeof native === 'number' && !isCount(native)) yield `native ${native}: it must be whole bytes`
}

function* layoutProblems(request: PoolRequest, members: number): Generator<string> {
  const { layout, legs = MIRROR_LEGS, journalCopies = 1 } = request
  const least = layout === 'stripe' || layout === 'mirror' ? 2 : 1
  if (!LAYOUTS.includes(layout) && !isParity(request)) yield `layout ${layout}: it must be one of ${LAYOUTS.join(', ')}`
  if (members < least) yield `layout ${layout}: it needs ${least} members or more, not ${members}`
  if (layout === 'stripe-of-mirrors') {
    if (!isCount(legs) || legs < 2) yield `legs ${legs}: a mirror has 2 or more`
    else if (members % legs !== 0 || members < 2 * legs) {
      yield `layout ${layout}: it needs 2 mirrors or more of ${legs} legs each, not ${members} members`
    }
  }
  if (!isCount(journalCopies)) yield `journalCopies ${journalCopies}: it must be a number, 1 or more`
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0
