import type { MemberRequest, PoolAtomicity, PoolStatus } from '../pool/index.ts'
import type { Origin } from './envelope.ts'

/** What a principal may rely on of a pool, and change about its members; ERR_FORBIDDEN for any other. */
export interface PoolManagement {
  /** For `pool:inspect`. */
  atomicity(origin: Origin): PoolAtomicity
  /**
   * Makes the pool longer by a device, and tells how it is then; for `pool:manage`. ERR_INVALID with every refusal,
   * ERR_NO_SPACE, ERR_BUSY, ERR_LOCKED.
   */
  addDevice(origin: Origin, member: MemberRequest): Promise<PoolStatus>
  /** Puts a device in the place of a leg of a mirror, once all is copied to it. The same, and ERR_NOT_FOUND. */
  replaceDevice(origin: Origin, index: number, member: MemberRequest): Promise<PoolStatus>
}
