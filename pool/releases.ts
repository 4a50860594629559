import type { Sequence } from './contract.ts'
import type { Core } from './core.ts'
import type { Placement, ReleaseEntry } from './entry.ts'
import { isCorrupt, isUnreadable } from './errors.ts'
import { visitTree } from './extent-tree.ts'
import type { Reader } from './reader.ts'

interface Order {
  readonly by: Sequence
  readonly release: ReleaseEntry
}

/**
 * Payloads that durable records let go, on their way to free space. What a release frees is read back from the
 * medium, apart from the commits; a checkpoint waits until that is done for every release before it, so that the state it
 * saves is exact. What it frees may be given out again only once the superblock that no longer knows it is durable.
 */
export class Releases {
  readonly #core: Core
  readonly #reader: Reader
  readonly #pending = new Set<string>()
  /** Let go by records, or with manifests, that cannot be read any more: what they own stays owned. */
  readonly #stuck = new Map<string, unknown>()
  readonly #orders = new Map<string, Order>()
  #work: Promise<void> = Promise.resolve()
  #failure: unknown
  #freed: { unit: number; sequence: Sequence }[] = []
  readonly #readers = new Map<Sequence, number>()
  readonly #awaiting = new Map<Sequence, number[]>()
  /** Records that took units over from one that is being read: they are as good as read. */
  readonly #heirs = new Map<Sequence, Sequence[]>()

  constructor(core: Core, reader: Reader) {
    this.#core = core
    this.#reader = reader
  }

  get count(): number {
    return this.#pending.size + this.#freed.length
  }

