import { PoolError, type PoolErrorCode } from './errors.ts'

/** A reason not to build or open a pool in the way that was asked. */
export interface Refusal {
  readonly code: RefusalCode
  /** What offends, with the member concerned where one is. */
  readonly value: string
  readonly reason: string
  /** The nearest value that would be allowed. */
  readonly nearest?: string
  /** True when the one who asks may take the risk by naming the code; it is then told for ever. */
  readonly acceptable: boolean
}

interface Rule {
  readonly reason: string
  /** 'every' also holds on a pool that promises no atomicity; why is said beside each. */
  readonly pools: 'enforced' | 'every'
}

/**
 * Everything that is refused, and why. A pool of atomicity 'none' is a class of its own that may lose or tear what it
 * acknowledged when power fails. So what only guards against that does not hold there; what would mix up or destroy
 * data at any time does, and so does what cannot be built at all.
 */
const RULES = {
  R01_STRIPE_LT_UNIT: {
    reason: 'an atomic unit would lie across two members, and no device writes that all or nothing',
    pools: 'enforced' /* a tear */,
  },
  R02_STRIPE_NOT_POW2_AU: {
    reason: 'a stripe unit is an allocation unit times a power of two, or extents and checksums lie across members',
    pools: 'every' /* cannot be addressed */,
  },
  R03_CONCAT_SEAM: {
    reason: 'an atomic unit would lie across the seam to the next member',
    pools: 'enforced' /* a tear */,
  },
  R04_MISALIGNED_START: {
    reason: 'a unit would share a physical block with its neighbour, which a torn write damages',
    pools: 'enforced' /* a tear */,
  },
  R05_UNIT_LT_PHYSICAL: {
    reason: 'a physical block holds several units, and a torn one would damage its neighbour',
    pools: 'enforced' /* a tear */,
  },
  R06_LBS_MIXED: {
    reason: 'a unit of the pool is not whole logical blocks of the member, so a write would be split or rejected',
    pools: 'every' /* cannot be written */,
  },
  R07_NATIVE_DISJOINT: {
    reason: 'no size of native atomic write is common to all members',
    pools: 'enforced' /* of atomicity alone */,
  },
  R08_NATIVE_BOUNDARY: {
    reason: 'a native atomic write could cross a boundary on one member and not on another',
    pools: 'enforced' /* of atomicity alone */,
  },
  R09_NATIVE_AMBIGUOUS: {
    reason: 'native atomicity is believed only where the kernel vouches for it',
    pools: 'every' /* nothing would come of it */,
  },
  R10_NO_FLUSH: {
    reason: 'nothing there is known to be durable after a flush',
    pools: 'enforced' /* of durability alone */,
  },
  R11_ASYNC_ACK: {
    reason: 'an acknowledgement says that the bytes are durable, which before the flush nobody knows',
    pools: 'every' /* the other class is for devices that keep no promise; its pools wait for them all the same */,
  },
  R12_PARITY: {
    reason: 'parity without a journal over data and parity damages data at rest (the write hole)',
    pools: 'every' /* destroys what was not even written to */,
  },
  R13_WRITE_BEHIND: {
    reason: 'what one leg acknowledged alone is lost with that leg',
    pools: 'every' /* a mirror waits for every leg in sync, and never does other than it was asked */,
  },
  R14_THIN: {
    reason: 'space was promised and not given, so it can run out in the middle of a checkpoint',
    pools: 'enforced' /* of durability alone */,
  },
  R15_COW_BACKING: {
    reason: 'overwriting a block there takes new space, which can run out, and scatters the file',
    pools: 'enforced' /* of durability alone */,
  },
  R16_SAME_DISK: {
    reason: 'what shares bytes or a disk fails and tears together',
    pools: 'every' /* shared bytes overwrite each other; a shared disk is refused on an enforced pool only */,
  },
  R17_NOT_EXCLUSIVE: {
    reason: 'a member belongs to one writer, which must be this pool',
    pools: 'every' /* two writers destroy each other's data */,
  },
  R18_JOURNAL_SMALL: {
    reason: 'without that many segments commits and checkpoints would wait for each other for ever',
    pools: 'every' /* cannot work */,
  },
  R19_JOURNAL_COPIES: {
    reason: 'the journal is kept as often as the data, on members of their own, or the loss of one loses commits',
    pools: 'every' /* neither more than members nor fewer than the data can be built */,
  },
  R20_BAD_BLOCKS: {
    reason: 'the journal may lie anywhere on a member, and around a bad block a write is split',
    pools: 'every' /* what is written there is gone */,
  },
  R21_INPLACE_TRANSFORM: {
    reason: 'compression or deduplication below the pool turns the write of one block into several elsewhere',
    pools: 'enforced' /* a tear */,
  },
  R22_REQ_SHAPE: {
    reason: 'a request that breaks the limits fails; it is never split silently',
    pools: 'every' /* a pool never does other than it was asked */,
  },
  R23_MIXED_IO: {
    reason: 'direct and buffered requests to one member do not see each other',
    pools: 'every' /* old bytes overwrite new ones */,
  },
  R24_RESHAPE: {
    reason: 'the layout of a pool with data does not change, or units would be left half moved',
    pools: 'every' /* half-moved data is lost */,
  },
  R25_FOREIGN: {
    reason:
      'the members are not, whole and up to date, those of this pool, so acknowledged data would be mixed or lost',
    pools: 'every' /* mixes data */,
  },
  R26_DISCARD_NONDET: {
    reason: 'legs may read differently after a discard, so that scrubbing raises false alarms and heals from garbage',
    pools: 'every' /* garbage overwrites data */,
  },
} as const satisfies Record<string, Rule>

