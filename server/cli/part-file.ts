import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** A file appears under its name only once `write` has resolved, and what it wrote is on the disk. */
export async function appear(path: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomUUID()}.part`)
  try {
    await write(part)
    await flush(part)
    await rename(part, path)
  } finally {
    await rm(part, { force: true })
  }
}

async function flush(path: string): Promise<void> {
  await using file = await open(path, 'r+')
  await file.sync()
}
