import { sha256 } from '../../pool/checksum.ts'
import { entryBytes } from '../../pool/entry.ts'
import { crc32c, LAYOUTS } from '../../pool/index.ts'
import type { MemberEntry } from '../../pool/superblock.ts'
import { identity, TINY_FORMAT } from '../support/tiny-pool.ts'
import { batch } from './batches.ts'
import { guard, POOL, regionPage, segmentHeader, superblock } from './structures.ts'
import { volumeDirectory, volumeWrite } from './volumes.ts'

/** What the fields in the table below a heading of docs/FORMAT.md are in a golden file, by their names there. */
interface Table {
  readonly heading: string
  readonly file: string
  readonly values: (bytes: Buffer) => { readonly [name: string]: number | Buffer }
}

const ENTRY_BYTES = batch.value.entries.reduce((bytes, entry) => bytes + entryBytes(entry), 0)

export const TABLES: readonly Table[] = [
  {
    heading: 'Guard block',
    file: 'guard.hex',
    values: (bytes) => ({
      CENOTEPL: Buffer.from('CENOTEPL'),
      'crc32c of the rest of the block': crc32c(bytes.subarray(12)),
      'format version': 2,
      'pool uuid': POOL,
      'member uuid': guard.value.member,
      'bytes of the device': guard.value.deviceBytes,
      'block bytes': guard.value.format.blockBytes,
      'unit bytes': guard.value.format.unitBytes,
      'segment bytes': guard.value.format.segmentBytes,
      'slots in a ring': guard.value.format.ringSlots,
      'write atomicity': 1,
      'extents kept in a record': guard.value.format.recordExtentsMax,
      layout: LAYOUTS.indexOf(guard.value.geometry.layout),
      'stripe unit': guard.value.geometry.stripeUnit,
      'legs of each mirror': guard.value.geometry.legs,
      'runs of a segment': guard.value.geometry.runs,
      'refusals accepted by name': guard.value.accepted,
      'input and output': 0,
    }),
  },
  {
    heading: 'Superblock',
    file: 'superblock.hex',
    values: (bytes) => ({
      CENOTESB: Buffer.from('CENOTESB'),
      'crc32c of the rest of the block': crc32c(bytes.subarray(12)),
      'format version': 2,
      'pool uuid': POOL,
      serial: superblock.value.serial,
      epoch: superblock.value.epoch,
      'epoch start': superblock.value.epochStartLsn,
      'checkpoint lsn': superblock.value.checkpointLsn,
      'digest of the batch before the checkpoint lsn': superblock.value.chain,
      'known durable lsn': superblock.value.knownDurableLsn,
      'clean end lsn': superblock.value.cleanEndLsn,
      'sequence of the first record after the checkpoint': superblock.value.nextSequence,
      'region of the segment that the checkpoint ends in': superblock.value.checkpointRegion,
      'crc32c of the root page': superblock.value.pages.checksum,
      'block of the root page': superblock.value.pages.block,
      'leaves of the page tree': superblock.value.pages.pages,
      members: superblock.value.members.length,
      'uuid of the first member': superblock.value.members[0]!.uuid,
      'its state': 0,
      'bytes of its data area': superblock.value.members[0]!.dataBytes,
      'the second member in the same form': encodedMember(superblock.value.members[1]!),
    }),
  },
  {
    heading: 'Metadata pages',
    file: 'region-page.hex',
    values: (bytes) => ({
      flags: 3,
      ordinal: regionPage.value.ordinal,
      'first sequence': regionPage.value.firstSequence,
      records: regionPage.value.records,
      'blocks used': regionPage.value.blocks,
      payloads: regionPage.value.payloads,
      'bytes of entries': regionPage.value.entryBytes,
      'bytes of live inline payloads': regionPage.value.liveBytes,
      'regions of its other runs': wordsOf(regionPage.value.regions),
      'payload _n_ of the segment was released': bitmapOf(regionPage.value.released, bytes.length - 76),
    }),
  },
  {
    heading: 'Segment header',
    file: 'segment-header.hex',
    values: (bytes) => ({
      CENOTESG: Buffer.from('CENOTESG'),
      'crc32c of bytes 12…128': crc32c(bytes.subarray(12, 128)),
      flags: 1,
      'pool uuid': POOL,
      ordinal: segmentHeader.value.ordinal,
      epoch: segmentHeader.value.epoch,
      'first sequence': segmentHeader.value.firstSequence,
      'its own region': segmentHeader.value.regions[0]!,
      'region of its successor': segmentHeader.value.successor[0]!,
      'digest of the batch before': segmentHeader.value.previous,
      'regions of its other runs': wordsOf(segmentHeader.value.regions),
      'regions of the other runs of the successor': wordsOf(segmentHeader.value.successor),
    }),
  },
  {
    heading: 'Batch',
    file: 'batch.hex',
    values: (bytes) => ({
      'magic 0x48435442': 0x48435442,
      'crc32c of the pool uuid and bytes 8…128': crc32c(Buffer.concat([identity().pool, bytes.subarray(8, 128)])),
      digest: sha256(identity().pool, bytes.subarray(40, 128 + ENTRY_BYTES)),
      'digest of the batch before': batch.value.header.previous,
      lsn: batch.value.header.lsn,
      epoch: batch.value.header.epoch,
      'serial of the superblock in force': batch.value.header.superblockSerial,
      'durable lsn': batch.value.header.durableLsn,
      'first sequence': batch.value.header.firstSequence,
      blocks: bytes.length / TINY_FORMAT.blockBytes,
      'entry bytes': ENTRY_BYTES,
      entries: batch.value.entries.length,
      flags: 0,
    }),
  },
  {
    heading: 'A write to a volume',
    file: 'volume-write.hex',
    values: (bytes) => ({
      V: Buffer.from('V'),
      'version of the record': Buffer.of(1),
      kind: Buffer.of(2),
      'number of the volume': volumeWrite.value.volume,
      'sequence of the directory in force': volumeWrite.value.directory,
      'places of the payloads': bytes.subarray(16),
    }),
  },
  {
    heading: 'The directory of volumes',
    file: 'volume-directory.hex',
    values: (bytes) => ({
      V: Buffer.from('V'),
      'version of the record': Buffer.of(1),
      kind: Buffer.of(1),
      'number of the next volume': volumeDirectory.value.nextNumber,
      'sequence of the directory before': volumeDirectory.value.previous,
      volumes: volumeDirectory.value.volumes.length,
      'the volumes': bytes.subarray(24),
    }),
  },
]

/** A member's entry in the superblock. */
function encodedMember({ uuid, state, dataBytes }: MemberEntry): Buffer {
  const entry = Buffer.alloc(32)
  uuid.copy(entry)
  entry.writeUInt32LE(state === 'stale' ? 1 : 0, 16)
  entry.writeUIntLE(dataBytes, 24, 6)
  return entry
}

/** Regions but the first, each plus one; none is 0. */
function wordsOf(regions: readonly number[]): Buffer {
  const words = Buffer.alloc(12)
  for (const [i, region] of regions.slice(1).entries()) words.writeUInt32LE(region + 1, i * 4)
  return words
}

function bitmapOf(numbers: readonly number[], bytes: number): Buffer {
  const bitmap = Buffer.alloc(bytes)
  for (const number of numbers) bitmap[Math.floor(number / 8)]! |= 1 << (number % 8)
  return bitmap
}
