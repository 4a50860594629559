import type { Attributes, ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { meets } from './glob.ts'

/* What an application's policy lets pass. What it does not is refused in words that its client may read. */

/** Throws ERR_NAME for a name that meets none of the patterns. */
export function requireName({ principal }: Origin, name: ObjectName): void {
  const { names } = principal.policy ?? {}
  if (names === undefined || names.some((pattern) => meets(pattern, name))) return
  throw new StoreError('ERR_NAME', `${principal.application} may store ${names.join(', ')} and no other names`)
}

/** Throws ERR_CONTENT for content that was found to be of another type; what its client calls it counts for nothing. */
export function requireContent({ principal }: Origin, found: Attributes): void {
  const { contentTypes } = principal.policy ?? {}
  const type = String(found['content.type'] ?? 'application/octet-stream')
  if (contentTypes === undefined || contentTypes.some((allowed) => isOf(type, allowed))) return
  const may = `${principal.application} may store ${contentTypes.join(', ')}`
  throw new StoreError('ERR_CONTENT', `${may}, and this is ${type}`)
}

function isOf(type: string, allowed: string): boolean {
  return allowed.endsWith('/*') ? type.startsWith(allowed.slice(0, -1)) : type === allowed
}

/** Of one object: what the store allows, or the policy, whichever is less. */
export function objectBytesMaxOf({ principal }: Origin, objectBytesMax: number): number {
  return Math.min(objectBytesMax, principal.policy?.objectBytesMax ?? objectBytesMax)
}