export type RefusalCode = keyof typeof RULES

export const REFUSAL_CODES = Object.keys(RULES) as readonly RefusalCode[]

/** What can be accepted by name, in the case that each allows. */
const ACCEPTABLE: readonly RefusalCode[] = ['R14_THIN', 'R15_COW_BACKING', 'R16_SAME_DISK']
export const ACCEPTABLE_CODES: readonly RefusalCode[] = ['R10_NO_FLUSH', ...ACCEPTABLE]

export interface RefusalDetail {
  readonly nearest?: string | undefined
  /** Where it differs from what the code allows otherwise. */
  readonly acceptable?: boolean
}

/** The one wording of a refusal, also for what shows only later: locks, requests, identities, reshaping. */
export function refusal(code: RefusalCode, value: string, detail: RefusalDetail = {}): Refusal {
  const { nearest, acceptable = ACCEPTABLE.includes(code) } = detail
  return { code, value, reason: RULES[code].reason, ...(nearest === undefined ? {} : { nearest }), acceptable }
}

export const holdsOn = (code: RefusalCode, atomicity: 'enforced' | 'none'): boolean =>
  atomicity === 'enforced' || RULES[code].pools === 'every'

export const refusalText = ({ code, value, reason, nearest }: Refusal): string =>
  `${code}: ${value}: ${reason}${nearest === undefined ? '' : ` (nearest: ${nearest})`}`

/** Lists them all, by default as ERR_LIMITS. */
export const refusalError = (refusals: readonly Refusal[], code: PoolErrorCode = 'ERR_LIMITS'): PoolError =>
  new PoolError(code, refusals.map(refusalText).join('; '))

/** An error of one refusal, for what shows only where the locks, the requests and the superblocks are. */
export const refuse = (code: RefusalCode, value: string, as: PoolErrorCode = 'ERR_LIMITS'): PoolError =>
  refusalError([refusal(code, value)], as)

/** Accepted codes as the guard keeps them: bit n for R n. */
export const acceptedBits = (codes: readonly string[]): number =>
  REFUSAL_CODES.reduce((bits, code, index) => (codes.includes(code) ? bits | (1 << (index + 1)) : bits), 0)

export const acceptedCodes = (bits: number): readonly RefusalCode[] =>
  REFUSAL_CODES.filter((_, index) => (bits >>> (index + 1)) & 1)

/** What a pool of this class refuses, but for what was accepted: code and reason. */
export const refusedOptions = (atomicity: 'enforced' | 'none', accepted: readonly string[]) =>
  REFUSAL_CODES.filter((code) => holdsOn(code, atomicity) && !accepted.includes(code)).map((code) => ({
    code,
    reason: RULES[code].reason,
  }))
