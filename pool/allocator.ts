import assert from 'node:assert/strict'
import { PoolError } from './errors.ts'
import type { Zones } from './zones.ts'

/** A contiguous run of units. */
export interface Run {
  readonly unit: number
  readonly units: number
}

type RegionUse = 'free' | 'segment' | 'data'

/**
 * Space: regions, and units within the regions that hold data.
 *
 * Two bitmaps keep two truths apart. `committed` is what a checkpoint saves: units that durable records own. `used` is
 * what may not be given out: these, units of uploads underway (which vanish in a crash, so nothing leaks), and units
 * that were released but that the durable checkpoint, or a reader, still refers to.
 *
 *   free ──allocate──▶ used ──own──▶ used + committed ──disown──▶ used ──recycle──▶ free
 */
export class Allocator {
  readonly #zones: Zones
  readonly #reserve: number
  readonly #use: RegionUse[]
  readonly #freeUnits: number[]
  readonly #used: Uint8Array
  readonly #committed: Uint8Array
  readonly #dirtyPages = new Set<number>()
  #freeRegions: number
  #committedUnits = 0
  #usedUnits = 0
  #cursor = 0

  constructor(zones: Zones, reserveRegions: number) {
    this.#zones = zones
    this.#reserve = reserveRegions
    this.#use = new Array<RegionUse>(zones.regions).fill('free')
    this.#freeUnits = new Array<number>(zones.regions).fill(zones.unitsPerRegion)
    const bytes = zones.bitmapPages * zones.blockBytes
    this.#used = new Uint8Array(bytes)
    this.#committed = new Uint8Array(bytes)
    this.#freeRegions = zones.regions
  }

  get freeRegions(): number {
    return this.#freeRegions
  }

  get committedUnits(): number {
    return this.#committedUnits
  }

  /** Units of uploads underway, and released ones that are not yet free. */
  get stagedUnits(): number {
    return this.#usedUnits - this.#committedUnits
  }

  get segmentRegions(): number {
    return this.#use.filter((use) => use === 'segment').length
  }

  get freeUnits(): number {
    return (
      this.#zones.regions * this.#zones.unitsPerRegion -
      this.#usedUnits -
      this.segmentRegions * this.#zones.unitsPerRegion
    )
  }

  /** True when data may open another region without touching the journal's reserve. */
  get aboveReserve(): boolean {
    return this.#freeRegions > this.#reserve
  }

  /** A whole region for a segment; undefined when none is free. */
  takeRegion(): number | undefined {
    const region = this.#use.indexOf('free')
    if (region < 0) return undefined
    this.claimRegion(region)
    return region
  }

