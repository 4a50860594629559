import { roundUp } from './bytes.ts'
import type { AtomicWriteLimits } from './device.ts'
import { RUNS_MAX } from './geometry.ts'
import { inMultipleRelation, isPowerOfTwo, stackSize } from './limits.ts'
import type { MemberFacts } from './member-facts.ts'
import { isParity, mirrorsOf, type PoolRequest, stripeUnitOf } from './pool-request.ts'
import { type Refusal, refusal } from './refusal.ts'
import { REGIONS_MIN } from './zones.ts'

/** Free segments that are kept for commits, checkpoints and deletes. */
const RESERVE_SEGMENTS = 8

/** What is wrong with the layout and the promises that are asked for, the members taken together. */
export function layoutRefusals(request: PoolRequest, members: readonly MemberFacts[]): readonly Refusal[] {
  return [
    ...stripeRefusals(request),
    ...nativeRefusals(request, members),
    ...promiseRefusals(request, members.length),
    ...journalRefusals(request, members),
  ]
}

/** R01, R02 */
function* stripeRefusals(request: PoolRequest): Generator<Refusal> {
  const { atomicUnit, unitBytes } = request
  const unit = stripeUnitOf(request)
  if (unit === undefined) return
  const value = `a stripe unit of ${unit} bytes`
  if (unit % atomicUnit !== 0) {
    yield refusal('R01_STRIPE_LT_UNIT', `${value} and atomic units of ${atomicUnit}`, {
      nearest: `${roundUp(unit, atomicUnit)}`,
    })
  }
  if (!isPowerOfTwo(unit / unitBytes)) {
    yield refusal('R02_STRIPE_NOT_POW2_AU', `${value} and allocation units of ${unitBytes}`, {
      nearest: `${nearestPowerOfTwo(unit / unitBytes) * unitBytes}`,
    })
  }
}

const nearestPowerOfTwo = (value: number): number => 2 ** Math.max(0, Math.round(Math.log2(value)))

/** R07, R08, R09 */
function* nativeRefusals(request: PoolRequest, members: readonly MemberFacts[]): Generator<Refusal> {
  const { native } = request
  if (native === 'off') return
  if (typeof native === 'number') {
    yield refusal('R09_NATIVE_AMBIGUOUS', `native units of ${native} bytes, by assertion`, { nearest: 'probe' })
  }
  const known = members.flatMap(({ atomicWrite }) => atomicWrite ?? [])
  // One member without native writes leaves none for the whole, which is safe: then nothing can disagree.
  if (known.length < members.length) return
  yield* disjointUnits(known)
  yield* boundaries(known, stripeUnitOf(request) ?? 0)
}

function* disjointUnits(known: readonly AtomicWriteLimits[]): Generator<Refusal> {
  const unitMin = Math.max(...known.map((limits) => limits.unitMin))
  const unitMax = Math.min(...known.map((limits) => limits.unitMax))
  if (unitMin <= unitMax) return
  const value = `one member writes no less than ${unitMin} bytes, another no more than ${unitMax}`
  yield refusal('R07_NATIVE_DISJOINT', value, { nearest: 'off' })
}

function* boundaries(known: readonly AtomicWriteLimits[], stripeUnit: number): Generator<Refusal> {
  const found = [...new Set(known.map(({ boundary }) => boundary))]
  if (found.length > 1) {
    yield refusal('R08_NATIVE_BOUNDARY', `boundaries of ${found.join(' and ')} bytes`, { nearest: 'off' })
  }
  for (const boundary of found.filter((each) => !inMultipleRelation(each, stripeUnit))) {
    const value = `a boundary of ${boundary} bytes and a stripe unit of ${stripeUnit}`
    yield refusal('R08_NATIVE_BOUNDARY', value, { nearest: `a stripe unit of ${roundUp(stripeUnit, boundary)}` })
  }
}

/** R11, R12, R13, R23 */
function* promiseRefusals(request: PoolRequest, members: number): Generator<Refusal> {
  if (request.acknowledge === 'after-write') {
    yield refusal('R11_ASYNC_ACK', 'acknowledge after-write', { nearest: 'after-flush' })
  }
  if (isParity(request)) yield refusal('R12_PARITY', `layout ${request.layout}`, { nearest: 'mirror' })
  if (request.mirrorAcknowledge === 'one' && copiesOf(request, members) > 1) {
    yield refusal('R13_WRITE_BEHIND', 'mirrorAcknowledge one', { nearest: 'all' })
  }
  if (request.io === 'mixed') yield refusal('R23_MIXED_IO', 'io mixed', { nearest: 'auto' })
}

/** Copies of each byte of data. */
const copiesOf = (request: PoolRequest, members: number): number =>
  mirrorsOf(request, Array.from({ length: members }))[0]?.length ?? 1

/** R18, R19 */
function* journalRefusals(request: PoolRequest, members: readonly MemberFacts[]): Generator<Refusal> {
  const { segmentBytes, journalCopies } = request
  const bytes = poolBytes(request, members)
  const least = RESERVE_SEGMENTS + REGIONS_MIN
  if (bytes !== undefined && bytes < least * segmentBytes) {
    const value = `${Math.floor(bytes / segmentBytes)} segments of ${segmentBytes} bytes`
    yield refusal('R18_JOURNAL_SMALL', value, { nearest: `${least} segments, ${least * segmentBytes} bytes` })
  }
  if (journalCopies === undefined) return
  const copies = copiesOf(request, members.length)
  const value = `${journalCopies} journal copies`
  if (journalCopies > members.length) {
    yield refusal('R19_JOURNAL_COPIES', `${value} on ${members.length} members`, { nearest: `${members.length}` })
    return
  }
  // A segment is written on each leg of a mirror, once: more copies lie on several members that have no legs.
  if (journalCopies < copies || (copies > 1 && journalCopies > copies)) {
    yield refusal('R19_JOURNAL_COPIES', `${value} of data kept ${copies} times`, { nearest: `${copies}` })
  } else if (copies === 1 && journalCopies > RUNS_MAX) {
    yield refusal('R19_JOURNAL_COPIES', `${value}, of ${RUNS_MAX} at the most`, { nearest: `${RUNS_MAX}` })
  }
}

/** What the members hold together; undefined while a size is unknown, or the layout is. */
export function poolBytes(request: PoolRequest, members: readonly MemberFacts[]): number | undefined {
  const sizes = members.flatMap(({ size }) => size ?? [])
  if (sizes.length < members.length || isParity(request)) return undefined
  const mirrors = mirrorsOf(request, sizes).map((legs) => stackSize('mirror', legs))
  const stripe = stripeUnitOf(request)
  const parts = mirrors.length > 0 ? mirrors : sizes
  return stackSize(stripe === undefined ? 'concat' : 'stripe', parts, stripe)
}
