import { type BatchHeader, decodeBatchHeader } from '../../pool/batch.ts'
import {
  type Device,
  type Drafting,
  MemoryDevice,
  type Pool,
  type Release,
  type Sequence,
  type Staging,
} from '../../pool/index.ts'
import { decodeSegmentHeader } from '../../pool/segment.ts'
import { formatDevice, SingleZones } from './single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT } from './tiny-pool.ts'

/** A device that holds an empty tiny pool. */
export async function formatted(bytes = TINY_BYTES): Promise<MemoryDevice> {
  const device = new MemoryDevice(bytes)
  await formatDevice(device, TINY_FORMAT, identity())
  return device
}

/** Commits one record with one payload. */
export async function put(pool: Pool, bytes: Uint8Array, releases: readonly Release[] = []): Promise<Sequence> {
  const transaction = pool.begin()
  const payload = transaction.stage()
  await payload.write(bytes)
  return await transaction.commit((first) => ({
    records: [{ content: Buffer.from(`record ${first}`), payloads: [payload] }],
    releases,
  }))
}

/** Commits one record without a payload, which releases others'. */
export async function release(pool: Pool, ...releases: readonly Release[]): Promise<Sequence> {
  return await pool.begin().commit(() => ({ records: [{ content: Buffer.from('gone'), payloads: [] }], releases }))
}

export async function readAll(pool: Pool, sequence: Sequence, payload = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of pool.read(sequence, payload)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The contents of all records. */
export async function contents(pool: Pool): Promise<string[]> {
  const found: string[] = []
  for await (const { content } of pool.replay(1)) found.push(Buffer.from(content).toString())
  return found
}

/** Bytes that differ from block to block and from `seed` to `seed`. */
export const pattern = (length: number, seed = 1): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i >> 8)) & 255))

type Request = 'read' | 'write' | 'flush'

/** A device that keeps chosen requests waiting until a test lets them go. */
export class GatedDevice implements Device {
  readonly copies = 1
  readonly limits
  readonly #device: Device
  #holds: (request: Request, offset: number) => boolean = () => false
  #waiting: (() => void)[] = []
  #onHeld: () => void = () => {}

  constructor(device: Device) {
    this.#device = device
    this.limits = device.limits
  }

  /** From now on requests that `holds` accepts wait. Resolves when the first one does. */
  hold(holds: (request: Request, offset: number) => boolean): Promise<void> {
    this.#holds = holds
    return new Promise((resolve) => {
      this.#onHeld = resolve
    })
  }

  /** Lets everything go that waits, and everything that comes. */
  open(): void {
    this.#holds = () => false
    for (const go of this.#waiting.splice(0)) go()
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    await this.#gate('read', offset)
    await this.#device.read(offset, target)
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    await this.#gate('write', offset)
    await this.#device.write(offset, source)
  }

  async flush(): Promise<void> {
    await this.#gate('flush', 0)
    await this.#device.flush()
  }

  close(): Promise<void> {
    return this.#device.close()
  }

  async #gate(request: Request, offset: number): Promise<void> {
    if (!this.#holds(request, offset)) return
    const held = new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#onHeld()
    await held
  }
}

/** Lets everything that can go on without the device go on. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 200; turns++) await null
}

/** A batch as it lies on a device. */
export interface PlacedBatch {
  readonly header: BatchHeader
  readonly offset: number
  readonly bytes: number
  /** Where the header of its segment lies. */
  readonly segmentOffset: number
}

/** Every batch on a device of a tiny pool, leftovers too, in the order of their positions. */
export function batchesOn(device: Buffer): PlacedBatch[] {
  const zones = new SingleZones(device.length, TINY_FORMAT)
  const regions = Array.from({ length: zones.data.regions }, (_, region) => [...batchesIn(device, zones, region)])
  return regions.flat().sort((a, b) => a.header.lsn - b.header.lsn)
}

function* batchesIn(device: Buffer, zones: SingleZones, region: number): Generator<PlacedBatch> {
  const { blockBytes, blocksPerSegment } = zones.data
  const segmentOffset = zones.regionOffset(region)
  const segment = decodeSegmentHeader(device.subarray(segmentOffset, segmentOffset + blockBytes), identity().pool)
  if (!segment) return
  for (let block = 1; block < blocksPerSegment; block++) {
    const offset = segmentOffset + block * blockBytes
    const header = decodeBatchHeader(
      device.subarray(offset, offset + blockBytes),
      segment.ordinal * blocksPerSegment + block,
      identity().pool,
    )
    if (header) yield { header, offset, bytes: header.blocks * blockBytes, segmentOffset }
  }
}

/** Draws up the one record of what is prepared. */
export function preparing(payload: Staging, content: Uint8Array = Buffer.from('prepared')): Drafting {
  return () => ({ records: [{ content, payloads: [payload] }], releases: [] })
}
