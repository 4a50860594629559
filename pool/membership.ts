import { randomBytes } from 'node:crypto'
import type { Checkpoint } from './checkpoint.ts'
import type { FillProgress, MemberStatus } from './contract.ts'
import type { Core } from './core.ts'
import { writeGuards } from './create.ts'
import { type DataDevice, dataAreaOf, legOf, refuseBlocks } from './data-device.ts'
import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import type { Format } from './format.ts'
import { columnOf, columnsOf, type Geometry } from './geometry.ts'
import { ConcatDevice, type Leg, MirrorDevice } from './layout.ts'
import { Member } from './members.ts'
import type { Pages } from './pages.ts'
import { refuse } from './refusal.ts'
import type { ScrubOptions } from './scrub.ts'
import type { ScrubReport } from './scrub-report.ts'
import { type Guard, membersMax, UUID_BYTES } from './superblock.ts'
import { memberZonesOf } from './zones.ts'

export interface MembershipParts {
  readonly checkpoint: Checkpoint
  readonly pages: Pages
  /** Runs what must not fail halfway: if it does, the pool halts. */
  guarded(task: () => Promise<void>): Promise<void>
  /** Verifies every copy of what the pool holds, beside whatever else goes on, another scrub included. */
  verify(options: ScrubOptions): Promise<ScrubReport>
}

/**
 * Members that come while the pool is open. A new one gets its guards first, and belongs to the pool from the moment on
 * that a superblock lists it: if power fails before, it is a device that the pool does not know.
 */
export class Membership {
  readonly #core: Core
  readonly #guard: Guard
  readonly #data: DataDevice
  readonly #parts: MembershipParts
  #running: Promise<unknown> | undefined
  #stopped = false

  constructor(core: Core, guard: Guard, data: DataDevice, parts: MembershipParts) {
    this.#core = core
    this.#guard = guard
    this.#data = data
    this.#parts = parts
  }

  /** Makes a concatenation longer by `device`, which becomes the pool's. ERR_LIMITS, ERR_BUSY. */
  async add(device: Device): Promise<void> {
    const { members, zones, allocator } = this.#core
    const concat = this.#data.device
    const { layout } = this.#guard.geometry
    if (!(concat instanceof ConcatDevice)) throw refuse('R24_RESHAPE', onlyConcatGrows(layout))
    refuseGrowth(layout, members.all.length, zones.blockBytes)
    const { dataBytes: size } = memberZonesOf(device.limits.size, this.#guard.format)
    zones.regionsIn(size) // Throws where it holds no segment.
    await this.#exclusively(async () => {
      const member = await this.#prepare(device, size)
      await this.#join(member, () => {
        zones.add(size)
        concat.add(dataAreaOf(member, { size, blockBytes: zones.blockBytes }))
        allocator.grow()
        this.#parts.pages.grow()
        members.add(member)
      })
    })
  }

  /**
   * Puts `device` in the place of member number `index` of a mirror, after copying everything to it from the legs in
   * sync. Commits go on meanwhile. ERR_LIMITS, ERR_BUSY, or what the devices fail with: then nothing has changed. It
   * counts as no larger than the mirror is: the zones are computed from the sizes, and must stay where they are.
   *
   * The old leg goes only once everything was verified on all of them: it may be the one that has right what has rotted
   * where the copy was made from. The report tells what was repaired, and what is right nowhere, which stops nothing.
   */
  async replace(index: number, device: Device, onProgress: FillProgress = () => {}): Promise<ScrubReport> {
    const { members } = this.#core
    const old = members.all[index]
    if (!old) throw noMember(index, members.all.length)
    const columns = columnsOf(this.#guard.geometry, members.all)
    const column = columns.findIndex((legs) => legs.includes(old))
    const mirror = this.#data.columns[column]
    if (!(mirror instanceof MirrorDevice) || !members.isSpare(old)) {
      throw irreplaceable(index)
    }
    return await this.#exclusively(async () => {
      const { size } = mirror.limits
      refuseSmallerLeg(device.limits.size, size, this.#guard.format)
      // With the room of the mirror and no more: were every leg larger one day, the mirror would grow under its data.
      const member = await this.#prepare(device, size)
      const report = await this.#fill(mirror, { member, index }, onProgress, (leg) => {
        if (leg.failure) throw leg.failure
        members.replace(old, member)
        leg.state = 'joined'
      })
      mirror.remove()
      await members.retire(old)
      await old.device?.close()
      if (!member.isInSync) throw member.failure
      return report
    })
  }

  /** No change of the members is underway any more when it resolves, and none will begin: the pool is being closed. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running?.catch(() => {}) // Whoever asked for it is told.
  }

  /** Between two batches and two checkpoints. Once `install` has changed something, a failure is the pool's. */
  async #join(member: Member, install: () => void): Promise<void> {
    const { members } = this.#core
    let changed = false
    const join = () =>
      members.join(member, () => {
        this.#assertGoingOn()
        install()
        changed = true
      })
    try {
      await this.#parts.checkpoint.exclusively(join)
    } catch (error) {
      if (!changed) throw error
      await this.#parts.guarded(() => Promise.reject(error))
    }
  }

  async #fill(
    mirror: MirrorDevice,
    { member, index }: { readonly member: Member; readonly index: number },
    onProgress: FillProgress,
    install: (leg: NewLeg) => void,
  ): Promise<ScrubReport> {
    const { members, zones } = this.#core
    const area = dataAreaOf(member, { size: mirror.limits.size, blockBytes: zones.blockBytes })
    const leg = new NewLeg(legOf(member, members, area))
    mirror.add(leg)
    try {
      await mirror.fill(leg, (done, total) => {
        onProgress(done, total)
        this.#assertGoingOn()
      })
      return await members.expecting(member, index, async () => {
        const report = await this.#verify(leg)
        await this.#join(member, () => install(leg))
        return report
      })
    } finally {
      if (leg.state !== 'joined') mirror.remove(leg)
    }
  }

  /** As one more copy, to be compared with the others and repaired like them. */
  async #verify(leg: NewLeg): Promise<ScrubReport> {
    leg.state = 'filled'
    const onProgress = () => {
      if (leg.failure) throw leg.failure
      this.#assertGoingOn()
    }
    return await this.#parts.verify({ cursor: { stage: 'pages', level: 0, index: 0 }, onProgress })
  }

  #assertGoingOn(): void {
    this.#core.members.assertUsable()
    if (this.#stopped) throw new PoolError('ERR_CLOSED', 'the pool is being closed')
  }

  /** A blank member of `dataBytes`: guards, and rings that hold no superblock of an earlier life. */
  async #prepare(device: Device, dataBytes: number): Promise<Member> {
    const { format } = this.#guard
    refuseBlocks(device, format.blockBytes)
    const zones = memberZonesOf(device.limits.size, format)
    const entry = { uuid: randomBytes(UUID_BYTES), state: 'in-sync' as const, dataBytes }
    const member = new Member(entry, { device, zones })
    const ring = Buffer.alloc(zones.ringSlots * zones.blockBytes)
    for (const offset of zones.rings) await device.write(offset, ring)
    await device.flush()
    await writeGuards([member], this.#guard)
    return member
  }

  async #exclusively<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running !== undefined) throw new PoolError('ERR_BUSY', 'another member is being added or replaced')
    this.#assertGoingOn()
    const running = task().finally(() => {
      this.#running = undefined
    })
    this.#running = running
    return await running
  }
}

