import { closeSync, constants, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { alignedSharedBuffer, dropCleanPages } from '../system/index.ts'
import { secondsOf } from './loops.ts'

const CHUNK_BYTES = 512 * 1024

/** A file of zeros that are written, as a block file's are. */
export async function zeros(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w')
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (let offset = 0; offset < bytes; offset += chunk.length) await file.write(chunk, 0, chunk.length, offset)
  await file.sync()
  await file.close()
}

/** The largest request each way that the disk takes well (io-measure.ts). */
const REQUEST_BYTES = { buffered: CHUNK_BYTES, direct: 1 << 20 } as const

/** Overwrites the file from its start with a plain loop of large writes, and flushes it once; bytes per second. */
export async function plainWrite(path: string, bytes: number, way: keyof typeof REQUEST_BYTES): Promise<number> {
  const source = alignedSharedBuffer(REQUEST_BYTES[way]).fill(7)
  const descriptor = openSync(path, constants.O_RDWR | (way === 'direct' ? constants.O_DIRECT : 0))
  const seconds = await secondsOf(() => {
    for (let offset = 0; offset < bytes; offset += source.length)
      writeSync(descriptor, source, 0, source.length, offset)
    fdatasyncSync(descriptor)
  })
  closeSync(descriptor)
  return bytes / seconds
}

/** Takes the file out of the page cache; what the machine below caches stays there. */
export function dropFromCache(path: string): void {
  const descriptor = openSync(path, 'r+')
  fdatasyncSync(descriptor)
  dropCleanPages(descriptor)
  closeSync(descriptor)
}
