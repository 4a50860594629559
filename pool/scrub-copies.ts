import type { Core } from './core.ts'
import { type Device, placeOf } from './device.ts'
import { hasCode } from './errors.ts'
import type { Member } from './members.ts'
import { type MosaicGrain, mosaic } from './mosaic.ts'
import type { ScrubFinding, ScrubKind, ScrubRecord } from './scrub-report.ts'

/** What a scrub works with. */
export interface ScrubGround {
  readonly core: Core
  readonly record: ScrubRecord
  /** Makes what was repaired durable; a failure halts the pool. */
  flush(): Promise<void>
}

/** Bytes within what is being looked at, which have a checksum of their own. */
export interface Part {
  readonly start: number
  readonly length: number
  readonly about: Pick<ScrubFinding, 'subject' | 'sequence' | 'records' | 'payload' | 'offset' | 'length' | 'note'>
  isRight(bytes: Buffer): boolean
  /** What lies there instead, going by the whole blocks that it touches, of which `block` is the first. */
  kindOf(blocks: Buffer, block: number): ScrubKind
  /** Wrong bytes that nothing needs are not told. */
  readonly isSpare?: boolean
}

/** Where a stretch of one copy lies. */
interface Stretch {
  readonly start: number
  readonly end: number
  readonly member: Member
  readonly device: Device
  readonly deviceOffset: number
  /** On the data device. */
  readonly offset: number
}

interface Copy {
  readonly stretches: readonly Stretch[]
  bytes: Buffer
  readonly unreadable: Set<number>
}

/** What a copy was found to hold instead of a part. */
type Found = Required<Pick<ScrubFinding, 'kind' | 'member' | 'memberOffset'>>

interface Verified {
  readonly part: Part
  readonly right: Buffer | undefined
  /** Copies that hold it as it should be. */
  readonly rightIn: Set<Copy>
}

/**
 * Whole blocks that lie in several copies: on the legs of a mirror, in the runs of a segment. All of them are read, each
 * part of each is verified, and what is wrong is written anew from a copy where it is right.
 *
 * 1. A copy is judged by the member that it was read from; one that is no longer in sync does not count.
 * 2. A block is written only if everything right in it lies whole in another copy: should power fail while it is being
 *    written, nothing is lost that was there before. A leg that is coming is no such copy: no superblock lists it yet.
 * 3. What was written is flushed, read back and verified before it is called repaired.
 */
export class Copies {
  readonly #ground: ScrubGround
  readonly #offsets: readonly number[]
  readonly #length: number
  readonly #blockBytes: number
  readonly #verified: Verified[] = []
  #copies: Copy[] = []

  constructor(ground: ScrubGround, offsets: readonly number[], length: number) {
    this.#ground = ground
    this.#offsets = offsets
    this.#length = length
    this.#blockBytes = ground.core.zones.blockBytes
  }

  /** What each copy holds, for whoever has to find out first what it should hold. */
  get contents(): readonly Buffer[] {
    return this.#copies.map(({ bytes }) => bytes)
  }

  async load({ counts = true } = {}): Promise<void> {
    for (const offset of this.#offsets) {
      for (let copy = 0; copy < this.#ground.core.device.copies; copy++) {
        const stretches = this.#stretchesOf(offset, copy)
        const isKnown = this.#copies.some((known) => known.stretches.every((one, i) => isSamePlace(one, stretches[i])))
        if (!isKnown) this.#copies.push(await this.#read(stretches))
      }
    }
    if (!counts) return
    this.#ground.record.copiesVerified += this.#copies.length
    this.#ground.record.bytesVerified += this.#copies.length * this.#length
  }

  #stretchesOf(offset: number, copy: number): Stretch[] {
    const { device, members } = this.#ground.core
    const stretches: Stretch[] = []
    for (let start = 0; start < this.#length; ) {
      const place = placeOf(device, offset + start, copy)
      const member = members.holderOf(place.device)
      const end = Math.min(this.#length, start + place.length)
      stretches.push({ start, end, member, device: place.device, deviceOffset: place.offset, offset: offset + start })
      start = end
    }
    return stretches
  }

