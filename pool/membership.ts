import { randomBytes } from 'node:crypto'
import type { Checkpoint } from './checkpoint.ts'
import type { FillProgress } from './contract.ts'
import type { Core } from './core.ts'
import { writeGuards } from './create.ts'
import { type DataDevice, legOf } from './data-device.ts'
import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import type { Format } from './format.ts'
import { columnsOf } from './geometry.ts'
import { ConcatDevice, type Leg, MirrorDevice, RangeDevice } from './layout.ts'
import { Member } from './members.ts'
import type { Pages } from './pages.ts'
import { refuse } from './refusal.ts'
import { type Guard, membersMax, UUID_BYTES } from './superblock.ts'
import { memberZonesOf } from './zones.ts'

export interface MembershipParts {
  readonly checkpoint: Checkpoint
  readonly pages: Pages
  /** Runs what must not fail halfway: if it does, the pool halts. */
  guarded(task: () => Promise<void>): Promise<void>
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
  #busy = false

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
    zones.regionsIn(memberZonesOf(device.limits.size, this.#guard.format).dataBytes)
    await this.#exclusively(async () => {
      const member = await this.#prepare(device)
      await this.#between(async () => {
        zones.add(member.dataBytes)
        concat.add(new RangeDevice(device, member.zones!.dataOffset, member.dataBytes))
        allocator.grow()
        this.#parts.pages.grow()
        members.add(member)
        await members.update()
      })
    })
  }

  /**
   * Puts `device` in the place of member number `index` of a mirror, after copying everything to it from the legs in
   * sync. Commits go on meanwhile. ERR_LIMITS, ERR_BUSY, or what the devices fail with: then nothing has changed.
   */
  async replace(index: number, device: Device, onProgress: FillProgress = () => {}): Promise<void> {
    const { members } = this.#core
    const old = members.all[index]
    if (!old) throw new PoolError('ERR_NOT_FOUND', `there is no member ${index}: the pool has ${members.all.length}`)
    const columns = columnsOf(this.#guard.geometry, members.all)
    const column = columns.findIndex((legs) => legs.includes(old))
    const mirror = this.#data.columns[column]
    if (!(mirror instanceof MirrorDevice) || !members.isSpare(old)) {
      throw refuse('R24_RESHAPE', `nothing stands in for member ${index}, so it cannot be replaced`)
    }
    await this.#exclusively(async () => {
      const { size } = mirror.limits
      refuseSmallerLeg(device.limits.size, size, this.#guard.format)
      // With the room of the mirror and no more: were every leg larger one day, the mirror would grow under its data.
      const member = await this.#prepare(device, size)
      const leg = await this.#fill(mirror, member, size, onProgress)
      await this.#between(async () => {
        if (leg.failure) return
        members.replace(old, member)
        leg.isFilling = false
        await members.update()
      })
      if (leg.failure) mirror.remove(leg)
      if (leg.failure) throw leg.failure
      await old.device?.close()
    })
  }

  /** Between two batches and two checkpoints. */
  #between(task: () => Promise<void>): Promise<void> {
    return this.#parts.guarded(() => this.#parts.checkpoint.exclusively(task))
  }

  async #fill(mirror: MirrorDevice, member: Member, size: number, onProgress: FillProgress): Promise<FillingLeg> {
    const leg = new FillingLeg(legOf(member, this.#core.members, size))
    mirror.add(leg)
    try {
      await mirror.fill(leg, onProgress)
      return leg
    } catch (error) {
      mirror.remove(leg)
      throw error
    }
  }

  /** A blank member: guards, and rings that hold no superblock of an earlier life. */
  async #prepare(device: Device, dataBytes?: number): Promise<Member> {
    const { format } = this.#guard
    const zones = memberZonesOf(device.limits.size, format)
    const entry = { uuid: randomBytes(UUID_BYTES), state: 'in-sync' as const, dataBytes: dataBytes ?? zones.dataBytes }
    const member = new Member(entry, { device, zones })
    const ring = Buffer.alloc(zones.ringSlots * zones.blockBytes)
    for (const offset of zones.rings) await device.write(offset, ring)
    await device.flush()
    await writeGuards([member], this.#guard)
    return member
  }

  async #exclusively(task: () => Promise<void>): Promise<void> {
    if (this.#busy) throw new PoolError('ERR_BUSY', 'another member is being added or replaced')
    this.#busy = true
    try {
      await task()
    } finally {
      this.#busy = false
    }
  }
}

const onlyConcatGrows = (layout: string): string => `only a concat pool grows by a device, and this one is a ${layout}`

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

/** A leg that takes writes and is no source; should it fail, it is forgotten. */
class FillingLeg implements Leg {
  readonly #leg: Leg
  isFilling = true
  failure: unknown

  constructor(leg: Leg) {
    this.#leg = leg
  }

  get device(): Device {
    return this.#leg.device
  }

  get isInSync(): boolean {
    return !this.isFilling && this.failure === undefined && this.#leg.isInSync
  }

  async drop(cause: unknown): Promise<void> {
    if (!this.isFilling) return await this.#leg.drop(cause)
    this.failure ??= cause
  }
}
