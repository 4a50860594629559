import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes a folder's entries durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
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
