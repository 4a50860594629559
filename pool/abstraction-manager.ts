import { randomBytes } from 'node:crypto'
import { createBlockFile, type Progress } from './block-file.ts'
import { roundUp } from './bytes.ts'
import type { ManagedPool } from './contract.ts'
import { formatDevices } from './create.ts'
import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import { FileDevice, type FileDeviceOptions } from './file-device.ts'
import { chooseFormat, type Format } from './format.ts'
import { type OpenOptions, openDevices } from './open.ts'

/*
 * The abstraction manager builds a pool over devices and enforces write atomicity: a state set when the pool is
 * configured, written in its guard, and never changed (US 7,346,748). Whatever would let a write be torn is refused
 * here, before a byte is written.
 */

export interface CreatePoolOptions extends FileDeviceOptions {
  /** Size of the block file; rounded up to whole mebibytes. */
  readonly bytes: number
  readonly onProgress?: Progress
}

/** The smallest block file that holds a pool. */
export const POOL_BYTES_MIN = 24 << 20

/** Makes a pool on a new block file at `path`. ERR_LIMITS, ERR_NO_SPACE; what was refused leaves nothing behind. */
export async function createPool(path: string, options: CreatePoolOptions): Promise<void> {
  const bytes = roundUp(options.bytes, 1 << 20)
  if (!(bytes >= POOL_BYTES_MIN)) {
    throw new PoolError(
      'ERR_LIMITS',
      `a pool of ${options.bytes} bytes is too small: it needs at least ${POOL_BYTES_MIN}`,
    )
  }
  const format = chooseFormat(bytes)
  const prepare = async (temporary: string) => {
    const device = FileDevice.open(temporary, options)
    try {
      refuse(device, format)
      await formatDevices([device], { format }, { pool: randomBytes(16), members: [randomBytes(16)] })
    } finally {
      await device.close()
    }
  }
  await createBlockFile(path, bytes, prepare, options.onProgress)
}

/** Opens the pool on the block file at `path`, held exclusively. ERR_NOT_FOUND, ERR_LOCKED, ERR_FORMAT, ERR_CORRUPT. */
export async function openPool(path: string, options: OpenOptions & FileDeviceOptions = {}): Promise<ManagedPool> {
  const device = FileDevice.open(path, options)
  try {
    return await openDevices([device], options)
  } catch (error) {
    await device.close()
    throw error
  }
}

/** What a device cannot promise. */
function refuse(device: Device, format: Format): void {
  const { physicalBlockSize, flushable } = device.limits
  if (format.blockBytes % physicalBlockSize !== 0) {
    throw new PoolError(
      'ERR_LIMITS',
      `R05_UNIT_LT_PHYSICAL: blocks of ${format.blockBytes} bytes on physical blocks of ${physicalBlockSize}: a torn one would damage its neighbour`,
    )
  }
  if (!flushable)
    throw new PoolError('ERR_LIMITS', 'R10_NO_FLUSH: the device cannot flush, so nothing on it is ever durable')
}
