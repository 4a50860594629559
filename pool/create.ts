import { Allocator } from './allocator.ts'
import { sha256 } from './checksum.ts'
import { joinMembers } from './data-device.ts'
import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import type { Format } from './format.ts'
import { type Geometry, SINGLE } from './geometry.ts'
import { Member, Members } from './members.ts'
import { Pages } from './pages.ts'
import { encodeSegmentHeader, type Regions, Segment, type SegmentHeader } from './segment.ts'
import { Segments } from './segments.ts'
import { type Atomicity, encodeGuard, type Guard, type IoWish, membersMax, type Superblock } from './superblock.ts'
import { memberZonesOf, REGIONS_MIN, type Zones } from './zones.ts'

/** Identities for a new pool and its members; 16 random bytes each. */
export interface PoolIdentity {
  readonly pool: Buffer
  readonly members: readonly Buffer[]
}

/** What is configured when a pool is made, and never changes. */
export interface PoolConfiguration {
  readonly format: Format
  readonly geometry?: Geometry
  readonly atomicity?: Atomicity
  /** Refusals accepted by name: bit n for R n. */
  readonly accepted?: number
  /** How members are to be read and written. */
  readonly io?: IoWish
}

const FIRST_SEQUENCE = 1

/** Writes an empty pool on `devices`. The guards come last: until they are there, no device holds a pool. */
export async function formatDevices(
  devices: readonly Device[],
  { format, geometry = SINGLE, atomicity = 'enforced', accepted = 0, io = 'auto' }: PoolConfiguration,
  identity: PoolIdentity,
): Promise<void> {
  if (devices.length > membersMax(format.blockBytes)) {
    throw new PoolError('ERR_LIMITS', `a pool has at most ${membersMax(format.blockBytes)} members`)
  }
  const present = devices.map((device, i) => {
    const zones = memberZonesOf(device.limits.size, format)
    const entry = { uuid: identity.members[i]!, state: 'in-sync' as const, dataBytes: zones.dataBytes }
    return new Member(entry, { device, zones })
  })
  const chain = sha256(identity.pool)
  const members = new Members({ pool: identity.pool, geometry, format }, present, blank(chain))
  const { device, zones } = joinMembers({ geometry, format }, members)
  const [regions, successor] = firstSegments(zones, geometry.runs)
  const header: SegmentHeader = {
    compacted: false,
    ordinal: 0,
    epoch: 0,
    firstSequence: FIRST_SEQUENCE,
    regions,
    successor,
    previous: chain,
  }
  const segments = new Segments(device, zones, identity.pool, 1)
  await segments.write(header, 0, encodeSegmentHeader(header, identity.pool, zones.blockBytes))
  const page = Segment.open(header, zones).encodePage(zones.blockBytes)
  const pages = await new Pages(device, zones).write(new Map([[zones.regionPage(regions[0]!), page]]))
  await device.flush()
  await members.update(() => ({ ...blank(chain), checkpointRegion: regions[0]!, pages }))
  await writeGuards(present, { pool: identity.pool, format, geometry, atomicity, accepted, io })
}

/** Before the first superblock. */
const blank = (chain: Buffer): Superblock => ({
  serial: 0,
  epoch: 0,
  epochStartLsn: 1,
  checkpointLsn: 1,
  checkpointRegion: 0,
  chain,
  knownDurableLsn: 1,
  cleanEndLsn: 1,
  nextSequence: FIRST_SEQUENCE,
  pages: { block: 0, checksum: 0, pages: 0 },
  members: [],
})

function firstSegments(zones: Zones, runs: number): [Regions, Regions] {
  const allocator = new Allocator(zones, 0, runs)
  const { freeSegments } = allocator
  if (freeSegments < REGIONS_MIN) {
    const problem = `${runs} runs on distinct members leave room for ${freeSegments} segments`
    throw new PoolError('ERR_LIMITS', `R18_JOURNAL_SMALL: ${problem}: a pool needs ${REGIONS_MIN}`)
  }
  return [allocator.takeSegment()!, allocator.takeSegment()!]
}

/** The last that is written on a device, and the first that is read. */
export async function writeGuards(
  members: readonly Member[],
  guard: Omit<Guard, 'member' | 'deviceBytes'>,
): Promise<void> {
  for (const { device, zones, uuid } of members) {
    const block = encodeGuard({ ...guard, member: uuid, deviceBytes: device!.limits.size })
    for (const offset of zones!.guards) await device!.write(offset, block)
    await device!.flush()
  }
}
