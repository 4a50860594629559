import type { Device } from './device.ts'
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
  const columns = columnsOf(geometry, members.all).map((column) => columnDevice(geometry, column, members))
  const device = columnsDevice(geometry, columns, format.segmentBytes)
  const spans = isStriped(geometry) ? [device.limits.size] : columns.map(({ limits }) => limits.size)
  const zones = new Zones(format, spans, regionClass(geometry, format.segmentBytes, columns.length))
  return { device, zones, columns }
}

function columnsDevice(geometry: Geometry, columns: readonly Device[], segmentBytes: number): Device {
  if (!isStriped(geometry)) return new ConcatDevice(columns)
  return new StripeDevice(columns, geometry.stripeUnit, turnBytes(geometry, segmentBytes, columns.length))
}

function columnDevice(geometry: Geometry, column: readonly Member[], members: Members): Device {
  const dataBytes = Math.min(...column.map((member) => member.dataBytes))
  const legs = column.filter(({ isInSync }) => isInSync).map((member) => legOf(member, members, dataBytes))
  return geometry.layout === 'mirror' || geometry.legs > 1 ? new MirrorDevice(legs, members.mutations) : legs[0]!.device
}

export function legOf(member: Member, members: Members, dataBytes: number): Leg {
  return {
    device: new RangeDevice(member.device!, member.zones!.dataOffset, dataBytes),
    get isInSync() {
      return member.isInSync
    },
    drop: (cause) => members.drop(member, cause),
  }
}
