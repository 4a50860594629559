import assert from 'node:assert/strict'
import {
  type Device,
  type Format,
  MemoryDevice,
  openVolumes,
  type Pool,
  type Sequence,
  type Tuning,
  type Volume,
  type VolumeExtent,
  type Volumes,
  type VolumesOptions,
} from '../../pool/index.ts'
import type { Random } from './random.ts'
import { formatDevice, openDevice } from './single-device.ts'
import { identity, TINY_TUNING } from './tiny-pool.ts'

export const BLOCK = 4096
/** Blocks of the volumes of tests: two groups and a half. */
export const BLOCKS = 40

/** A small pool in which a block travels in the journal, and a whole group needs extents and a manifest. */
export const VOLUME_FORMAT: Format = {
  blockBytes: 512,
  unitBytes: 4096,
  segmentBytes: 256 << 10,
  ringSlots: 3,
  recordExtentsMax: 3,
}
export const VOLUME_TUNING: Tuning = {
  ...TINY_TUNING,
  inlineBytesMax: 32 << 10,
  transactionBytesMax: 100 << 10,
  groupBytesMax: 32 << 10,
  queueBytesMax: 1 << 20,
  stagingBytesMax: 16 << 10,
}
export const VOLUME_POOL_BYTES = 8 << 20

/** Nothing happens of itself. */
export const noTimers = { every: () => () => {} }

export const formatForVolumes = (device: Device): Promise<void> => formatDevice(device, VOLUME_FORMAT, identity())

export async function volumeDevice(bytes = VOLUME_POOL_BYTES): Promise<MemoryDevice> {
  const device = new MemoryDevice(bytes)
  await formatForVolumes(device)
  return device
}

export const openVolumePool = (device: Device, tuning: Partial<Tuning> = {}): Promise<Pool> =>
  openDevice(device, { tuning: { ...VOLUME_TUNING, ...tuning } })

export const openQuietly = (pool: Pool, options: VolumesOptions = {}): Promise<Volumes> =>
  openVolumes(pool, { timers: noTimers, ...options })

/** A device as the medium holds it when the process dies now. */
export function copyOf(device: MemoryDevice): MemoryDevice {
  const copy = new MemoryDevice(device.bytes.length)
  device.bytes.copy(copy.bytes)
  return copy
}

/** Blocks of one byte each. */
export const filled = (blocks: number, byte: number): Buffer => Buffer.alloc(blocks * BLOCK, byte)

export const extent = (block: number, blocks: number, byte: number): VolumeExtent => ({
  offset: block * BLOCK,
  bytes: filled(blocks, byte),
})

/** What a volume must hold: its writes by their sequences, over zeros. */
export class VolumeModel {
  readonly #size: number
  readonly #writes: { readonly sequence: Sequence; readonly extents: readonly VolumeExtent[] }[] = []

  constructor(size = BLOCKS * BLOCK) {
    this.#size = size
  }

  add(sequence: Sequence, extents: readonly VolumeExtent[]): void {
    this.#writes.push({ sequence, extents })
    this.#writes.sort((one, other) => one.sequence - other.sequence)
  }

  /** The same as it was at `sequence`. */
  upTo(sequence: Sequence): VolumeModel {
    const model = new VolumeModel(this.#size)
    for (const write of this.#writes) if (write.sequence <= sequence) model.add(write.sequence, write.extents)
    return model
  }

  sequencesAfter(sequence: Sequence): Sequence[] {
    return this.#writes.map((write) => write.sequence).filter((later) => later > sequence)
  }

  /** Its bytes once every write up to `sequence` was made. */
  at(sequence: Sequence = Number.POSITIVE_INFINITY): Buffer {
    const bytes = Buffer.alloc(this.#size)
    for (const write of this.#writes) {
      if (write.sequence > sequence) break
      for (const { offset, bytes: source } of write.extents) bytes.set(source, offset)
    }
    return bytes
  }

  /** The volume equals the model at `sequence`, the whole of it. */
  async verify(volume: Volume, sequence?: Sequence): Promise<void> {
    const found = await volume.read(0, this.#size)
    const expected = this.at(sequence)
    for (let offset = 0; offset < this.#size; offset += BLOCK) {
      const same = found.subarray(offset, offset + BLOCK).equals(expected.subarray(offset, offset + BLOCK))
      assert(same, `block ${offset / BLOCK} of ${volume.name} reads ${found[offset]}, and not ${expected[offset]}`)
    }
  }
}

let stamp = 0

/** Extents that do not overlap, of bytes that no other write has: single blocks, runs, whole groups. */
export function randomExtents(random: Random, blocks = BLOCKS, blocksMax = 24): VolumeExtent[] {
  const extents: VolumeExtent[] = []
  const taken = new Set<number>()
  for (let left = 1 + random.below(3); left > 0; left--) {
    const length = Math.min(random.pick([1, 1, 1, 2, 5, 9, 16, 20]), blocksMax - taken.size)
    const block = random.chance(0.3) ? 16 * random.below(Math.ceil(blocks / 16)) : random.below(blocks)
    const numbers = Array.from({ length: Math.min(length, blocks - block) }, (_, i) => block + i)
    if (numbers.length === 0 || numbers.some((number) => taken.has(number))) continue
    for (const number of numbers) taken.add(number)
    stamp++
    const bytes = Buffer.alloc(numbers.length * BLOCK, `write ${stamp}, of many; `)
    for (const [i, number] of numbers.entries()) bytes.writeUInt32LE(number, i * BLOCK)
    extents.push({ offset: block * BLOCK, bytes })
  }
  return extents.length > 0 ? extents : randomExtents(random, blocks, blocksMax)
}

/** The pool holds what its volumes own, and nothing else: nothing leaked, nothing is owned twice. */
export async function verifySpace(pool: Pool, volumes: Volumes, otherBytes = 0): Promise<void> {
  const { findings, payloadBytes } = await checkAtRest(pool)
  assert.deepEqual(findings, [])
  const owned = volumes.list().reduce((sum, { storedBytes }) => sum + storedBytes, otherBytes)
  assert.equal(payloadBytes, owned, 'payload bytes in the pool, and those that volumes own')
}

/** What tidies behind the writes may still commit, and while records come and go their space is not to be compared. */
async function checkAtRest(pool: Pool): ReturnType<Pool['check']> {
  for (;;) {
    const { sequence } = pool.position
    const report = await pool.check()
    if (pool.position.sequence === sequence) return report
  }
}
