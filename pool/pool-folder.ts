import { lstat, open, readdir, readlink, symlink, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

/** A member as the folder names it. */
export interface PoolEntry {
  /** `0000.block` */
  readonly name: string
  /** Where it really is: the file in the folder, or what the link leads to. */
  readonly path: string
  /** A block file in the folder itself. */
  readonly isOwn: boolean
}

const ENTRY = /^\d{4}\.block$/
const ENTRIES_MAX = 10_000

export const entryName = (number: number): string => `${String(number).padStart(4, '0')}.block`

/**
 * The folder of a pool: one entry for each member, a block file or a symbolic link to what is one. Nothing else says what
 * the members are called, so `ls -l` shows the truth. Which of them the pool knows, and as what, its superblocks say.
 */
export class PoolFolder {
  readonly path: string

  constructor(path: string) {
    this.path = resolve(path)
  }

  /** In the order of their names; none when there is no such folder. */
  async entries(): Promise<readonly PoolEntry[]> {
    const names = await readdir(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    return await Promise.all(
      names
        .filter((name) => ENTRY.test(name))
        .sort()
        .map((name) => this.#entry(name)),
    )
  }

  async #entry(name: string): Promise<PoolEntry> {
    const own = join(this.path, name)
    const isOwn = !(await lstat(own)).isSymbolicLink()
    return { name, path: isOwn ? own : resolve(this.path, await readlink(own)), isOwn }
  }

  /** A name that no member has. */
  async freeName(): Promise<string> {
    const taken = new Set((await this.entries()).map(({ name }) => name))
    for (let number = 0; number < ENTRIES_MAX; number++) {
      const name = entryName(number)
      if (!taken.has(name)) return name
    }
    throw new Error(`${this.path} has no name left for a member`)
  }

  /** Names what is at `target`; durable when it resolves. */
  async link(target: string, name: string): Promise<void> {
    await symlink(target, join(this.path, name))
    await syncFolder(this.path)
  }

  /** Forgets a member: the link, or the block file of its own. What a link leads to stays as it is. */
  async remove({ name }: Pick<PoolEntry, 'name'>): Promise<void> {
    await unlink(join(this.path, name))
    await syncFolder(this.path)
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A name is durable once its folder is: the file's, the folder's own, and those of the folders that were made for it. */
export async function syncFolders(folder: string, made = folder): Promise<void> {
  const last = dirname(made)
  for (let next = folder; next !== last; next = dirname(next)) await syncFolder(next)
  await syncFolder(last)
}
