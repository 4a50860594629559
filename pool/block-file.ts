import { existsSync } from 'node:fs'
import { access, type FileHandle, mkdir, open, rename, rm, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { PoolError } from './errors.ts'
import { syncFolders } from './pool-folder.ts'

const CHUNK_BYTES = 512 * 1024

/** Told of bytes written so far, and of all. */
export type Progress = (done: number, total: number) => void

/**
 * Makes a block file at `path`: `bytes` zeros that are written, not merely promised, so that no later write needs new
 * space or new metadata. It gets its name last, so a file that is there is whole. The folder may be there already, with
 * other files in it.
 *
 * ERR_NO_SPACE when the disk lacks the room, ERR_LIMITS when there is a file already; nothing is left behind.
 */
export async function createBlockFile(path: string, bytes: number, onProgress: Progress = () => {}): Promise<void> {
  const folder = resolve(dirname(path))
  const temporary = `${path}.new`
  await refuseOverwriting(path)
  const made = await mkdir(folder, { recursive: true })
  await refuseFullDisk(folder, bytes)
  try {
    await writeZeros(temporary, bytes, onProgress)
    await rename(temporary, path)
    await syncFolders(folder, made)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** The folder that is there already, of those that `path` leads through; itself, when it is one. */
export function existingFolder(path: string): string {
  let folder = resolve(path)
  while (!existsSync(folder)) folder = dirname(folder)
  return folder
}

/** What is there may be somebody's data, which no other name keeps. */
async function refuseOverwriting(path: string): Promise<void> {
  const found = await access(path).then(
    () => true,
    () => false,
  )
  if (found) throw new PoolError('ERR_LIMITS', `there is a file at ${path} already`)
}

/** Throws where block files of `bytes` in all do not fit the disk that `folder` lies on. */
export async function refuseFullDisk(folder: string, bytes: number, files = 1): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= bytes) return
  const what = files === 1 ? `a block file of ${bytes} bytes does` : `block files of ${bytes} bytes do`
  throw new PoolError('ERR_NO_SPACE', `${what} not fit: ${folder} has ${bavail * bsize} bytes left`)
}

async function writeZeros(path: string, bytes: number, onProgress: Progress): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    const zeros = Buffer.alloc(CHUNK_BYTES)
    for (let done = 0; done < bytes; ) {
      done += await writeChunk(file, zeros.subarray(0, Math.min(CHUNK_BYTES, bytes - done)), done)
      onProgress(done, bytes)
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

async function writeChunk(file: FileHandle, chunk: Buffer, offset: number): Promise<number> {
  const { bytesWritten } = await file.write(chunk, 0, chunk.length, offset)
  if (bytesWritten !== chunk.length)
    throw new PoolError('ERR_NO_SPACE', `the disk was full after ${offset + bytesWritten} bytes`)
  return bytesWritten
}