const onlyConcatGrows = (layout: string): string => `only a concat pool grows by a device, and this one is a ${layout}`

const irreplaceable = (index: number): PoolError =>
  refuse('R24_RESHAPE', `nothing stands in for member ${index}, so it cannot be replaced`)

const noMember = (index: number, count: number): PoolError =>
  new PoolError('ERR_NOT_FOUND', `there is no member ${index}: the pool has ${count}`)

/** Throws where member `index` cannot be replaced, whatever by. */
export function refuseReplacement(index: number, members: readonly MemberStatus[], geometry: Geometry): void {
  const old = members[index]
  if (!old) throw noMember(index, members.length)
  if (!columnOf(geometry, members, old).some((leg) => leg !== old && leg.state === 'in-sync'))
    throw irreplaceable(index)
}

/** Throws where no device can be added, whichever it is. */
export function refuseGrowth(layout: string, members: number, blockBytes: number): void {
  if (layout !== 'concat') throw refuse('R24_RESHAPE', onlyConcatGrows(layout))
  const most = membersMax(blockBytes)
  if (members >= most) throw new PoolError('ERR_LIMITS', `a pool has at most ${most} members`)
}

/** Throws where a device of `bytes` has less room for data than the `dataBytes` that its leg holds. */
export function refuseSmallerLeg(bytes: number, dataBytes: number, format: Format): void {
  const room = memberZonesOf(bytes, format).dataBytes
  if (room >= dataBytes) return
  throw new PoolError(
    'ERR_LIMITS',
    `a device of ${bytes} bytes is too small to take the place: it has room for ${room} bytes of data of ${dataBytes}`,
  )
}

/**
 * A leg that is to take the place of another. Until a superblock lists it, it is forgotten should it fail.
 *
 *   filling (takes writes, is no source) ──everything copied──▶ filled (one more copy) ──listed──▶ joined
 */
class NewLeg implements Leg {
  readonly #leg: Leg
  state: 'filling' | 'filled' | 'joined' = 'filling'
  failure: unknown

  constructor(leg: Leg) {
    this.#leg = leg
  }

  get device(): Device {
    return this.#leg.device
  }

  get isFilling(): boolean {
    return this.state === 'filling'
  }

  get isInSync(): boolean {
    return !this.isFilling && this.failure === undefined && this.#leg.isInSync
  }

  async drop(cause: unknown): Promise<void> {
    if (this.state === 'joined') return await this.#leg.drop(cause)
    this.failure ??= cause
  }
}
