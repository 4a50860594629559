import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from '../../pool/index.ts'

/*
 * The checksums of LevelDB's tables. LevelDB has some of its own, but reads without looking at them. A table in use is
 * never changed, and its name never used again: so the CRC-32C of each is noted when the catalog is closed, and
 * compared at every open after that.
 *
 *   TABLES  { "000123.ldb": crc32c, … }     JSON, replaced as a whole; without it nothing is compared
 */
export const TABLES_FILE = 'TABLES'

type Checksums = { readonly [table: string]: number }

/** The tables in `directory` that are not what was noted. One that is gone is LevelDB's to miss. */
export async function damagedTables(directory: string): Promise<readonly string[]> {
  const damaged: string[] = []
  for (const [table, noted] of Object.entries(await readNote(directory))) {
    const found = await checksumOf(join(directory, table)).catch(unreadable)
    if (found !== noted && found !== 'gone') damaged.push(table)
  }
  return damaged
}

/** Notes the tables in use. Nobody writes to `directory` meanwhile. */
export async function noteTables(directory: string, tables: readonly string[]): Promise<void> {
  const noted = await readNote(directory)
  const checksums: { [table: string]: number } = {}
  for (const table of tables) checksums[table] = noted[table] ?? (await checksumOf(join(directory, table)))
  const file = join(directory, TABLES_FILE)
  await writeFile(`${file}.new`, JSON.stringify(checksums))
  await rename(`${file}.new`, file)
}

/** A table has a few MiB. */
async function checksumOf(path: string): Promise<number> {
  return crc32c(await readFile(path))
}

function unreadable({ code }: NodeJS.ErrnoException): 'gone' | 'unreadable' {
  return code === 'ENOENT' ? 'gone' : 'unreadable'
}

async function readNote(directory: string): Promise<Checksums> {
  try {
    const note: unknown = JSON.parse(await readFile(join(directory, TABLES_FILE), 'utf8'))
    return typeof note === 'object' && note !== null ? (note as Checksums) : {}
  } catch {
    return {} // Not there, or damaged itself.
  }
}
