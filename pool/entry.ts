import { readUint64, roundUp, writeUint64 } from './bytes.ts'
import { crc32c } from './checksum.ts'
import type { Sequence } from './contract.ts'
import { PoolError } from './errors.ts'

/** A piece of a payload at rest: `length` bytes from the start of a unit, and their checksum. */
export interface Extent {
  readonly length: number
  readonly unit: number
  readonly checksum: number
}

/** In the same batch, `offset` bytes into its payload part; one checksum for each unit's worth of bytes. */
export interface InlinePlacement {
  readonly form: 'inline'
  readonly length: number
  readonly offset: number
  readonly checksums: readonly number[]
}

/** In units of its own: a tree whose leaves, `depth` manifests below, are data. */
export interface ExtentsPlacement {
  readonly form: 'extents'
  readonly length: number
  readonly depth: number
  readonly extents: readonly Extent[]
}

/** Released, and left out when its segment was compacted. */
interface GapPlacement {
  readonly form: 'gap'
  readonly length: number
}

/** Where a payload's bytes are. */
export type Placement = InlinePlacement | ExtentsPlacement | GapPlacement

/**
 * A payload of an earlier record that this one lets go; `heir` names the payload of this record that takes its data
 * units over.
 */
export interface ReleaseEntry {
  readonly sequence: Sequence
  readonly payload: number
  readonly heir?: number
}

/** A record as it lies in a batch. */
export interface Entry {
  readonly sequence: Sequence
  readonly content: Uint8Array
  readonly payloads: readonly Placement[]
  readonly releases: readonly ReleaseEntry[]
}

/*
 *   entry     := u32 bytes | u32 crc32c(8…) | u64 sequence | u32 content bytes | u16 payloads | u16 releases | u64 0
 *                placement… release… content, zero padding to a multiple of 8
 *   placement := u8 form (0 inline, 1 extents, 2 gap) | u8 depth | u8 encoding (0 identity) | u8 0 | u32 count | u64 length
 *                inline: u64 offset, u32 crc32c × count, padding to 8    extents: extent × count
 *   extent    := u64 length | u32 unit | u32 crc32c
 *   release   := u64 sequence | u16 payload | u16 heir (0xffff: none) | u32 0
 */
export const ENTRY_HEADER_BYTES = 32
const PLACEMENT_BYTES = 16
export const EXTENT_BYTES = 16
const RELEASE_BYTES = 16
const FORMS = ['inline', 'extents', 'gap'] as const
const NO_HEIR = 0xffff
const IDENTITY = 0
export const ENTRY_PAYLOADS_MAX = 0xfffe
export const ENTRY_RELEASES_MAX = 0xffff

function placementBytes(placement: Placement): number {
  if (placement.form === 'gap') return PLACEMENT_BYTES
  if (placement.form === 'extents') return PLACEMENT_BYTES + placement.extents.length * EXTENT_BYTES
  return PLACEMENT_BYTES + 8 + roundUp(placement.checksums.length * 4, 8)
}

export function entryBytes(entry: Entry): number {
  let bytes = ENTRY_HEADER_BYTES + entry.releases.length * RELEASE_BYTES + entry.content.length
  for (const placement of entry.payloads) bytes += placementBytes(placement)
  return roundUp(bytes, 8)
}

/** Writes `entry` at `offset` of zeroed bytes; returns the offset after it. */
export function encodeEntry(target: Buffer, offset: number, entry: Entry): number {
  const bytes = entryBytes(entry)
  target.writeUInt32LE(bytes, offset)
  writeUint64(target, offset + 8, entry.sequence)
  target.writeUInt32LE(entry.content.length, offset + 16)
  target.writeUInt16LE(entry.payloads.length, offset + 20)
  target.writeUInt16LE(entry.releases.length, offset + 22)
  let at = offset + ENTRY_HEADER_BYTES
  for (const placement of entry.payloads) at = encodePlacement(target, at, placement)
  for (const release of entry.releases) {
    writeUint64(target, at, release.sequence)
    target.writeUInt16LE(release.payload, at + 8)
    target.writeUInt16LE(release.heir ?? NO_HEIR, at + 10)
    at += RELEASE_BYTES
  }
  target.set(entry.content, at)
  target.writeUInt32LE(crc32c(target.subarray(offset + 8, offset + bytes)), offset + 4)
  return offset + bytes
}

