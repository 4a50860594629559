import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import { columnOf, type Geometry } from './geometry.ts'
import { Mutex } from './io.ts'
import { type Mutations, NO_MUTATIONS } from './mutation.ts'
import {
  encodeSuperblock,
  type Guard,
  type MemberEntry,
  type MemberState,
  ringOffset,
  type Superblock,
} from './superblock.ts'
import type { MemberZones } from './zones.ts'

/** A device of the pool, or the memory of one that is missing. */
export class Member {
  readonly uuid: Buffer
  readonly dataBytes: number
  /** Undefined while it is missing; one that is missing is stale. */
  readonly device: Device | undefined
  readonly zones: MemberZones | undefined
  state: MemberState
  /** Serial of the newest superblock that it was found with. */
  readonly foundSerial: number
  /** Why it was taken out of use, when that was in this life of the pool. */
  failure: unknown

  constructor(entry: MemberEntry, present?: { device: Device; zones: MemberZones; serial?: number }) {
    this.uuid = entry.uuid
    this.dataBytes = entry.dataBytes
    this.device = present?.device
    this.zones = present?.zones
    this.state = entry.state
    this.foundSerial = present?.serial ?? 0
  }

  get isInSync(): boolean {
    return this.state === 'in-sync'
  }

  get entry(): MemberEntry {
    return { uuid: this.uuid, state: this.state, dataBytes: this.dataBytes }
  }
}

/** Told when a member is taken out of use; by its device's name, or its number. */
export type OnDropped = (device: string, cause: unknown) => void

export interface MembersOptions {
  readonly onDropped?: OnDropped | undefined
  readonly mutations?: Mutations | undefined
}

/** What a change of the superblock leaves to this class. */
export type SuperblockChange = (superblock: Superblock) => Omit<Superblock, 'serial' | 'members'>

const unchanged: SuperblockChange = (superblock) => superblock

/**
 * The members of an open pool, and the superblock that all of them hold.
 *
 * 1. The superblock goes to every member in sync: front rings, flush, rear rings, flush. Whatever power loss tears, one
 *    ring of each member holds a whole one, and no two members differ by more than one serial: what the last life left
 *    on some of them goes to the others before the next one is written.
 * 2. A leg that fails is stale from that moment on. Nothing that it missed is acknowledged before the other members'
 *    superblock says so: the write or flush that failed waits for that, and so does every later one before it begins.
 * 3. A member that nothing stands in for cannot be dropped: its failure is the pool's.
 */
export class Members {
  readonly mutations: Mutations
  readonly #pool: Buffer
  readonly #geometry: Geometry
  readonly #blockBytes: number
  readonly #members: Member[]
  /** Legs that hold everything and that no superblock lists yet, and whose places they are to take. */
  readonly #coming = new Map<Member, number>()
  readonly #turn = new Mutex()
  readonly #onDropped: OnDropped
  /** Lost in this life, and no superblock says so yet. */
  readonly #unrecorded = new Set<Member>()
  #superblock: Superblock
  #halted: unknown

  constructor(
    guard: Pick<Guard, 'pool' | 'geometry' | 'format'>,
    members: readonly Member[],
    superblock: Superblock,
    { onDropped = () => {}, mutations = NO_MUTATIONS }: MembersOptions = {},
  ) {
    this.#onDropped = onDropped
    this.#pool = guard.pool
    this.#geometry = guard.geometry
    this.#blockBytes = guard.format.blockBytes
    this.mutations = mutations
    this.#members = [...members]
    this.#superblock = superblock
  }

  get all(): readonly Member[] {
    return this.#members
  }

