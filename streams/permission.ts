import type { Origin, Permission } from './envelope.ts'
import { StoreError } from './errors.ts'

/** Throws ERR_FORBIDDEN for a principal that lacks `permission`. */
export function permit({ principal }: Origin, permission: Permission): void {
  if (principal.permissions.includes(permission)) return
  throw new StoreError('ERR_FORBIDDEN', `application ${principal.application} lacks the permission ${permission}`)
}