  claimRegion(region: number): void {
    assert(this.#use[region] === 'free')
    this.#use[region] = 'segment'
    this.#freeRegions--
  }

  returnRegion(region: number): void {
    assert(this.#use[region] === 'segment')
    this.#use[region] = 'free'
    this.#freeRegions++
  }

  isFree(region: number): boolean {
    return this.#use[region] === 'free'
  }

  /** True when allocate() would find something. */
  get hasRoom(): boolean {
    return this.#regionWithRoom() !== undefined
  }

  /** The next run of at most `units` free units, filling regions already in use first. ERR_NO_SPACE when there is none. */
  allocate(units: number): Run {
    const { unitsPerRegion } = this.#zones
    const region = this.#regionWithRoom()
    if (region === undefined) throw new PoolError('ERR_NO_SPACE', 'the pool is full')
    if (this.#use[region] === 'free') {
      this.#use[region] = 'data'
      this.#freeRegions--
    }
    const first = region * unitsPerRegion
    const end = first + unitsPerRegion
    let start = this.#cursor >= first && this.#cursor < end ? this.#cursor : first
    while (start < end && has(this.#used, start)) start++
    if (start === end) start = first
    while (has(this.#used, start)) start++
    let count = 0
    while (count < units && start + count < end && !has(this.#used, start + count)) {
      this.#take(start + count)
      count++
    }
    this.#cursor = start + count
    return { unit: start, units: count }
  }

  #regionWithRoom(): number | undefined {
    const { regions, unitsPerRegion } = this.#zones
    const current = Math.min(regions - 1, Math.floor(this.#cursor / unitsPerRegion))
    let free: number | undefined
    for (let step = 0; step < regions; step++) {
      const region = (current + step) % regions
      if (this.#use[region] === 'data' && this.#freeUnits[region]! > 0) return region
      if (this.#use[region] === 'free') free ??= region
    }
    return this.aboveReserve ? free : undefined
  }

  #take(unit: number): void {
    assert(!has(this.#used, unit))
    set(this.#used, unit)
    this.#usedUnits++
    this.#freeUnits[this.#regionOf(unit)]!--
  }

  /** A durable record owns `unit` now. */
  own(unit: number): void {
    assert(has(this.#used, unit) && !has(this.#committed, unit))
    set(this.#committed, unit)
    this.#committedUnits++
    this.#touch(unit)
  }

  /** While recovering: a record that survived owns `unit`, which nothing else may. */
  recover(unit: number): void {
    const region = this.#regionOf(unit)
    if (region >= this.#zones.regions || this.#use[region] === 'segment' || has(this.#used, unit)) {
      throw new PoolError('ERR_CORRUPT', `unit ${unit} has two owners`)
    }
    if (this.#use[region] === 'free') {
      this.#use[region] = 'data'
      this.#freeRegions--
    }
    this.#take(unit)
    this.own(unit)
  }

  isOwned(unit: number): boolean {
    return has(this.#committed, unit)
  }

  /** Its record let go of `unit`: the next checkpoint no longer saves it, but it is not free yet. */
  disown(unit: number): void {
    assert(has(this.#committed, unit))
    clear(this.#committed, unit)
    this.#committedUnits--
    this.#touch(unit)
  }

  /** Nothing refers to `unit` any more. */
  recycle(unit: number): void {
    assert(has(this.#used, unit) && !has(this.#committed, unit))
    clear(this.#used, unit)
    this.#usedUnits--
    const region = this.#regionOf(unit)
    this.#freeUnits[region]!++
    if (this.#freeUnits[region] === this.#zones.unitsPerRegion) {
      this.#use[region] = 'free'
      this.#freeRegions++
    }
  }

  /** Copies of the bitmap's pages that changed since the last call, by page index. */
  takeDirtyPages(): Map<number, Buffer> {
    const { blockBytes } = this.#zones
    const pages = new Map<number, Buffer>()
    for (const index of this.#dirtyPages) {
      pages.set(index, Buffer.from(this.#committed.subarray(index * blockBytes, (index + 1) * blockBytes)))
    }
    this.#dirtyPages.clear()
    return pages
  }

  /** A bitmap page of the checkpoint that recovery starts from. */
  loadPage(index: number, page: Buffer): void {
    const first = index * this.#zones.blockBytes * 8
    for (let bit = 0; bit < page.length * 8; bit++) if (has(page, bit)) this.recover(first + bit)
    this.#dirtyPages.clear()
  }

  #touch(unit: number): void {
    this.#dirtyPages.add(Math.floor(unit / (this.#zones.blockBytes * 8)))
  }

  #regionOf(unit: number): number {
    return Math.floor(unit / this.#zones.unitsPerRegion)
  }
}

const has = (bitmap: Uint8Array, bit: number): boolean => (bitmap[bit >>> 3]! & (1 << (bit & 7))) !== 0

function set(bitmap: Uint8Array, bit: number): void {
  bitmap[bit >>> 3]! |= 1 << (bit & 7)
}

function clear(bitmap: Uint8Array, bit: number): void {
  bitmap[bit >>> 3]! &= ~(1 << (bit & 7))
}
