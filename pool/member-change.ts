import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type DeviceOptions, type OpenPoolOptions, openMember } from './abstraction-manager.ts'
import { createBlockFile, type Progress } from './block-file.ts'
import { type Candidate, candidatesOf, factsAt, holdingRefusals, type MemberRequest } from './candidate.ts'
import type { FillProgress, ManagedPool, MemberStatus } from './contract.ts'
import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import { columnOf } from './geometry.ts'
import type { MemberFacts } from './member-facts.ts'
import { throwRefused } from './members-of-folder.ts'
import { refuseGrowth, refuseReplacement, refuseSmallerLeg } from './membership.ts'
import { peek } from './peeked-file.ts'
import { PoolFolder } from './pool-folder.ts'
import { requestOfGuard } from './pool-plan.ts'
import { judgeMembers } from './refusals.ts'
import type { ScrubReport } from './scrub-report.ts'
import type { Guard } from './superblock.ts'

/*
 * Members that come while a pool is open, and the folder that names them. The new name is durable before a superblock
 * lists the member, and the old one goes when none does any more. So if power fails
 *
 *   before the new member is listed      its name leads to what the pool does not know: passed over, and swept away later
 *   after that, before the old name goes  the old name leads to what the pool does not know any more: the same
 */

export interface ChangeOptions extends DeviceOptions, Pick<OpenPoolOptions, 'onStall'> {
  /** Of a block file that is made first. */
  readonly onProgress?: Progress
}

/** Makes the concat pool that was opened from `folder` longer. ERR_LIMITS with all refusals, ERR_NO_SPACE, ERR_BUSY. */
export async function addDevice(
  folder: string,
  pool: ManagedPool,
  member: MemberRequest,
  options: ChangeOptions = {},
): Promise<void> {
  const change = await Change.begin(folder, pool)
  await change.run(async () => {
    const { members, layout } = pool.status()
    refuseGrowth(layout, members.length, change.guard.format.blockBytes)
    const candidate = await change.candidate(member)
    await change.judge(candidate, members)
    await change.enter(candidate, options, (device) => pool.addMember(device))
  })
}

export interface ReplaceOptions extends ChangeOptions {
  /** Of the copying, which follows. */
  readonly onFill?: FillProgress
}

/**
 * Puts what is asked for in the place of a leg of the mirror that was opened from `folder`. Commits go on meanwhile.
 * Tells what was found wrong on any leg before the old one was let go.
 */
export async function replaceDevice(
  folder: string,
  pool: ManagedPool,
  index: number,
  member: MemberRequest,
  options: ReplaceOptions = {},
): Promise<ScrubReport> {
  const change = await Change.begin(folder, pool)
  return await change.run(async () => {
    const { members } = pool.status()
    const { geometry, format } = change.guard
    refuseReplacement(index, members, geometry)
    const candidate = await change.candidate(member)
    const old = members[index]!
    const legs = columnOf(geometry, members, old)
    refuseSmallerLeg(candidate.facts.size ?? 0, Math.min(...legs.map(({ bytes }) => bytes)), format)
    const others = (some: readonly MemberStatus[]) => some.filter((one) => one !== old)
    await change.judge(candidate, others(members), others(legs))
    const use = (device: Device) => pool.replaceMember(index, device, options.onFill)
    const report = await change.enter(candidate, options, use)
    await change.forget(old.device)
    return report
  })
}

/** Pools of which a member is being added or replaced. */
const changing = new WeakSet<ManagedPool>()

/** One change of the members of an open pool. */
class Change {
  readonly guard: Guard
  readonly #folder: PoolFolder
  readonly #pool: ManagedPool

  private constructor(folder: PoolFolder, pool: ManagedPool, guard: Guard) {
    this.#folder = folder
    this.#pool = pool
    this.guard = guard
  }

  static async begin(path: string, pool: ManagedPool): Promise<Change> {
    for (const { device, state } of pool.status().members) {
      const found = state === 'in-sync' && device !== undefined ? await peek(device) : undefined
      if (found) return new Change(new PoolFolder(path), pool, found.guard)
    }
    throw new PoolError('ERR_HALTED', 'no member of the pool can be read')
  }

