import { layoutRefusals } from './layout-refusals.ts'
import type { MemberFacts } from './member-facts.ts'
import { memberRefusals, refusalsOfOne, sharingRefusals } from './member-refusals.ts'
import { checkPoolRequest, type PoolRequest } from './pool-request.ts'
import { holdsOn, type Refusal } from './refusal.ts'

export type { MemberFacts } from './member-facts.ts'
export { MIRROR_LEGS, type PoolLayout, type PoolRequest, STRIPE_UNIT_BYTES } from './pool-request.ts'
export {
  ACCEPTABLE_CODES,
  REFUSAL_CODES,
  type Refusal,
  type RefusalCode,
  type RefusalDetail,
  refusal,
  refusalError,
  refusalText,
} from './refusal.ts'

/*
 * What a pool refuses, before a byte of any member is written. Facts go in, refusals come out: all that apply, so that
 * whoever asks need not ask again for each.
 */

/** Every refusal that applies and was not accepted by name. ERR_LIMITS when the request itself makes no sense. */
export const refusalsOf = (request: PoolRequest, members: readonly MemberFacts[]): readonly Refusal[] =>
  judge(request, members).refused

/** The same, and what was accepted, which the pool keeps and tells for ever. */
export function judge(
  request: PoolRequest,
  members: readonly MemberFacts[],
): { readonly refused: readonly Refusal[]; readonly accepted: readonly Refusal[] } {
  checkPoolRequest(request, members.length)
  return sorted(request, [...layoutRefusals(request, members), ...memberRefusals(request, members)])
}

/**
 * The same for members that a pool has, or is to get: `newcomers` are judged on their own, and all of them beside each
 * other. `mirrors` are those that hold the same bytes.
 */
export function judgeMembers(
  request: PoolRequest,
  newcomers: readonly MemberFacts[],
  all: readonly MemberFacts[],
  mirrors: readonly (readonly MemberFacts[])[],
): readonly Refusal[] {
  const alone = newcomers.flatMap((member) => [...refusalsOfOne(request, member)])
  return sorted(request, [...alone, ...sharingRefusals(request, all, mirrors)]).refused
}

function sorted(request: PoolRequest, found: readonly Refusal[]): ReturnType<typeof judge> {
  const held = found.filter(({ code }) => holdsOn(code, request.atomicity))
  const isAccepted = ({ code, acceptable }: Refusal) => acceptable && request.accept.includes(code)
  return { refused: held.filter((each) => !isAccepted(each)), accepted: held.filter(isAccepted) }
}
