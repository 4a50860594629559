import { type Device, type Format, formatDevices, type OpenOptions, openDevices } from '../../pool/index.ts'
import { type MemberZones, memberZonesOf, Zones } from '../../pool/zones.ts'

/** Identities of a pool of one member. */
export interface Identity {
  readonly pool: Buffer
  readonly member: Buffer
}

/** Writes an empty pool on one device. */
export async function formatDevice(device: Device, format: Format, { pool, member }: Identity): Promise<void> {
  await formatDevices([device], { format }, { pool, members: [member] })
}

/** Opens the pool on one device. */
export const openDevice = (device: Device, options?: OpenOptions) => openDevices([device], options)

/** Where things are on the device of such a pool, from its start. */
export class SingleZones {
  readonly member: MemberZones
  readonly data: Zones
  readonly guards: readonly [number, number]
  readonly rings: readonly [number, number]
  readonly blockBytes: number
  readonly ringBytes: number
  /** The metadata zone. */
  readonly metadata: { readonly start: number; readonly end: number }

  constructor(deviceBytes: number, format: Format) {
    this.member = memberZonesOf(deviceBytes, format)
    this.data = new Zones(format, [this.member.dataBytes])
    this.guards = this.member.guards
    this.rings = this.member.rings
    this.blockBytes = format.blockBytes
    this.ringBytes = format.ringSlots * format.blockBytes
    const { metadataBlock, metadataBlocks } = this.data.spans[0]!
    const start = this.member.dataOffset + metadataBlock * format.blockBytes
    this.metadata = { start, end: start + metadataBlocks * format.blockBytes }
  }

  regionOffset(region: number): number {
    return this.member.dataOffset + this.data.regionOffset(region)
  }

  unitOffset(unit: number): number {
    return this.member.dataOffset + this.data.unitOffset(unit)
  }
}
