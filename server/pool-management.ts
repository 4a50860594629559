import { hasCode, type ManagedPool, type MemberRequest, type PoolStatus } from '../pool/index.ts'
import type { PoolInspection, PoolManagement, ScrubReport, ScrubRequest, ScrubStatus } from '../streams/index.ts'
import { inStoreWords, permit, StoreError, toStoreError } from '../streams/index.ts'

export interface Scrubs {
  readonly status: ScrubStatus
  run(request: ScrubRequest): Promise<ScrubReport>
  stop(): Promise<void>
}

/** What a principal may ask of the pool `name`. */
export function inspectionOf(
  name: string,
  pool: Pick<ManagedPool, 'status' | 'atomicity' | 'check'>,
  scrubs: Scrubs,
): PoolInspection {
  return {
    name,
    status(origin) {
      permit(origin, 'pool:inspect')
      return pool.status()
    },
    atomicity(origin) {
      permit(origin, 'pool:inspect')
      return pool.atomicity()
    },
    async check(origin) {
      permit(origin, 'pool:inspect')
      return pool.check()
    },
    async scrub(origin, request) {
      permit(origin, 'pool:inspect')
      return inStoreWords(() => scrubs.run(request))
    },
    scrubStatus(origin) {
      permit(origin, 'pool:inspect')
      return scrubs.status
    },
    async stopScrub(origin) {
      permit(origin, 'pool:inspect')
      await scrubs.stop()
    },
  }
}

/** A pool whose members can be changed while it is open. */
export interface ChangeablePool {
  status(): PoolStatus
  addDevice(member: MemberRequest): Promise<void>
  replaceDevice(index: number, member: MemberRequest): Promise<void>
}

/** What a principal may change about the members of `pool`. */
export function managementOf(pool: ChangeablePool): PoolManagement {
  return {
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
