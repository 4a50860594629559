import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { blockDeviceSizes } from '../system/index.ts'
import type { FoundMember } from './assembly.ts'
import type { Readable } from './device.ts'
import { PoolError } from './errors.ts'
import { look } from './look.ts'

/** A file or block device that is only looked at: opened to be read, by the side of whoever holds it. */
export class PeekedFile implements Readable {
  readonly limits: Readable['limits']
  readonly #file: FileHandle

  private constructor(file: FileHandle, size: number) {
    this.#file = file
    this.limits = { size, logicalBlockSize: 1 }
  }

  static async open(path: string): Promise<PeekedFile> {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stats = await file.stat()
      return new PeekedFile(file, stats.isBlockDevice() ? blockDeviceSizes(file.fd).bytes : stats.size)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    const { bytesRead } = await this.#file.read(target, 0, target.length, offset)
    if (bytesRead !== target.length) throw new PoolError('ERR_IO', `only ${bytesRead} bytes at ${offset} could be read`)
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** What is at `path` of a pool, looked at and let go; undefined when it holds none. */
export async function peek(path: string): Promise<FoundMember<PeekedFile> | undefined> {
  const file = await PeekedFile.open(path)
  try {
    return await look(file)
  } finally {
    await file.close()
  }
}
