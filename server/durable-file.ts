import { mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes a folder's entries durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/**
 * Makes a folder and those above it that are missing, for their owner alone. One by one: where a file system makes no
 * folders and says that there is none above, as /proc does, `mkdir` of Node 20 with `recursive` tries for ever.
 */
export async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return
  const parent = dirname(path)
  await makeFolder(parent)
  await mkdir(path, { mode: 0o700 }).catch(async (error) => {
    if (!(await isFolder(path))) throw error
  })
  await syncFolder(parent)
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Writes a file for its owner alone. With `wx` one that exists is an error. */
export async function writeFile(path: string, content: string, flag: 'w' | 'wx'): Promise<void> {
  await using file = await open(path, flag, 0o600)
  await file.chmod(0o600)
  await file.writeFile(content)
  await file.sync()
}

/** Written beside and renamed, so that a reader sees the old file or the new one, whole. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const fresh = `${path}.new`
  await writeFile(fresh, content, 'w')
  await rename(fresh, path)
  await syncFolder(dirname(path))
}
