import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import type { RecordedWrite, TraceEvent } from './crash-device.ts'

/*
 * The log of a block device in the format of dm-log-writes, which qemu's blklogwrites writes, too. All numbers little-endian.
 *
 *   sector 0    magic u64 │ version u64 │ entries u64 │ sector bytes u32
 *   then, of each entry
 *   one sector  sector u64 │ sectors u64 │ flags u64 │ data length u64
 *   its data    sectors × sector bytes; none of a discard
 */

const MAGIC = 0x6a736677736872n
const VERSION = 1n
const SUPERBLOCK_BYTES = 28
const FLUSH = 1n
const DISCARD = 4n
/** FLUSH and FUA are told apart from data by what they bring; whatever else stands there is none of this reader's. */
const KNOWN_FLAGS = 7n

/** Entries in the log at this moment. The superblock is written with each of them, before the request is answered. */
export function countEntries(path: string): number {
  const head = Buffer.alloc(SUPERBLOCK_BYTES)
  const descriptor = openSync(path, 'r')
  try {
    const bytes = readSync(descriptor, head, 0, SUPERBLOCK_BYTES, 0)
    return bytes < SUPERBLOCK_BYTES ? 0 : readSuperblock(head).entries
  } finally {
    closeSync(descriptor)
  }
}

/**
 * The log as a trace whose crashes can be enumerated; one event an entry. The export works on one request after the other, so
 * a flush covers whatever stands before it.
 */
export function readWriteLog(path: string): readonly TraceEvent<never>[] {
  const log = readFileSync(path)
  if (log.length === 0) return [] // Nothing came at all.
  const { entries, sectorBytes } = readSuperblock(log)
  const trace: TraceEvent<never>[] = []
  let pending: RecordedWrite[] = []
  let writes = 0
  let at = sectorBytes
  for (let i = 0; i < entries; i++) {
    const sector = Number(log.readBigUInt64LE(at))
    const length = Number(log.readBigUInt64LE(at + 8)) * sectorBytes
    const flags = log.readBigUInt64LE(at + 16)
    assert((flags & ~KNOWN_FLAGS) === 0n, `entry ${i} has flags ${flags}`)
    at += sectorBytes
    if (length > 0) {
      const data = flags & DISCARD ? Buffer.alloc(length) : log.subarray(at, at + length)
      if (!(flags & DISCARD)) at += length
      const write: RecordedWrite = { number: writes++, offset: sector * sectorBytes, data, resolved: true }
      // Written through or not: a crash may only take it where nothing flushed it, and a pool asks for nothing else.
      pending.push(write)
      trace.push({ kind: 'write', write })
    } else {
      assert(flags & FLUSH, `entry ${i} neither writes nor flushes`)
      trace.push({ kind: 'flush', covered: pending })
      pending = []
    }
  }
  return trace
}

function readSuperblock(head: Buffer): { readonly entries: number; readonly sectorBytes: number } {
  assert(head.readBigUInt64LE(0) === MAGIC, 'this is no log of writes')
  assert(head.readBigUInt64LE(8) === VERSION, 'a log of writes of another version')
  return { entries: Number(head.readBigUInt64LE(16)), sectorBytes: head.readUInt32LE(24) }
}
