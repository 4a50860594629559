import type { Device, Readable } from './device.ts'
import { PoolError } from './errors.ts'
import { columnsOf, type Geometry } from './geometry.ts'
import { refuse } from './refusal.ts'
import type { Guard, MemberEntry, Superblock } from './superblock.ts'

/** A device as it was found: its guard, and its newest superblock unless both its rings are lost. */
export interface FoundMember<D extends Readable = Device> {
  readonly device: D
  readonly guard: Guard
  readonly superblock: Superblock | undefined
}

/** Which superblock is in force, and which device is which member; a member that is missing has none. */
export interface Assembled<D extends Readable = Device> {
  readonly superblock: Superblock
  readonly members: readonly { readonly entry: MemberEntry; readonly found: FoundMember<D> | undefined }[]
}

/**
 * Decides what the devices that were found are together. No acknowledged byte may be lost by it, and none mixed up:
 *
 *   | found                                                          | verdict |
 *   | devices of two pools, or one member twice                      | refused: R25 |
 *   | a device that changed its size                                 | refused: R25 |
 *   | a member that the newest superblock does not list              | ignored: it was replaced, or never joined |
 *   | the newest superblock says a member is stale                   | it is no source; the pool is degraded |
 *   | … but that member went on alone, and calls others stale        | refused: R25, the pool has split |
 *   | a member is of a later life than the newest superblock         | refused: R25, the pool has split |
 *   | a member more than one superblock behind the newest            | it was rolled back: stale |
 *   | a leg of a mirror with both rings lost                         | stale |
 *   | a member that nothing stands in for is missing or stale        | refused |
 *   | another is missing, or stale without the newest saying so      | refused, unless `degraded` is asked for |
 */
export function assemble<D extends Readable>(found: readonly FoundMember<D>[], degraded: boolean): Assembled<D> {
  const { guard } = refuseStrangers(found)
  const superblock = newestOf(found)
  if (!superblock) throw new PoolError('ERR_CORRUPT', 'no valid superblock in any ring')
  const members = superblock.members.map((entry) => {
    const member = found.find(({ guard }) => guard.member.equals(entry.uuid))
    return { entry: judge(entry, member, superblock, guard.geometry), found: member }
  })
  refuseSplit(found, members, superblock)
  refuseLoss(members, superblock, guard.geometry, degraded)
  return { superblock, members }
}

/** The guard of all of them. */
function refuseStrangers(found: readonly FoundMember<Readable>[]): FoundMember<Readable> {
  const [first] = found
  if (!first) throw new PoolError('ERR_FORMAT', 'a pool has at least one member')
  const seen = new Set<string>()
  for (const { guard, device } of found) {
    const name = guard.member.toString('hex')
    if (!guard.pool.equals(first.guard.pool)) throw strange(`member ${name} belongs to another pool`)
    if (seen.has(name)) throw strange(`two devices are member ${name}: one is a copy of the other`)
    seen.add(name)
    if (guard.deviceBytes === device.limits.size) continue
    throw strange(`the pool was made on ${guard.deviceBytes} bytes, the device has ${device.limits.size}`)
  }
  return first
}

/**
 * Of two with one serial the one of the later life counts, which went on without what the other had got of a change that
 * power failure cut short; of one life, the one that knows of a stale member.
 */
function newestOf(found: readonly FoundMember<Readable>[]): Superblock | undefined {
  let newest: Superblock | undefined
  for (const { superblock } of found) {
    if (!superblock) continue
    if (!newest || isLater(superblock, newest)) newest = superblock
  }
  return newest
}

function isLater(superblock: Superblock, than: Superblock): boolean {
  if (superblock.serial !== than.serial) return superblock.serial > than.serial
  if (superblock.epoch !== than.epoch) return superblock.epoch > than.epoch
  return staleIn(superblock) > staleIn(than)
}

const staleIn = ({ members }: Superblock): number => members.filter(({ state }) => state === 'stale').length

function judge(
  entry: MemberEntry,
  member: FoundMember<Readable> | undefined,
  newest: Superblock,
  { legs, layout }: Geometry,
): MemberEntry {
  const mirrored = legs > 1 || layout === 'mirror'
  const serial = member?.superblock?.serial
  const lost = member && serial === undefined && mirrored
  const behind = serial !== undefined && serial < newest.serial - 1
  return !member || lost || behind ? { ...entry, state: 'stale' } : entry
}

/** Members that went on without each other hold different histories, and both may have acknowledged. */
function refuseSplit(
  found: readonly FoundMember<Readable>[],
  members: Assembled<Readable>['members'],
  newest: Superblock,
): void {
  const inSync = members.filter(({ entry }) => entry.state === 'in-sync')
  const isInSync = (uuid: Buffer) => inSync.some(({ entry }) => entry.uuid.equals(uuid))
  for (const { superblock, guard } of found) {
    if (!superblock || superblock === newest) continue
    // Lives follow each other, so this one is no part of the newest's history.
    const isLater = superblock.epoch > newest.epoch
    const accuses = superblock.members.some(({ uuid, state }) => state === 'stale' && isInSync(uuid))
    if (isLater || (accuses && !isInSync(guard.member)))
      throw strange(`the pool has split: member ${guard.member.toString('hex')} went on without the others`)
  }
}

function refuseLoss(
  members: Assembled<Readable>['members'],
  newest: Superblock,
  geometry: Geometry,
  degraded: boolean,
): void {
  for (const column of columnsOf(geometry, members)) {
    if (column.some(({ entry }) => entry.state === 'in-sync')) continue
    const names = column.map(({ entry, found }) => `${entry.uuid.toString('hex')} is ${found ? 'stale' : 'missing'}`)
    throw refuse('R25_FOREIGN', `member ${names.join(', member ')}, and nothing stands in for it`, 'ERR_NOT_FOUND')
  }
  const news = members.find(({ entry }, i) => entry.state === 'stale' && newest.members[i]!.state === 'in-sync')
  if (!news || degraded) return
  const what = news.found ? 'was rolled back or has lost its superblocks' : 'is missing'
  throw new PoolError(
    'ERR_NOT_FOUND',
    `member ${news.entry.uuid.toString('hex')} ${what}: the pool opens without it only when asked to (--degraded)`,
  )
}

const strange = (problem: string): PoolError => refuse('R25_FOREIGN', problem, 'ERR_FORMAT')
