import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import { columnsOf, type Geometry, isStriped, regionClass, turnBytes } from './geometry.ts'
import { ConcatDevice, type Leg, MirrorDevice, RangeDevice, StripeDevice } from './layout.ts'
import type { Member, Members } from './members.ts'
import type { Guard } from './superblock.ts'
import { Zones } from './zones.ts'

/** The data areas of all members as one device, and the zones on it. */
export interface DataDevice {
  readonly device: Device
  readonly zones: Zones
  /** One for each column of members, in their order. */
  readonly columns: readonly Device[]
}

/** Joins the members of a pool as its geometry says. Members that are missing or stale take no part. */
export function joinMembers({ geometry, format }: Pick<Guard, 'geometry' | 'format'>, members: Members): DataDevice {
  const { blockBytes } = format
  const columns = columnsOf(geometry, members.all).map((column) => columnDevice(geometry, column, members, blockBytes))
  const device = columnsDevice(geometry, columns, format.segmentBytes)
  const spans = isStriped(geometry) ? [device.limits.size] : columns.map(({ limits }) => limits.size)
  const zones = new Zones(format, spans, regionClass(geometry, format.segmentBytes, columns.length))
  return { device, zones, columns }
}

function columnsDevice(geometry: Geometry, columns: readonly Device[], segmentBytes: number): Device {
  if (!isStriped(geometry)) return new ConcatDevice(columns)
  return new StripeDevice(columns, geometry.stripeUnit, turnBytes(geometry, segmentBytes, columns.length))
}

function columnDevice(geometry: Geometry, column: readonly Member[], members: Members, blockBytes: number): Device {
  const size = Math.min(...column.map((member) => member.dataBytes))
  const inSync = column.filter(({ isInSync }) => isInSync)
  const legs = inSync.map((member) => legOf(member, members, dataAreaOf(member, { size, blockBytes })))
  return geometry.layout === 'mirror' || geometry.legs > 1 ? new MirrorDevice(legs, members.mutations) : legs[0]!.device
}

/**
 * The data area of a member, or as much of it as the others have. It is read and written in blocks of the pool: members
 * whose sectors are smaller can be joined with those whose are not, and be replaced by them.
 */
export function dataAreaOf(
  { device, zones }: Member,
  { size, blockBytes }: { readonly size: number; readonly blockBytes: number },
): Device {
  refuseBlocks(device!, blockBytes)
  return new RangeDevice(device!, zones!.dataOffset, size, blockBytes)
}

/** Throws ERR_LIMITS when a block of the pool is not whole sectors of `device`. */
export function refuseBlocks({ limits }: Device, blockBytes: number): void {
  const { logicalBlockSize } = limits
  if (blockBytes % logicalBlockSize === 0) return
  const problem = `blocks of ${blockBytes} bytes on logical blocks of ${logicalBlockSize}`
  throw new PoolError('ERR_LIMITS', `R06_LBS_MIXED: ${problem}: a request would be split, or not be aligned`)
}

export function legOf(member: Member, members: Members, device: Device): Leg {
  return {
    device,
    get isInSync() {
      return member.isInSync
    },
    drop: (cause) => members.drop(member, cause),
  }
}