  /** One at a time; what an interrupted one left is swept away first, and what this one leaves at the end. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (changing.has(this.#pool)) throw new PoolError('ERR_BUSY', 'another member is being added or replaced')
    changing.add(this.#pool)
    try {
      await this.#sweep()
      const result = await task()
      await this.#sweep()
      return result
    } finally {
      changing.delete(this.#pool)
    }
  }

  /**
   * Forgets entries that the pool does not know. Not while a member is missing: one of them may be it. What holds
   * another pool is nothing that this one left.
   */
  async #sweep(): Promise<void> {
    const { members } = this.#pool.status()
    if (members.some(({ device }) => device === undefined)) return
    for (const entry of await this.#folder.entries()) {
      if (members.some(({ device }) => device === entry.path)) continue
      const found = await peek(entry.path).catch(() => undefined)
      if (!found || this.#isOurs(found.guard)) await this.#folder.remove(entry)
    }
  }

  #isOurs(guard: Guard): boolean {
    return guard.pool.equals(this.guard.pool)
  }

  /** One that holds this very pool, and is not in use, was left by a change that was interrupted. */
  async candidate(member: MemberRequest): Promise<Candidate> {
    const [candidate] = await candidatesOf([member], this.#folder.path)
    const { path, holds } = candidate!
    if (holds === undefined || this.#pool.status().members.some(({ device }) => device === path)) return candidate!
    const found = await peek(path).catch(() => undefined)
    return found && this.#isOurs(found.guard) ? { ...candidate!, overwrite: true } : candidate!
  }

  /** Throws all that the newcomer is refused for, on its own and beside the others, or the legs that it is to join. */
  async judge(newcomer: Candidate, others: readonly MemberStatus[], legs: readonly MemberStatus[] = []): Promise<void> {
    const known = new Map<MemberStatus, MemberFacts>()
    for (const other of others) if (other.device !== undefined) known.set(other, factsAt(other.device))
    const mirror = [newcomer.facts, ...legs.flatMap((leg) => known.get(leg) ?? [])]
    const all = [newcomer.facts, ...known.values()]
    const refused = judgeMembers(requestOfGuard(this.guard), [newcomer.facts], all, mirror.length > 1 ? [mirror] : [])
    throwRefused([...refused, ...holdingRefusals([newcomer])])
  }

  /** Makes the file, or forgets what it held; names it, and has `use` make it a member. */
  async enter<T>(candidate: Candidate, options: ChangeOptions, use: (device: Device) => Promise<T>): Promise<T> {
    const { isOwn, bytes, holds } = candidate
    const name = await this.#folder.freeName()
    const path = isOwn ? join(this.#folder.path, name) : candidate.path
    if (bytes !== undefined) await createBlockFile(path, bytes, options.onProgress)
    let device: Device | undefined
    let isLinked = false
    try {
      device = openMember(path, { ...options, io: this.guard.io })
      if (holds !== undefined) await wipe(device)
      isLinked = !(await this.#isNamed(path))
      if (isLinked) await this.#folder.link(path, name)
      return await use(device)
    } catch (error) {
      await device?.close()
      // Of a pool that has halted nobody knows whether it lists the member.
      const isListed = this.#pool.status().state !== 'open'
      if (isLinked && !isListed) await this.#folder.remove({ name })
      if (bytes !== undefined && !isListed) await rm(path, { force: true })
      throw error
    }
  }

  /**
   * By a change that was interrupted, or as a file of its own. Two names of one device would look like a copied member.
   */
  async #isNamed(path: string): Promise<boolean> {
    return (await this.#folder.entries()).some((entry) => entry.path === path)
  }

  /** A member that was replaced, although others are missing still. */
  async forget(device: string | undefined): Promise<void> {
    const entry = (await this.#folder.entries()).find(({ path }) => path === device)
    if (entry) await this.#folder.remove(entry)
  }
}

const WIPED_BYTES = 64 * 1024

/** A guard of another pool would have this one refused, if power fails before its own is written. */
async function wipe(device: Device): Promise<void> {
  const { size, logicalBlockSize } = device.limits
  const zeros = Buffer.alloc(WIPED_BYTES)
  const end = size - (size % logicalBlockSize)
  for (const offset of [0, end - WIPED_BYTES]) await device.write(offset, zeros)
  await device.flush()
}
