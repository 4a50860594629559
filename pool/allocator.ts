import assert from 'node:assert/strict'
import { clearBit, enlarged, hasBit, setBit } from './bitmap.ts'
import { PoolError } from './errors.ts'
import { FreeRegions } from './free-regions.ts'
import { Suspects } from './suspects.ts'
import type { Zones } from './zones.ts'

/** A contiguous run of units. */
export interface Run {
  readonly unit: number
  readonly units: number
}

export const unitsOf = ({ unit, units }: Run): number[] => Array.from({ length: units }, (_, i) => unit + i)

type RegionUse = 'free' | 'segment' | 'data' | 'retired'

/**
 * Space: regions, and units within the regions that hold data.
 *
 * Two bitmaps keep two truths apart. `committed` is what a checkpoint saves: units that durable records own. `used` is
 * what may not be given out: these, units of uploads underway (which vanish in a crash, so nothing leaks), and units
 * that were released but that the durable checkpoint, or a reader, still refers to.
 *
 *   free ──allocate──▶ used ──own──▶ used + committed ──disown──▶ used ──recycle──▶ free
 *                       └──retire──▶ used for good: a write to it failed. The next opening has it free again.
 */
export class Allocator {
  readonly #zones: Zones
  readonly #reserve: number
  /** Regions that a segment takes, each of another class. */
  readonly #runs: number
  readonly #use: RegionUse[] = []
  readonly #freeUnits: number[] = []
  #used = new Uint8Array(0)
  #committed = new Uint8Array(0)
  readonly #dirtyPages = new Set<number>()
  readonly #free: FreeRegions
  #committedUnits = 0
  #usedUnits = 0
  #segmentRegions = 0
  #retiredRegions = 0
  #retiredUnits = 0
  #cursor = 0
  readonly #suspects = new Set<Suspects>()

  constructor(zones: Zones, reserveSegments: number, runs = 1) {
    this.#zones = zones
    this.#reserve = reserveSegments
    this.#runs = runs
    this.#free = new FreeRegions(runs)
    this.grow()
  }

  /** Takes in the regions of spans that were added; they are free. */
  grow(): void {
    const { regions, unitsPerRegion } = this.#zones
    for (let region = this.#use.length; region < regions; region++) {
      this.#use.push('free')
      this.#freeUnits.push(unitsPerRegion)
      this.#count(region, 1)
    }
    this.#used = enlarged(this.#used, regions * unitsPerRegion)
    this.#committed = enlarged(this.#committed, regions * unitsPerRegion)
  }

  /** Segments that would find room: as many as leave each of them a region of so many different classes. */
  get freeSegments(): number {
    return this.#free.segments
  }