  /** The member that has `device`, one that is coming included. */
  holderOf(device: Device): Member {
    return [...this.#members, ...this.#coming.keys()].find((one) => one.device === device)!
  }

  /** The number of a member in the order of the layout; of one that is coming, the number that it will have. */
  numberOf(member: Member): number {
    return this.#coming.get(member) ?? this.#members.indexOf(member)
  }

  isComing(member: Member): boolean {
    return this.#coming.has(member)
  }

  /** Runs `task` while `member` is known as coming, in the place of member `index`. */
  async expecting<T>(member: Member, index: number, task: () => Promise<T>): Promise<T> {
    this.#coming.set(member, index)
    try {
      return await task()
    } catch (error) {
      if (!this.#members.includes(member)) member.state = 'stale' // A scrub that is at it passes it over.
      throw error
    } finally {
      this.#coming.delete(member)
    }
  }

  get superblock(): Superblock {
    return this.#superblock
  }

  /** Nothing is written any more. */
  halt(failure: unknown): void {
    this.#halted ??= failure
  }

  /** Writes the superblock with the next serial. `flush: false` breaks the protocol, for the tests of it. */
  update(change: SuperblockChange = unchanged, { flush = true } = {}): Promise<Superblock> {
    return this.#turn.run(() => this.#update(change, flush))
  }

  assertUsable(): void {
    if (this.#halted) throw new PoolError('ERR_HALTED', 'the pool has halted', { cause: this.#halted })
  }

  /**
   * Takes in `member`: it gets the superblock in force and then, once `install` has changed what the members are, all of
   * them get the next one. So a power failure on the way leaves no member further behind than any other. When it
   * rejects before `install` was called, nothing has changed.
   */
  join(member: Member, install: () => void): Promise<Superblock> {
    return this.#turn.run(async () => {
      this.assertUsable()
      await this.#bring(member)
      await member.device!.flush()
      install()
      return await this.#update(unchanged, true)
    })
  }

  /** A member that was replaced learns of it, if it can: its own superblock would let it go on alone. */
  async retire(member: Member): Promise<void> {
    if (!member.device) return
    const tell = () => this.#bring(member).then(() => member.device!.flush())
    await this.#turn.run(tell).catch(() => {}) // It may be out of use because it fails.
  }

  /** Runs `task` while no superblock is written. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return this.#turn.run(task)
  }

  async #update(change: SuperblockChange, flush: boolean): Promise<Superblock> {
    for (;;) {
      this.assertUsable()
      const lost = [...this.#unrecorded]
      const superblock: Superblock = {
        ...change(this.#superblock),
        serial: this.#superblock.serial + 1,
        members: this.#members.map(({ entry }) => entry),
      }
      // What a member that fails missed is said with the next serial, once the others have this one.
      const failed = await this.#write(superblock, flush)
      this.#superblock = superblock
      for (const [member, error] of failed) this.#lose(member, error)
      for (const member of lost) this.#unrecorded.delete(member)
      if (failed.length === 0) return superblock
    }
  }

  /** Writes the superblock in force to the members that lack it. The caller flushes. */
  async catchUp(): Promise<void> {
    if (this.mutations.has('no-catch-up')) return
    const superblock = this.#superblock
    for (const member of this.#members.filter(
      ({ isInSync, foundSerial }) => isInSync && foundSerial < superblock.serial,
    )) {
      try {
        await this.#bring(member)
      } catch (error) {
        this.#lose(member, error)
      }
    }
  }

  /** Writes the superblock in force to one member. The caller flushes. */
  async #bring({ device, zones }: Member): Promise<void> {
    const superblock = this.#superblock
    const block = encodeSuperblock(superblock, this.#pool, this.#blockBytes)
    for (const ring of zones!.rings) await device!.write(ringOffset(zones!, ring, superblock.serial), block)
  }

  async #write(superblock: Superblock, flush: boolean): Promise<[Member, unknown][]> {
    const failed = new Map<Member, unknown>()
    const each = async (task: (device: Device, zones: MemberZones) => Promise<void>) => {
      const usable = this.#members.filter((member) => member.isInSync && !failed.has(member))
      await Promise.all(
        usable.map((member) =>
          task(member.device!, member.zones!).catch((error: unknown) => failed.set(member, error)),
        ),
      )
    }
    const block = encodeSuperblock(superblock, this.#pool, this.#blockBytes)
    for (const ring of [0, 1] as const) {
      await each((device, zones) => device.write(ringOffset(zones, zones.rings[ring], superblock.serial), block))
      if (flush) await each((device) => device.flush())
    }
    return [...failed]
  }

  /** Takes `member` out of use; resolves once the others have it on record. Rejects when it cannot be spared. */
  async drop(member: Member, cause: unknown): Promise<void> {
    this.#lose(member, cause)
    await this.recorded()
  }

  /** True when the superblock in force says of every member lost so far that it is stale. */
  get areRecorded(): boolean {
    return this.#unrecorded.size === 0
  }

  /** Resolves when it does. */
  async recorded(): Promise<void> {
    while (!this.areRecorded) {
      await this.#turn.run(async () => {
        if (!this.areRecorded) await this.#update(unchanged, true)
      })
    }
  }

  #lose(member: Member, cause: unknown): void {
    if (!member.isInSync) return
    if (!this.isSpare(member)) throw cause
    member.state = 'stale'
    member.failure = cause
    if (!this.mutations.has('leg-lost-in-silence')) this.#unrecorded.add(member)
    this.#onDropped(member.device?.name ?? `member ${this.#members.indexOf(member)}`, cause)
  }

  /** True when another leg in sync holds all that `member` holds. */
  isSpare(member: Member): boolean {
    const column = columnOf(this.#geometry, this.#members, member)
    return column.some((other) => other !== member && other.isInSync)
  }

  /** Closes every device, those out of use too. */
  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ device }) => device?.close()))
  }

  add(member: Member): void {
    this.#members.push(member)
  }

  replace(old: Member, by: Member): void {
    this.#members.splice(this.#members.indexOf(old), 1, by)
    old.state = 'stale'
  }
}