  /** Record `by` is durable and lets these go. What was let go before, or never was, stays as it is. */
  add(by: Sequence, releases: readonly ReleaseEntry[]): void {
    for (const release of releases) {
      if (release.heir !== undefined) this.#keepFor(release.sequence, by)
      this.#pending.add(keyOf(release.sequence, release.payload))
      this.#work = this.#work
        .then(() => this.#resolve({ by, release }))
        .catch((error: unknown) => this.#fail({ by, release }, error))
    }
  }

  isReleased(sequence: Sequence, payload: number): boolean {
    const key = keyOf(sequence, payload)
    return this.#pending.has(key) || this.#stuck.has(key)
  }

  /** What cannot be freed because its record cannot be read, by `sequence.payload`, and why. */
  get stuck(): ReadonlyMap<string, unknown> {
    return this.#stuck
  }

  #fail(order: Order, error: unknown): void {
    if (!isUnreadable(error)) {
      this.#failure ??= error
      return
    }
    const key = keyOf(order.release.sequence, order.release.payload)
    this.#stuck.set(key, error)
    this.#orders.set(key, order)
    this.#pending.delete(key)
  }

  /** Resolves when every release added so far was worked through. */
  async settle(): Promise<void> {
    await this.#work
    if (this.#failure) throw this.#failure
  }

  /** Units that the checkpoint about to be written no longer saves. */
  takeFreed(): readonly { unit: number; sequence: Sequence }[] {
    const freed = this.#freed
    this.#freed = []
    return freed
  }

  /** The checkpoint is durable: gives out what nobody reads any more. */
  recycle(freed: readonly { unit: number; sequence: Sequence }[]): void {
    for (const { unit, sequence } of freed) {
      if (!this.#readers.has(sequence)) {
        this.#core.allocator.recycle(unit)
        continue
      }
      const awaiting = this.#awaiting.get(sequence)
      if (awaiting) awaiting.push(unit)
      else this.#awaiting.set(sequence, [unit])
    }
  }

  /** Frees units that nothing names: a damaged manifest has kept them owned. */
  freeUnnamed(units: Iterable<number>): void {
    for (const unit of units) this.#disown(unit, NO_SEQUENCE)
  }

  /**
   * Works once more through what could not be freed: it may have been mended. What is still stuck then cannot be told.
   */
  async retry(): Promise<void> {
    const orders = [...this.#orders.values()]
    this.#stuck.clear()
    this.#orders.clear()
    for (const { by, release } of orders) this.add(by, [release])
    await this.settle()
  }

  /** `heir` owns what readers of `sequence` are at; whoever lets that go next names only the heir. */
  #keepFor(sequence: Sequence, heir: Sequence): void {
    if (!this.#readers.has(sequence)) return
    this.pin(heir)
    const heirs = this.#heirs.get(sequence)
    if (heirs) heirs.push(heir)
    else this.#heirs.set(sequence, [heir])
  }

  /** Keeps the units of `sequence` from being given out while they are read, whoever comes to own them meanwhile. */
  pin(sequence: Sequence): void {
    this.#readers.set(sequence, (this.#readers.get(sequence) ?? 0) + 1)
  }

  unpin(sequence: Sequence): void {
    const left = this.#readers.get(sequence)! - 1
    if (left > 0) {
      this.#readers.set(sequence, left)
      return
    }
    this.#readers.delete(sequence)
    for (const unit of this.#awaiting.get(sequence) ?? []) this.#core.allocator.recycle(unit)
    this.#awaiting.delete(sequence)
    const heirs = this.#heirs.get(sequence) ?? []
    this.#heirs.delete(sequence)
    for (const heir of heirs) this.unpin(heir)
  }

  /** A read that fails is tried once more: what is passed over, and can be read later, would be there again after a start. */
  async #resolve(order: Order): Promise<void> {
    try {
      await this.#resolveBy(order, isCorrupt)
    } catch (error) {
      if (isCorrupt(error) || !isUnreadable(error)) throw error
      await this.#resolveBy(order, isUnreadable)
    }
  }

  /** Where the units cannot be told, and that is final, the payload is gone all the same. */
  async #resolveBy({ by, release }: Order, isFinal: (error: unknown) => boolean): Promise<void> {
    const { sequence, payload } = release
    await this.#reader.withEntry(sequence, async ({ segment, place, entry }) => {
      const placement = entry.payloads[payload]
      const number = place.firstPayload + payload
      if (placement && placement.form !== 'gap' && !segment.isReleased(number)) {
        const heir = await this.#heirOf(by, release)
        let failure: unknown
        const units = await this.#unitsOf(placement, heir).catch((error: unknown) => {
          if (!isFinal(error)) throw error
          failure = error
          return []
        })
        segment.release(number, placement.form === 'inline' ? placement.length : 0)
        this.#core.segments.touch(segment)
        for (const unit of units) this.#disown(unit, sequence)
        if (failure) throw failure
      }
      this.#pending.delete(keyOf(sequence, payload))
    })
  }

  async #heirOf(by: Sequence, release: ReleaseEntry): Promise<Placement | undefined> {
    const { heir } = release
    if (heir === undefined) return undefined
    return await this.#reader.withEntry(by, ({ entry }) => entry.payloads[heir])
  }

  /**
   * The units that are free then: an heir has taken over the data, and the manifests that are its own too. All of them or,
   * where a manifest cannot be read, none: what nobody can name stays owned.
   */
  async #unitsOf(placement: Placement, heir: Placement | undefined): Promise<number[]> {
    if (placement.form !== 'extents') return []
    const { device, zones } = this.#core
    const kept = new Set<number>()
    if (heir?.form === 'extents') {
      await visitTree(device, zones, heir, { manifest: (unit) => !!kept.add(unit), data: () => {} })
    }
    const units: number[] = []
    const manifest = (unit: number) => {
      if (kept.has(unit)) return false
      units.push(unit)
      return true
    }
    const data = (unit: number) => {
      if (!heir) units.push(unit)
    }
    await visitTree(device, zones, placement, { manifest, data })
    return units
  }

  #disown(unit: number, sequence: Sequence): void {
    const { allocator, mutations } = this.#core
    allocator.disown(unit)
    if (mutations.has('reuse-extents-at-once')) allocator.recycle(unit)
    else this.#freed.push({ unit, sequence })
  }
}

/** Of units that no record names: nobody reads them. */
const NO_SEQUENCE = 0

const keyOf = (sequence: Sequence, payload: number): string => `${sequence}.${payload}`
