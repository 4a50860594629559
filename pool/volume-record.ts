import { readUint64, roundUp, writeUint64 } from './bytes.ts'
import type { Sequence } from './contract.ts'
import { PoolError } from './errors.ts'
import type { Span } from './volume-shape.ts'

/*
 * The content of a volume's records. The first byte tells them from attribute records, which begin with 1.
 *
 *   record    := u8 0x56 'V' | u8 version, 1 | u8 kind | u8 0 | u32 number | u64 directory | body
 *   directory := kind 1, number: the next volume's; directory: the one before, 0 for the first
 *                u32 volumes | u32 0 | volume…
 *   volume    := u32 number | u32 flags (1 being removed) | u64 size | u64 map sequence (0 none) | u32 map payload
 *                u32 name bytes | u64 through | name in UTF-8, zeros to a multiple of 8
 *   write     := kind 2, number: the volume's; directory: the one in force
 *                (u32 block | u8 blocks | u8[3] 0)…, one for each payload
 */
const VOLUME_MARK = 0x56
const VERSION = 1
const DIRECTORY = 1
const WRITE = 2
const HEADER_BYTES = 16
const VOLUME_BYTES = 40
const SPAN_BYTES = 8
const REMOVED = 1

/** Whether a record's content is a volume's: whoever shares the pool with volumes passes over these. */
export const isVolumeRecord = (content: Uint8Array): boolean => content[0] === VOLUME_MARK

/** A volume as the directory knows it. */
export interface VolumeEntry {
  readonly number: number
  readonly name: string
  readonly size: number
  /** Its space is being given back; nobody sees it any more. */
  readonly removed: boolean
  /** The payload that holds its map, as of record `through`. */
  readonly map: { readonly sequence: Sequence; readonly payload: number } | undefined
  readonly through: Sequence
}

/** All volumes of a pool. The last one counts. */
export interface DirectoryRecord {
  readonly kind: 'directory'
  readonly nextNumber: number
  readonly previous: Sequence
  readonly volumes: readonly VolumeEntry[]
}

/** Blocks overwritten: span _i_ has its bytes in payload _i_. */
export interface WriteRecord {
  readonly kind: 'write'
  readonly volume: number
  /** The directory in force: whoever finds any of a pool's last records of volumes finds the directory. */
  readonly directory: Sequence
  readonly spans: readonly Span[]
}

export type VolumeRecord = DirectoryRecord | WriteRecord

export function encodeVolumeRecord(record: VolumeRecord): Buffer {
  return record.kind === 'directory' ? encodeDirectory(record) : encodeWrite(record)
}

function encodeHeader(bytes: Buffer, kind: number, number: number, directory: Sequence): Buffer {
  bytes.writeUInt8(VOLUME_MARK, 0)
  bytes.writeUInt8(VERSION, 1)
  bytes.writeUInt8(kind, 2)
  bytes.writeUInt32LE(number, 4)
  writeUint64(bytes, 8, directory)
  return bytes
}

function encodeWrite({ volume, directory, spans }: WriteRecord): Buffer {
  const bytes = encodeHeader(Buffer.alloc(HEADER_BYTES + spans.length * SPAN_BYTES), WRITE, volume, directory)
  for (const [i, { block, blocks }] of spans.entries()) {
    bytes.writeUInt32LE(block, HEADER_BYTES + i * SPAN_BYTES)
    bytes.writeUInt8(blocks, HEADER_BYTES + i * SPAN_BYTES + 4)
  }
  return bytes
}

function encodeDirectory({ nextNumber, previous, volumes }: DirectoryRecord): Buffer {
  const head = encodeHeader(Buffer.alloc(HEADER_BYTES + 8), DIRECTORY, nextNumber, previous)
  head.writeUInt32LE(volumes.length, HEADER_BYTES)
  return Buffer.concat([head, ...volumes.map(encodeEntry)])
}

function encodeEntry({ number, name, size, removed, map, through }: VolumeEntry): Buffer {
  const text = Buffer.from(name)
  const bytes = Buffer.alloc(VOLUME_BYTES + roundUp(text.length, 8))
  bytes.writeUInt32LE(number, 0)
  bytes.writeUInt32LE(removed ? REMOVED : 0, 4)
  writeUint64(bytes, 8, size)
  writeUint64(bytes, 16, map?.sequence ?? 0)
  bytes.writeUInt32LE(map?.payload ?? 0, 24)
  bytes.writeUInt32LE(text.length, 28)
  writeUint64(bytes, 32, through)
  text.copy(bytes, VOLUME_BYTES)
  return bytes
}

/** The record that isVolumeRecord() accepted. ERR_FORMAT for one that a later program wrote. */
export function decodeVolumeRecord(content: Uint8Array): VolumeRecord {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const [, version, kind] = bytes
  if (version !== VERSION || (kind !== DIRECTORY && kind !== WRITE)) {
    throw new PoolError('ERR_FORMAT', `version ${version}, kind ${kind} of a volume's record is not known`)
  }
  return kind === DIRECTORY ? decodeDirectory(bytes) : decodeWrite(bytes)
}

function decodeWrite(bytes: Buffer): WriteRecord {
  const spans: Span[] = []
  for (let at = HEADER_BYTES; at < bytes.length; at += SPAN_BYTES) {
    spans.push({ block: bytes.readUInt32LE(at), blocks: bytes.readUInt8(at + 4) })
  }
  return { kind: 'write', volume: bytes.readUInt32LE(4), directory: readUint64(bytes, 8), spans }
}

function decodeDirectory(bytes: Buffer): DirectoryRecord {
  const volumes: VolumeEntry[] = []
  let at = HEADER_BYTES + 8
  for (let left = bytes.readUInt32LE(HEADER_BYTES); left > 0; left--) {
    const nameBytes = bytes.readUInt32LE(at + 28)
    volumes.push(decodeEntry(bytes.subarray(at, at + VOLUME_BYTES + nameBytes)))
    at += VOLUME_BYTES + roundUp(nameBytes, 8)
  }
  return { kind: 'directory', nextNumber: bytes.readUInt32LE(4), previous: readUint64(bytes, 8), volumes }
}

function decodeEntry(bytes: Buffer): VolumeEntry {
  const sequence = readUint64(bytes, 16)
  return {
    number: bytes.readUInt32LE(0),
    name: bytes.toString('utf8', VOLUME_BYTES),
    size: readUint64(bytes, 8),
    removed: (bytes.readUInt32LE(4) & REMOVED) !== 0,
    map: sequence === 0 ? undefined : { sequence, payload: bytes.readUInt32LE(24) },
    through: readUint64(bytes, 32),
  }
}
