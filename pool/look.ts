import type { FoundMember } from './assembly.ts'
import type { Readable } from './device.ts'
import { readBytes } from './io.ts'
import { decodeGuard, type Guard, readSuperblock } from './superblock.ts'
import { UnreadableTally, unreadable } from './unreadable.ts'
import { memberZonesOf } from './zones.ts'

const GUARD_SIZES = [4096, 512, 1024, 2048, 8192, 16_384, 32_768, 65_536]

/**
 * The guard block at the front, or else at the end; one of them may be unreadable. Undefined when neither is there: the
 * device holds no pool.
 */
export async function readGuard(device: Readable, tally = new UnreadableTally()): Promise<Guard | undefined> {
  const { size } = device.limits
  let failure: unknown
  for (const offset of [0, ...GUARD_SIZES.map((bytes) => Math.floor(size / bytes) * bytes - bytes)]) {
    for (const bytes of GUARD_SIZES) {
      if (offset < 0 || offset + bytes > size) continue
      const block = await readBytes(device, offset, bytes).catch((error: unknown) => {
        failure ??= unreadable('the guard block', { device, offset }, bytes, error)
        tally.add({ device, offset }, bytes, error)
      })
      const guard = block && decodeGuard(block)
      if (guard) return guard
    }
  }
  if (failure) throw failure
  return undefined
}

/** What a device is of a pool; undefined when it holds none. */
export async function look<D extends Readable>(
  device: D,
  tally?: UnreadableTally,
): Promise<FoundMember<D> | undefined> {
  const guard = await readGuard(device, tally)
  if (!guard) return undefined
  const zones = memberZonesOf(guard.deviceBytes, guard.format)
  const isWhole = guard.deviceBytes === device.limits.size
  return { device, guard, superblock: isWhole ? await readSuperblock(device, zones, guard.pool, tally) : undefined }
}
