import { layoutRefusals } from './layout-refusals.ts'
import type { MemberFacts } from './member-facts.ts'
import { memberRefusals } from './member-refusals.ts'
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
  const found = [...layoutRefusals(request, members), ...memberRefusals(request, members)]
  const held = found.filter(({ code }) => holdsOn(code, request.atomicity))
  const isAccepted = ({ code, acceptable }: Refusal) => acceptable && request.accept.includes(code)
  return { refused: held.filter((each) => !isAccepted(each)), accepted: held.filter(isAccepted) }
}
