import { lstat, mkdir, readdir, realpath, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { createBlockFile, existingFolder, type Progress, refuseFullDisk } from './block-file.ts'
import type { Candidate } from './candidate.ts'
import { PoolError } from './errors.ts'
import { entryName, syncFolder, syncFolders } from './pool-folder.ts'

/**
 * The folder of a pool that is being made. It is built beside its place, under another name, and renamed at last: a pool
 * is there whole, or not at all.
 *
 *   pool/main.new/  0000.block  0001.block -> /dev/sdb   ──guards are written──▶   pool/main/
 */
export class NewFolder {
  /** Where the pool will be. */
  readonly target: string
  readonly #fresh: string

  private constructor(target: string) {
    this.target = target
    this.#fresh = `${target}.new`
  }

  /** ERR_LIMITS where something is in the way. */
  static async at(path: string): Promise<NewFolder> {
    const target = await realpath(path).catch(() => resolve(path))
    const names = await readdir(target).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw new PoolError('ERR_LIMITS', `no pool can be made at ${target}: ${error.message}`, { cause: error })
    })
    if (names && names.length > 0) throw new PoolError('ERR_LIMITS', `${target} holds ${names[0]} already`)
    if (names && (await lstat(target)).dev !== (await lstat(dirname(target))).dev) {
      throw new PoolError(
        'ERR_LIMITS',
        `${target} is a file system of its own: name a block file on it with --device instead`,
      )
    }
    return new NewFolder(target)
  }

  /**
   * Makes the block files that are missing and links the rest, then lets `write` make a pool of them. On any failure
   * what was made is gone again.
   */
  async build(
    candidates: readonly Candidate[],
    onProgress: Progress,
    write: (paths: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const made: string[] = []
    try {
      await rm(this.#fresh, { recursive: true, force: true })
      const folders = await mkdir(dirname(this.#fresh), { recursive: true })
      await mkdir(this.#fresh, { mode: 0o700 })
      await write(await this.#make(candidates, made, onProgress))
      await syncFolder(this.#fresh)
      await rename(this.#fresh, this.target)
      await syncFolders(dirname(this.target), folders)
    } catch (error) {
      for (const path of [this.#fresh, ...made]) await rm(path, { recursive: true, force: true })
      throw error
    }
  }

  /** Resolves with where the members are, in their order. */
  async #make(candidates: readonly Candidate[], made: string[], onProgress: Progress): Promise<readonly string[]> {
    const total = candidates.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
    let before = 0
    const paths: string[] = []
    for (const [number, { path, isOwn, bytes }] of candidates.entries()) {
      const entry = join(this.#fresh, entryName(number))
      const place = isOwn ? entry : path
      if (bytes !== undefined) {
        await createBlockFile(place, bytes, (done) => onProgress(before + done, total))
        made.push(place)
        before += bytes
      }
      if (!isOwn) await symlink(path, entry)
      paths.push(place)
    }
    return paths
  }
}

/** Of several files on one disk each may fit alone. */
export async function refuseFullDisks(candidates: readonly Candidate[]): Promise<void> {
  const needs = new Map<string, { bytes: number; files: number; folder: string }>()
  for (const { bytes, path, facts } of candidates) {
    if (bytes === undefined) continue
    const need = needs.get(facts.device) ?? { bytes: 0, files: 0, folder: existingFolder(path) }
    needs.set(facts.device, { ...need, bytes: need.bytes + bytes, files: need.files + 1 })
  }
  for (const { bytes, files, folder } of needs.values()) await refuseFullDisk(folder, bytes, files)
}
