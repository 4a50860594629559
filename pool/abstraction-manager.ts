import { randomBytes } from 'node:crypto'
import type { Progress } from './block-file.ts'
import { type Candidate, candidatesOf, factsAt, holdingRefusals, type MemberRequest } from './candidate.ts'
import type { ManagedPool } from './contract.ts'
import { formatDevices } from './create.ts'
import { PoolError } from './errors.ts'
import { FileDevice, type FileDeviceOptions } from './file-device.ts'
import { membersOf, refuseChanged } from './members-of-folder.ts'
import { NewFolder, refuseFullDisks } from './new-folder.ts'
import { type OpenOptions, openDevices } from './open.ts'
import { PoolFolder } from './pool-folder.ts'
import { type PoolOptions, type PoolPlan, planOf, requestOf } from './pool-plan.ts'
import type { PoolRequest } from './pool-request.ts'
import { acceptedBits, type Refusal, refusalText } from './refusal.ts'
import { judge, refusalError } from './refusals.ts'
import type { Stall } from './stall-watch.ts'
import { type IoWish, UUID_BYTES } from './superblock.ts'

/*
 * The abstraction manager builds a pool over devices and enforces write atomicity: a state set when the pool is
 * configured, written in its guard, and never changed (US 7,346,748). Whatever would let a write be torn is refused
 * here, before a byte is written.
 */

/** How the I/O of the members is done, wherever they are opened. */
export type DeviceOptions = Omit<FileDeviceOptions, 'io' | 'onStall'>

export interface CreatePoolRequest extends PoolOptions {
  readonly members: readonly MemberRequest[]
}

export interface CreatePoolOptions extends DeviceOptions {
  /** Of the block files that are made, all together. */
  readonly onProgress?: Progress
}

/** What there is to tell of a pool that was made. */
export interface CreatedPool {
  /** Risks that were taken by name, in words. */
  readonly accepted: readonly string[]
  /** Pools that were overwritten, in words. */
  readonly overwritten: readonly string[]
}

/** The smallest block file that holds a pool. */
export const POOL_BYTES_MIN = 24 << 20

/**
 * Makes a pool whose members `folder` names from then on. ERR_LIMITS with every refusal at once, ERR_NO_SPACE,
 * ERR_LOCKED; what was refused leaves every device as it was, and makes no file.
 *
 * If power fails meanwhile, there is no pool: the folder gets its name when all is written.
 */
export async function createPool(
  folder: string,
  { members, ...wished }: CreatePoolRequest,
  { onProgress = () => {}, ...devices }: CreatePoolOptions = {},
): Promise<CreatedPool> {
  const fresh = await NewFolder.at(folder)
  const candidates = await candidatesOf(members, fresh.target)
  const request = requestOf(wished, facts(candidates))
  const accepted = refuse(request, candidates)
  await refuseFullDisks(candidates)
  const plan = planOf(request, facts(candidates))
  await fresh.build(candidates, onProgress, (paths) => writePool(paths, request, plan, devices))
  const overwritten = candidates.flatMap(({ path, holds }) => (holds === undefined ? [] : `${path} was ${holds}`))
  return { accepted: accepted.map(refusalText), overwritten }
}

const facts = (candidates: readonly Candidate[]) => candidates.map((candidate) => candidate.facts)

/** Throws all that applies; gives back what was accepted. */
function refuse(request: PoolRequest, candidates: readonly Candidate[]): readonly Refusal[] {
  const { refused, accepted } = judge(request, facts(candidates))
  const all = [...refused, ...holdingRefusals(candidates)]
  if (all.length > 0) throw refusalError(all)
  if (request.discard) throw new PoolError('ERR_LIMITS', 'discard: a pool sends none to its members')
  return accepted
}

/** The facts of files that were made are read again: only now their flags and their extents are known. */
async function writePool(
  paths: readonly string[],
  request: PoolRequest,
  { format, geometry }: PoolPlan,
  options: DeviceOptions,
): Promise<void> {
  const { refused } = judge(request, paths.map(factsAt))
  if (refused.length > 0) throw refusalError(refused)
  const { atomicity } = request
  const io = request.io as IoWish
  const accepted = acceptedBits(request.accept)
  await withDevices(paths, { ...options, io }, async (devices) => {
    const identity = { pool: randomBytes(UUID_BYTES), members: devices.map(() => randomBytes(UUID_BYTES)) }
    await formatDevices(devices, { format, geometry, atomicity, accepted, io }, identity)
    await closeAll(devices)
  })
}

export interface OpenPoolOptions extends OpenOptions, DeviceOptions {
  /** Told of a device that does not answer in time. */
  readonly onStall?: (device: string, stall: Stall) => void
}

/**
 * Opens the pool in `folder`, its members held exclusively. What was refused when it was made is refused still, as the
 * members are now; what was accepted then stays accepted. ERR_NOT_FOUND with the names of members that are missing:
 * with `degraded` a mirror is opened without them. ERR_LIMITS, ERR_LOCKED, ERR_FORMAT, ERR_CORRUPT.
 */
export async function openPool(folder: string, options: OpenPoolOptions = {}): Promise<ManagedPool> {
  const found = await membersOf(new PoolFolder(folder), options.degraded)
  refuseChanged(found)
  const paths = found.members.flatMap((member) => member?.path ?? [])
  const { io } = found.guard
  return await withDevices(paths, { ...options, io }, (devices) => openDevices(devices, options))
}

/** True when `folder` names members of a pool. */
export const hasPool = async (folder: string): Promise<boolean> => (await new PoolFolder(folder).entries()).length > 0

type OpeningOptions = DeviceOptions & Pick<OpenPoolOptions, 'onStall'> & { readonly io: IoWish }

/** A member's device, as its pool was judged for. */
export function openMember(path: string, { onStall, ...options }: OpeningOptions): FileDevice {
  return FileDevice.open(path, { ...options, ...(onStall && { onStall: (stall) => onStall(path, stall) }) })
}

/** What fails, whether to open or in `work`, leaves none of them open. */
async function withDevices<T>(
  paths: readonly string[],
  options: OpeningOptions,
  work: (devices: readonly FileDevice[]) => Promise<T>,
): Promise<T> {
  const devices: FileDevice[] = []
  try {
    for (const path of paths) devices.push(openMember(path, options))
    return await work(devices)
  } catch (error) {
    await closeAll(devices)
    throw error
  }
}

async function closeAll(devices: readonly FileDevice[]): Promise<void> {
  await Promise.all(devices.map((device) => device.close()))
}