  #count(region: number, change: 1 | -1): void {
    this.#free.change(this.#zones.classOf(region), change)
  }

  get committedUnits(): number {
    return this.#committedUnits
  }

  /** Units of uploads underway, and released ones that are not yet free. */
  get stagedUnits(): number {
    return this.#usedUnits - this.#committedUnits - this.#retiredUnits
  }

  get segmentRegions(): number {
    return this.#segmentRegions
  }

  /** Units that nobody is given any more, for a write to them has failed; those of segments, too. */
  get retiredUnits(): number {
    return this.#retiredUnits + this.#retiredRegions * this.#zones.unitsPerRegion
  }

  get freeUnits(): number {
    const { regions, unitsPerRegion } = this.#zones
    return (regions - this.#segmentRegions - this.#retiredRegions) * unitsPerRegion - this.#usedUnits
  }

  /** What is left of regions that hold data. */
  get #remainingUnits(): number {
    return this.freeUnits - this.#free.total * this.#zones.unitsPerRegion
  }

  /** Units that payloads can have without touching the journal's reserve. */
  get roomUnits(): number {
    const spare = this.freeSegments < this.#reserve ? 0 : this.#free.total - this.#reserve * this.#runs
    return this.#remainingUnits + spare * this.#zones.unitsPerRegion
  }

  /**
   * Whole regions for the runs of a segment, on distinct members; undefined when there are not enough. They are taken
   * where there is the most room, so that segments can be made for as long as possible.
   */
  takeSegment(): readonly number[] | undefined {
    if (this.freeSegments === 0) return undefined
    const classes = this.#free.classesByRoom()
    const regions = classes.slice(0, this.#runs).map((regionClass) => this.#firstFree(regionClass)!)
    this.claim(regions)
    return regions
  }

  /** The first free region of a class, or of any. */
  #firstFree(regionClass?: number): number | undefined {
    const isOfClass = (region: number) => regionClass === undefined || this.#zones.classOf(region) === regionClass
    const region = this.#use.findIndex((use, i) => use === 'free' && isOfClass(i))
    return region < 0 ? undefined : region
  }

  claim(regions: readonly number[]): void {
    for (const region of regions) {
      assert(this.#use[region] === 'free')
      this.#use[region] = 'segment'
      this.#segmentRegions++
      this.#count(region, -1)
    }
  }

  /** The regions of a segment that is no more. */
  giveBack(regions: readonly number[]): void {
    for (const region of regions) {
      assert(this.#use[region] === 'segment')
      this.#use[region] = 'free'
      this.#segmentRegions--
      this.#count(region, 1)
    }
  }

  /** The regions of a segment that could not be written, and that nothing refers to. */
  retireSegment(regions: readonly number[]): void {
    for (const region of regions) {
      assert(this.#use[region] === 'segment')
      this.#use[region] = 'retired'
      this.#segmentRegions--
      this.#retiredRegions++
    }
  }

  isFree(region: number): boolean {
    return this.#use[region] === 'free'
  }

  /** True when allocate() would find something, so many segments kept. */
  hasRoom(kept = this.#reserve): boolean {
    return this.#regionWithRoom(kept) !== undefined
  }

  /**
   * The next run of at most `units` free units, filling regions already in use first. ERR_NO_SPACE when there is none
   * that leaves room for `kept` segments.
   */
  allocate(units: number, kept = this.#reserve): Run {
    const region = this.#regionWithRoom(kept)
    if (region === undefined) throw new PoolError('ERR_NO_SPACE', 'the pool is full')
    this.#openForData(region)
    const start = this.#freeUnitIn(region)
    const end = Math.min(start + units, (region + 1) * this.#zones.unitsPerRegion)
    let next = start
    for (; next < end && !hasBit(this.#used, next); next++) this.#take(next)
    this.#cursor = next
    return { unit: start, units: next - start }
  }

  /** The next free unit of a region that has one: behind those that were given out last, or else from its start. */
  #freeUnitIn(region: number): number {
    const first = region * this.#zones.unitsPerRegion
    const end = first + this.#zones.unitsPerRegion
    let unit = this.#cursor >= first && this.#cursor < end ? this.#cursor : first
    while (unit < end && hasBit(this.#used, unit)) unit++
    if (unit === end) unit = first
    while (hasBit(this.#used, unit)) unit++
    return unit
  }

  #regionWithRoom(kept: number): number | undefined {
    const { regions, unitsPerRegion } = this.#zones
    const current = Math.min(regions - 1, Math.floor(this.#cursor / unitsPerRegion))
    let free: number | undefined
    for (let step = 0; step < regions; step++) {
      const region = (current + step) % regions
      if (this.#use[region] === 'data' && this.#freeUnits[region]! > 0) return region
      if (this.#use[region] === 'free') free ??= region
    }
    if (free === undefined) return undefined
    if (this.#runs === 1) return this.freeSegments > kept ? free : undefined
    return this.#spareRegion(kept)
  }

  /** Of the class with the most room: where members are of unequal size it may be of no use to the journal at all. */
  #spareRegion(kept: number): number | undefined {
    return this.#free.segmentsBeside(1) >= kept ? this.#firstFree(this.#free.classesByRoom()[0]) : undefined
  }

  /** Segments that would find room beside `units` more for payloads. */
  freeSegmentsBeside(units: number): number {
    const regions = Math.ceil(Math.max(0, units - this.#remainingUnits) / this.#zones.unitsPerRegion)
    return this.#free.segmentsBeside(regions)
  }

  #take(unit: number): void {
    assert(!hasBit(this.#used, unit))
    setBit(this.#used, unit)
    this.#usedUnits++
    this.#freeUnits[this.#regionOf(unit)]!--
  }

  /** A durable record owns `unit` now. */
  own(unit: number): void {
    assert(hasBit(this.#used, unit) && !hasBit(this.#committed, unit))
    setBit(this.#committed, unit)
    for (const suspects of this.#suspects) suspects.clear(unit)
    this.#committedUnits++
    this.#touch(unit)
  }

  /** While recovering: a record that survived owns `unit`, which nothing else may. */
  recover(unit: number): void {
    const region = this.#regionOf(unit)
    if (region >= this.#zones.regions || this.#use[region] === 'segment' || hasBit(this.#used, unit)) {
      throw new PoolError('ERR_CORRUPT', `unit ${unit} has two owners`)
    }
    this.#openForData(region)
    this.#take(unit)
    this.own(unit)
  }

  #openForData(region: number): void {
    if (this.#use[region] !== 'free') return
    this.#use[region] = 'data'
    this.#count(region, -1)
  }

  isOwned(unit: number): boolean {
    return hasBit(this.#committed, unit)
  }

  /** Its record let go of `unit`: the next checkpoint no longer saves it, but it is not free yet. */
  disown(unit: number): void {
    assert(hasBit(this.#committed, unit))
    clearBit(this.#committed, unit)
    for (const suspects of this.#suspects) suspects.clear(unit)
    this.#committedUnits--
    this.#touch(unit)
  }

  /** Nothing refers to `unit` any more. */
  recycle(unit: number): void {
    assert(hasBit(this.#used, unit) && !hasBit(this.#committed, unit))
    clearBit(this.#used, unit)
    this.#usedUnits--
    const region = this.#regionOf(unit)
    this.#freeUnits[region]!++
    if (this.#freeUnits[region] === this.#zones.unitsPerRegion) {
      this.#use[region] = 'free'
      this.#count(region, 1)
    }
  }

  /** A write to these units, which nothing refers to, has failed. */
  retire(run: Run): void {
    assert(unitsOf(run).every((unit) => hasBit(this.#used, unit) && !hasBit(this.#committed, unit)))
    this.#retiredUnits += run.units
  }

  /** Copies of the bitmap's pages that changed since the last call, by page index. */
  takeDirtyPages(): Map<number, Buffer> {
    const pages = new Map<number, Buffer>()
    for (const index of this.#dirtyPages) pages.set(index, this.#page(index))
    this.#dirtyPages.clear()
    return pages
  }

  /** Bit by bit, for the units of a span need not begin with a byte's first. */
  #page(index: number): Buffer {
    const page = Buffer.alloc(this.#zones.blockBytes)
    const subject = this.#zones.pageSubject(index)
    assert('unit' in subject)
    for (let bit = 0; bit < subject.units; bit++) if (hasBit(this.#committed, subject.unit + bit)) setBit(page, bit)
    return page
  }

  /** The next checkpoint writes this page of the bitmap, changed or not. */
  touchPage(index: number): void {
    this.#dirtyPages.add(index)
  }

  /**
   * Units that are owned now, and that nobody has been seen to own. Whatever comes to own or to leave one from here on
   * takes it out; whoever asked takes out those that it finds named.
   */
  suspectAll(): Suspects {
    const suspects = new Suspects(this.#committed)
    this.#suspects.add(suspects)
    return suspects
  }

  /** Nobody asks any more. */
  suspectNothing(suspects: Suspects): void {
    this.#suspects.delete(suspects)
  }

  /** A bitmap page of the checkpoint that recovery starts from: the units from `first` on. */
  loadPage(first: number, page: Buffer): void {
    for (let bit = 0; bit < page.length * 8; bit++) if (hasBit(page, bit)) this.recover(first + bit)
    this.#dirtyPages.clear()
  }

  #touch(unit: number): void {
    this.#dirtyPages.add(this.#zones.bitmapPage(unit))
  }

  #regionOf(unit: number): number {
    return Math.floor(unit / this.#zones.unitsPerRegion)
  }
}
