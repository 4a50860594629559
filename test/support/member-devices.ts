import { formatDevices } from '../../pool/create.ts'
import type { Geometry, MemoryDevice } from '../../pool/index.ts'
import { readSuperblock } from '../../pool/superblock.ts'
import { memberZonesOf } from '../../pool/zones.ts'
import { FailingDevice } from './failing-device.ts'
import { seedOf } from './random.ts'
import { TINY_BYTES, TINY_FORMAT } from './tiny-pool.ts'

/* Devices of small pools in memory, whose members fail, come and go. */
export const SEED = seedOf(7)
export const POOL = Buffer.alloc(16, 1)
export const mirrored: Geometry = { layout: 'mirror', stripeUnit: 0, legs: 2, runs: 1 }
export const concat: Geometry = { layout: 'concat', stripeUnit: 0, legs: 1, runs: 1 }
export const striped: Geometry = { layout: 'stripe', stripeUnit: 1024, legs: 1, runs: 1 }

export function devices(count: number, bytes = TINY_BYTES): FailingDevice[] {
  return Array.from({ length: count }, () => new FailingDevice(bytes))
}

export async function formatted(count: number, geometry: Geometry, bytes = TINY_BYTES): Promise<FailingDevice[]> {
  const made = devices(count, bytes)
  const members = made.map((_, i) => Buffer.alloc(16, i + 2))
  await formatDevices(made, { format: TINY_FORMAT, geometry }, { pool: POOL, members })
  return made
}

export function copyOf(device: MemoryDevice): FailingDevice {
  const copy = new FailingDevice(device.limits.size)
  copy.bytes.set(device.bytes)
  return copy
}

export const states = (pool: { status(): { members: readonly { state: string }[] } }) =>
  pool.status().members.map(({ state }) => state)

export const newestSerial = async (device: MemoryDevice) =>
  (await readSuperblock(device, memberZonesOf(device.limits.size, TINY_FORMAT), POOL))?.serial

/** Devices as they were before each request that changes one of them, and in the end; a new one, once it has guards. */
export function recorded(found: readonly FailingDevice[]): () => FailingDevice[][] {
  const moments: FailingDevice[][] = []
  const hasGuards = ({ bytes }: FailingDevice) => bytes.subarray(0, 8).toString() === 'CENOTEPL'
  const record = () => void moments.push(found.filter(hasGuards).map(copyOf))
  for (const device of found) {
    device.before = (request) => {
      if (request !== 'read') record()
    }
  }
  return () => {
    record()
    for (const device of found) device.before = () => {}
    return moments
  }
}

/** What waits for it goes on once it is open. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