  async #read(stretches: readonly Stretch[]): Promise<Copy> {
    const copy: Copy = { stretches, bytes: Buffer.alloc(this.#length), unreadable: new Set() }
    for (const stretch of stretches) {
      const target = copy.bytes.subarray(stretch.start, stretch.end)
      await stretch.device.read(stretch.deviceOffset, target).catch(async (error: unknown) => {
        requireMedium(error, stretch.member)
        await this.#readBlocks(copy, stretch)
      })
    }
    return copy
  }

  /** One block that the medium does not give hides no other. */
  async #readBlocks(copy: Copy, { start, end, member, device, deviceOffset }: Stretch): Promise<void> {
    for (let at = start; at < end; at += this.#blockBytes) {
      const target = copy.bytes.subarray(at, at + this.#blockBytes)
      await device.read(deviceOffset + at - start, target).catch((error: unknown) => {
        requireMedium(error, member)
        copy.unreadable.add(at / this.#blockBytes)
      })
    }
  }

  /** Verifies a part in every copy; the right bytes, if any copy has them, or all together. */
  verify(part: Part): Buffer | undefined {
    const rightIn = new Set(this.#copies.filter((copy) => this.#isRight(copy, part)))
    const [first] = rightIn
    const right = first ? slice(first, part) : mosaic(this.#copies, part, this.#grain)
    this.#verified.push({ part, right, rightIn })
    return right
  }

  get #grain(): MosaicGrain {
    const blockBytes = this.#blockBytes
    const [first] = this.#copies
    const columnOf = (block: number) => first?.stretches.find(({ end }) => block * blockBytes < end)?.device
    return { blockBytes, columnOf }
  }

  #isRight(copy: Copy, part: Part): boolean {
    return !this.#isUnreadable(copy, part) && part.isRight(slice(copy, part))
  }

  #isUnreadable({ unreadable }: Copy, part: Part): boolean {
    return unreadable.size > 0 && this.#blocksOf(part).some((block) => unreadable.has(block))
  }

  #blocksOf({ start, length }: Pick<Part, 'start' | 'length'>): number[] {
    const first = Math.floor(start / this.#blockBytes)
    const last = Math.ceil((start + length) / this.#blockBytes)
    return Array.from({ length: last - first }, (_, i) => first + i)
  }

  /** True when every copy of every part is right. */
  get isAllRight(): boolean {
    return this.#verified.every(({ rightIn }) => rightIn.size === this.#copies.length)
  }

  /**
   * Repairs what verify() found wrong, and tells of it. `isStill` says whether the bytes are still those that were
   * looked for: what was let go meanwhile may have been written over, and is no finding.
   */
  async repair(isStill: (part: Part) => Promise<boolean> = async () => true): Promise<void> {
    if (this.isAllRight) return
    for (const copy of this.#copies) {
      const wrong: Verified[] = []
      for (const one of this.#verified) {
        if (!one.rightIn.has(copy) && (await isStill(one.part))) wrong.push(one)
      }
      if (wrong.length > 0 && this.#isInSync(copy)) await this.#repairCopy(copy, wrong, isStill)
    }
  }

  /** A part that was right nowhere, and is made anew elsewhere or from memory. */
  tellRenewed(part: Part, note: string): void {
    for (const copy of this.#copies) {
      if (this.#isInSync(copy) && !this.#isComing(copy))
        this.#ground.record.add('repaired', { ...part.about, ...this.#foundIn(copy, part), note })
    }
  }

  #isComing({ stretches }: Copy): boolean {
    return stretches.some(({ member }) => this.#ground.core.members.isComing(member))
  }

  #isInSync({ stretches }: Copy): boolean {
    return stretches.every(({ member }) => member.isInSync)
  }

  async #repairCopy(copy: Copy, wrong: readonly Verified[], isStill: (part: Part) => Promise<boolean>): Promise<void> {
    const found = wrong.map((one) => this.#foundIn(copy, one.part, one.right))
    const image = this.#imageOf(copy)
    const blocks = this.#blocksToWrite(copy, wrong, image)
    const safe = blocks.filter((block) => this.#isSafe(copy, block))
    const failure = await this.#write(copy, safe, image)
    const again = safe.length > 0 && !failure ? await this.#read(copy.stretches) : copy
    for (const [i, verified] of wrong.entries()) {
      const { part } = verified
      const isRepaired = verified.right !== undefined && this.#isRight(again, part)
      if (isRepaired) verified.rightIn.add(copy)
      if (!isRepaired && !(await isStill(part))) continue
      if (!this.#isInSync(copy) && !isRepaired) continue
      // A leg that is coming has what it was given: that is told of the one that gave it.
      if (this.#isComing(copy) && (isRepaired || verified.right === undefined)) continue
      this.#tell(verified, found[i]!, isRepaired, failure)
    }
    copy.bytes = again.bytes
    for (const block of again === copy ? [] : safe) if (!again.unreadable.has(block)) copy.unreadable.delete(block)
  }

  #kindIn(copy: Copy, part: Part): ScrubKind {
    if (this.#isUnreadable(copy, part)) return 'unreadable'
    const blocks = this.#blocksOf(part)
    const start = blocks[0]! * this.#blockBytes
    return part.kindOf(copy.bytes.subarray(start, start + blocks.length * this.#blockBytes), blocks[0]!)
  }

  /** The copy as it should be. A block that cannot be read is another copy's where nothing is known of it. */
  #imageOf(copy: Copy): Buffer {
    const image = Buffer.from(copy.bytes)
    for (const block of copy.unreadable) {
      const other = this.#copies.find((one) => one !== copy && !one.unreadable.has(block))
      const start = block * this.#blockBytes
      other?.bytes.copy(image, start, start, start + this.#blockBytes)
    }
    for (const { part, right, rightIn } of this.#verified)
      if (right && !rightIn.has(copy)) right.copy(image, part.start)
    return image
  }

  #blocksToWrite(copy: Copy, wrong: readonly Verified[], image: Buffer): number[] {
    const blocks = new Set(wrong.filter(({ right }) => right !== undefined).flatMap(({ part }) => this.#blocksOf(part)))
    const differs = (block: number) => {
      const start = block * this.#blockBytes
      return image.compare(copy.bytes, start, start + this.#blockBytes, start, start + this.#blockBytes) !== 0
    }
    return [...blocks].filter((block) => copy.unreadable.has(block) || differs(block)).sort((a, b) => a - b)
  }

  /** Invariant 2. */
  #isSafe(copy: Copy, block: number): boolean {
    const others = this.#copies.filter((other) => other !== copy && !this.#isComing(other))
    return this.#verified.every(({ part, right, rightIn }) => {
      if (!this.#blocksOf(part).includes(block) || right === undefined) return true
      if (others.some((other) => rightIn.has(other))) return true
      return !rightIn.has(copy) && others.some((other) => this.#holds(other, part, right, block))
    })
  }

  #holds({ bytes, unreadable }: Copy, part: Part, right: Buffer, block: number): boolean {
    const start = Math.max(part.start, block * this.#blockBytes)
    const end = Math.min(part.start + part.length, (block + 1) * this.#blockBytes)
    if (unreadable.has(block)) return false
    return bytes.compare(right, start - part.start, end - part.start, start, end) === 0
  }

  async #write(copy: Copy, blocks: readonly number[], image: Buffer): Promise<unknown> {
    if (blocks.length === 0) return undefined
    try {
      for (const block of blocks) await this.#writeBlock(copy, block, image)
    } catch (error) {
      if (hasCode(error, 'ERR_HALTED')) throw error
      return error
    }
    await this.#ground.flush()
    return undefined
  }

  /** Through the layout, which keeps it apart from other writes there; a leg that left meanwhile is left alone. */
  async #writeBlock({ stretches }: Copy, block: number, image: Buffer): Promise<void> {
    const { device } = this.#ground.core
    const start = block * this.#blockBytes
    const stretch = stretches.find(({ end }) => start < end)!
    const offset = stretch.offset + start - stretch.start
    for (let copy = 0; copy < device.copies; copy++) {
      if (placeOf(device, offset, copy).device !== stretch.device) continue
      return await device.write(offset, image.subarray(start, start + this.#blockBytes), { copy })
    }
  }

  #tell({ part, right }: Verified, found: Found, isRepaired: boolean, failure: unknown): void {
    if (part.isSpare && !isRepaired) return
    const note = isRepaired ? undefined : noteOf(right !== undefined, failure)
    this.#ground.record.add(isRepaired ? 'repaired' : 'damaged', { ...part.about, ...found, ...(note && { note }) })
  }

  /** What a copy holds instead of a part, and on which member: where the first difference is, if that can be told. */
  #foundIn(copy: Copy, part: Part, right?: Buffer): Found {
    const at = this.#firstWrong(copy, part, right)
    const stretch = copy.stretches.find(({ end }) => at < end)!
    return {
      kind: this.#kindIn(copy, part),
      member: this.#ground.core.members.numberOf(stretch.member),
      memberOffset: stretch.deviceOffset + at - stretch.start,
    }
  }

  #firstWrong(copy: Copy, part: Part, right: Buffer | undefined): number {
    const unreadable = this.#blocksOf(part).find((block) => copy.unreadable.has(block))
    if (unreadable !== undefined) return Math.max(part.start, unreadable * this.#blockBytes)
    const different = right?.findIndex((byte, i) => copy.bytes[part.start + i] !== byte) ?? -1
    return part.start + Math.max(0, different)
  }
}

function noteOf(isKnown: boolean, failure: unknown): string | undefined {
  if (failure) return `a good copy could not be written over it: ${(failure as Error).message}`
  if (isKnown) return 'there is a good copy, but writing it here would put another at risk, or it did not stay'
  return undefined
}

/** Only a failure of the medium is a finding, and only while the member is in use: it may have been replaced. */
export function requireMedium(error: unknown, { isInSync }: Member): void {
  if (isInSync && !hasCode(error, 'ERR_IO')) throw error
}

const slice = ({ bytes }: Pick<Copy, 'bytes'>, { start, length }: Part): Buffer => bytes.subarray(start, start + length)

const isSamePlace = (one: Stretch, other: Stretch | undefined): boolean =>
  one.device === other?.device && one.deviceOffset === other.deviceOffset
