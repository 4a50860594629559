import { randomBytes } from 'node:crypto'
import {
  chooseFormat,
  formatDevices,
  type Geometry,
  type ManagedPool,
  type OpenOptions,
  openDevices,
  type Release,
  type Sequence,
} from '../pool/index.ts'
import { CountingDevice } from './counting-device.ts'

/** A pool over block files, and the devices that count what it asks of them. */
export interface CountedPool {
  readonly pool: ManagedPool
  readonly devices: readonly CountingDevice[]
}

export const SINGLE: Geometry = { layout: 'concat', stripeUnit: 0, legs: 1, runs: 1 }

/** What describes an object: as long as an upload's record is. */
const content = Buffer.alloc(400, 'a')

interface Shape {
  readonly geometry?: Geometry
  readonly segmentBytes?: number
}

/** An empty pool on files that may hold an older one. */
export async function freshPool(
  paths: readonly string[],
  options: OpenOptions = {},
  { geometry = SINGLE, segmentBytes }: Shape = {},
): Promise<CountedPool> {
  const devices = paths.map((path) => new CountingDevice(path))
  const chosen = chooseFormat(devices.reduce((sum, { limits }) => sum + limits.size, 0) / geometry.legs)
  const format = segmentBytes ? { ...chosen, segmentBytes } : chosen
  const identity = { pool: randomBytes(16), members: devices.map(() => randomBytes(16)) }
  await formatDevices(devices, { format, geometry }, identity)
  return { pool: await openDevices(devices, options), devices }
}

export async function reopened(device: CountingDevice, options: OpenOptions = {}): Promise<CountedPool> {
  return { pool: await openDevices([device], options), devices: [device] }
}

/** No timer seals or checkpoints: the journal is as the commits left it. */
export const NO_TIMERS: OpenOptions = { timers: { every: () => () => {} } }

/** Leaves a pool as a kill would: whatever it holds in memory is gone. */
export async function drop({ devices }: CountedPool): Promise<void> {
  for (const device of devices) await device.close()
}

/** Stores one object of `bytes`, which come in pieces of `source`; returns its sequence once it is durable. */
export async function store(
  { pool }: CountedPool,
  source: Uint8Array,
  bytes: number,
  releases: readonly Release[] = [],
): Promise<Sequence> {
  const transaction = pool.begin()
  const payload = transaction.stage()
  for (let done = 0; done < bytes; done += source.length) await payload.write(source.subarray(0, bytes - done))
  return await transaction.commit(() => ({ records: [{ content, payloads: [payload] }], releases }))
}

export interface Counts {
  readonly bytesWritten: number
  readonly flushes: number
}

/** Bytes and flushes of all devices so far. */
export const countsOf = ({ devices }: CountedPool): Counts => ({
  bytesWritten: devices.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
  flushes: devices.reduce((sum, { flushes }) => sum + flushes, 0),
})
