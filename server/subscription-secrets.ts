import { generateWebhookSecret } from '../protocols/index.ts'
import { StoreError, type SubscriptionRegistration } from '../streams/index.ts'
import type { RandomBytes } from './master-key.ts'
import type { SecretSeal } from './secrets.ts'

/** Secrets of one subscription that may sign beside the one that is valid. */
export const SECRETS_RETIRING_MAX = 4
export const OVERLAP_SECONDS_MAX = 30 * 86_400

/** What deliveries are signed with. */
export interface OpenSecrets {
  readonly current: string
  readonly retiring: readonly { readonly secret: string; readonly until: number }[]
}

type Sealed = Pick<SubscriptionRegistration, 'secret' | 'retiring'>

/** Makes a secret: as it is told, and as it is kept. */
export function newSecret(seal: SecretSeal, id: string, bytes: RandomBytes) {
  const secret = generateWebhookSecret(bytes)
  return { secret, sealed: { kind: 'sealed', value: seal.seal(id, secret) } as const }
}

/** Throws ERR_CORRUPT when one was sealed under another master key. */
export function openSecrets(seal: SecretSeal, id: string, { secret, retiring = [] }: Sealed): OpenSecrets {
  const open = (sealed: Sealed['secret']) => seal.open(id, sealed.value)
  return { current: open(secret), retiring: retiring.map(({ secret, until }) => ({ secret: open(secret), until })) }
}

export function validSecrets({ current, retiring }: OpenSecrets, now: number): readonly string[] {
  return [current, ...retiring.filter(({ until }) => until > now).map(({ secret }) => secret)]
}

/** The secret is replaced. Those before it sign until their time comes; without an overlap, none of them any more. */
export function rotated(
  before: Sealed,
  secret: Sealed['secret'],
  overlapSeconds: number,
  now: number,
): { readonly secret: Sealed['secret']; readonly retiring: NonNullable<Sealed['retiring']> } {
  const isOverlap = Number.isSafeInteger(overlapSeconds) && overlapSeconds >= 0 && overlapSeconds <= OVERLAP_SECONDS_MAX
  if (!isOverlap) throw new StoreError('ERR_INVALID', `secrets overlap for 0 to ${OVERLAP_SECONDS_MAX} seconds`)
  if (overlapSeconds === 0) return { secret, retiring: [] }
  const valid = (before.retiring ?? []).filter(({ until }) => until > now)
  if (valid.length >= SECRETS_RETIRING_MAX) throw tooMany(Math.min(...valid.map(({ until }) => until)))
  return { secret, retiring: [...valid, { secret: before.secret, until: now + overlapSeconds * 1000 }] }
}

function tooMany(until: number): StoreError {
  const when = new Date(until).toISOString()
  return new StoreError(
    'ERR_CONFLICT',
    `${SECRETS_RETIRING_MAX} earlier secrets still sign, the first of them until ${when}: wait for it, or end all with no overlap`,
  )
}
