import { hasCode, type MemberRequest, type PoolAtomicity, type PoolStatus } from '../pool/index.ts'
import { type PoolManagement, permit, StoreError, toStoreError } from '../streams/index.ts'

/** A pool whose members can be changed while it is open. */
export interface ChangeablePool {
  status(): PoolStatus
  atomicity(): PoolAtomicity
  addDevice(member: MemberRequest): Promise<void>
  replaceDevice(index: number, member: MemberRequest): Promise<void>
}

/** What a principal may ask and do about the members of `pool`. */
export function managementOf(pool: ChangeablePool): PoolManagement {
  return {
    atomicity(origin) {
      permit(origin, 'pool:inspect')
      return pool.atomicity()
    },
    async addDevice(origin, member) {
      permit(origin, 'pool:manage')
      return await changed(pool, () => pool.addDevice(member))
    },
    async replaceDevice(origin, index, member) {
      permit(origin, 'pool:manage')
      return await changed(pool, () => pool.replaceDevice(index, member))
    },
  }
}

async function changed(pool: ChangeablePool, change: () => Promise<void>): Promise<PoolStatus> {
  try {
    await change()
    return pool.status()
  } catch (error) {
    // What was asked for is at fault, and the words say why.
    const isRefusal = hasCode(error, 'ERR_LIMITS', 'ERR_FORMAT', 'ERR_IO')
    throw isRefusal ? new StoreError('ERR_INVALID', error.message, { cause: error }) : toStoreError(error)
  }
}