function encodePlacement(target: Buffer, offset: number, placement: Placement): number {
  target.writeUInt8(FORMS.indexOf(placement.form), offset)
  writeUint64(target, offset + 8, placement.length)
  let at = offset + PLACEMENT_BYTES
  if (placement.form === 'extents') {
    target.writeUInt8(placement.depth, offset + 1)
    target.writeUInt32LE(placement.extents.length, offset + 4)
    for (const extent of placement.extents) at = encodeExtent(target, at, extent)
  } else if (placement.form === 'inline') {
    target.writeUInt32LE(placement.checksums.length, offset + 4)
    writeUint64(target, at, placement.offset)
    placement.checksums.forEach((checksum, i) => {
      target.writeUInt32LE(checksum, at + 8 + i * 4)
    })
    at += 8 + roundUp(placement.checksums.length * 4, 8)
  }
  return at
}

export function encodeExtent(target: Buffer, offset: number, extent: Extent): number {
  writeUint64(target, offset, extent.length)
  target.writeUInt32LE(extent.unit, offset + 8)
  target.writeUInt32LE(extent.checksum, offset + 12)
  return offset + EXTENT_BYTES
}

export function decodeExtent(source: Buffer, offset: number): Extent {
  return {
    length: readUint64(source, offset),
    unit: source.readUInt32LE(offset + 8),
    checksum: source.readUInt32LE(offset + 12),
  }
}

/** The length of the entry at `offset`, or undefined when no whole entry with a right checksum lies there. */
export function checkEntry(source: Buffer, offset: number): number | undefined {
  if (offset + ENTRY_HEADER_BYTES > source.length) return undefined
  const bytes = source.readUInt32LE(offset)
  if (bytes < ENTRY_HEADER_BYTES || bytes % 8 !== 0 || offset + bytes > source.length) return undefined
  const checksum = crc32c(source.subarray(offset + 8, offset + bytes))
  return checksum === source.readUInt32LE(offset + 4) ? bytes : undefined
}

/** Of the entry at `offset`, as it says itself. */
export const entryChecksum = (source: Buffer, offset: number): number => source.readUInt32LE(offset + 4)

/** The entry at `offset`, which checkEntry() accepted. `content` is a view of `source`. */
export function decodeEntry(source: Buffer, offset: number): Entry {
  const contentBytes = source.readUInt32LE(offset + 16)
  const payloadCount = source.readUInt16LE(offset + 20)
  const releaseCount = source.readUInt16LE(offset + 22)
  const payloads: Placement[] = []
  let at = offset + ENTRY_HEADER_BYTES
  for (let i = 0; i < payloadCount; i++) {
    const placement = decodePlacement(source, at)
    payloads.push(placement)
    at += placementBytes(placement)
  }
  const releases: ReleaseEntry[] = []
  for (let i = 0; i < releaseCount; i++) {
    releases.push(decodeRelease(source, at))
    at += RELEASE_BYTES
  }
  const content = source.subarray(at, at + contentBytes)
  return { sequence: readUint64(source, offset + 8), content, payloads, releases }
}

/** ERR_FORMAT for a placement that a later program wrote. */
function decodePlacement(source: Buffer, offset: number): Placement {
  const form = FORMS[source.readUInt8(offset)]
  const encoding = source.readUInt8(offset + 2)
  if (form === undefined || encoding !== IDENTITY) {
    throw new PoolError(
      'ERR_FORMAT',
      `form ${source.readUInt8(offset)} or encoding ${encoding} of a payload is not known`,
    )
  }
  const count = source.readUInt32LE(offset + 4)
  const length = readUint64(source, offset + 8)
  const at = offset + PLACEMENT_BYTES
  if (form === 'extents') {
    const extents: Extent[] = []
    for (let i = 0; i < count; i++) extents.push(decodeExtent(source, at + i * EXTENT_BYTES))
    return { form, length, depth: source.readUInt8(offset + 1), extents }
  }
  if (form === 'inline') {
    const checksums: number[] = []
    for (let i = 0; i < count; i++) checksums.push(source.readUInt32LE(at + 8 + i * 4))
    return { form, length, offset: readUint64(source, at), checksums }
  }
  return { form: 'gap', length }
}

function decodeRelease(source: Buffer, offset: number): ReleaseEntry {
  const heir = source.readUInt16LE(offset + 10)
  const release = { sequence: readUint64(source, offset), payload: source.readUInt16LE(offset + 8) }
  return heir === NO_HEIR ? release : { ...release, heir }
}
