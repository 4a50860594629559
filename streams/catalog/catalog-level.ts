import { access, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { StoreError } from '../errors.ts'
import { keyIn, POSITION_KEY, prefixRange, sequenceText } from './catalog-keys.ts'
import type { CatalogPosition } from './catalog-port.ts'
import { damagedTables, noteTables, TABLES_FILE } from './catalog-tables.ts'
import { type IndexState, readable, WHOLE } from './index-state.ts'

/*
 * The files of the catalog: opening them, and finding the damage that LevelDB lets pass.
 *
 * Batches are written without a sync. LevelDB skips a damaged stretch of its log and goes on with what follows, so
 * after a power failure a batch may be gone while a later one is there, with its later position. Hence the marks:
 * batch n leaves n in slot n modulo MARKS, and every SYNC_BATCHES-th batch is synced. At open the last MARKS batches
 * must have left theirs; those before them are on stable storage, or in tables, which LevelDB syncs. The same check
 * finds an old log replayed into the new database that LevelDB makes when CURRENT is gone.
 *
 * LevelDB looks at a table when it is first read; the ends of all tables are looked at here, and those that were there
 * at the last close are compared as a whole (catalog-tables.ts). Damage found later is remembered by a file, and the
 * catalog is made new at the next open.
 */
export interface CatalogLevel extends Level<string, string> {
  approximateSize(start: string, end: string): Promise<number>
  getProperty(name: string): string
}

/**
 * A chained batch whose puts and dels go past abstract-level's options, encodings and hooks, none of which are used here:
 * with dozens of keys for a record that is a third of their cost. These are the methods that classic-level gives
 * abstract-level to call.
 */
interface NativeBatch {
  _put(key: string, value: string): void
  _del(key: string): void
}

export function batchOf(database: CatalogLevel) {
  const batch = database.batch()
  const native = batch as unknown as NativeBatch
  return {
    put: (key: string, value: string) => native._put(key, value),
    del: (key: string) => native._del(key),
    /** Writes it all, and `key` last, by the common way: a batch that holds nothing else would not be written. */
    write: async (key: string, value: string, options: { readonly sync: boolean }) =>
      batch.put(key, value).write(options),
    [Symbol.asyncDispose]: () => batch.close(),
  }
}

/** What is stored as the position. */
export interface StoredPosition extends CatalogPosition {
  readonly format: number
  readonly index: IndexState
  /** Batches written so far. */
  readonly ordinal: number
  /** Objects that are current, and those of them that the index holds, and has not all values of. */
  readonly objects: number
  readonly overflowing: number
}

export interface OpenLevel {
  readonly database: CatalogLevel
  readonly position: StoredPosition
}

/** On Node `level` is classic-level; its types name only what it has in browsers, too. */
const NodeLevel = Level as unknown as {
  new (directory: string, options: typeof LEVEL_OPTIONS): CatalogLevel
  destroy(directory: string): Promise<void>
}

/** Of keys and values but for those of the index, which has a format of its own; a catalog of another one is made new. */
const FORMAT = 5
const MARKS = 16_384
export const SYNC_BATCHES = 1024
const DAMAGED_FILE = 'DAMAGED'
const TABLE_MAGIC = Buffer.from('57fb808b247547db', 'hex')
const LEVEL_OPTIONS = {
  keyEncoding: 'utf8',
  valueEncoding: 'utf8',
  writeBufferSize: 16 << 20,
  cacheSize: 32 << 20,
  maxFileSize: 8 << 20,
}

export function startOf(pool: string): StoredPosition {
  const counts = { ordinal: 0, objects: 0, overflowing: 0 }
  return { format: FORMAT, index: WHOLE, ...counts, pool, epoch: 0, sequence: 0, digest: '' }
}

/**
 * Opens a catalog's directory. One that is damaged is told to `onDamaged`, with the reason, destroyed and made new.
 * Rejects with ERR_LOCKED while another process has it open, and ERR_INTERNAL when it cannot be opened otherwise.
 */
export async function openLevel(directory: string, onDamaged: (reason: string) => void): Promise<OpenLevel> {
  try {
    return await openSound(directory)
  } catch (error) {
    const reason = damageOf(error)
    if (reason === undefined) throw refusalOf(directory, error)
    onDamaged(reason)
    await destroyLevel(directory)
    return await openSound(directory)
  }
}

export async function destroyLevel(directory: string): Promise<void> {
  await NodeLevel.destroy(directory)
  for (const file of [DAMAGED_FILE, TABLES_FILE]) await rm(join(directory, file), { force: true })
}

/** Has the next open make the catalog new. */
export async function rememberDamage(directory: string): Promise<void> {
  await writeFile(join(directory, DAMAGED_FILE), '')
}

/** Closes it and notes its tables, so that the next open tells those that are not what they are now. */
export async function closeLevel(database: CatalogLevel, directory: string): Promise<void> {
  if (database.status !== 'open') return
  const tables = tablesOf(database).map(({ name }) => name)
  await database.close()
  await noteTables(directory, tables).catch(() => undefined) // Without the note they are looked at less closely.
}

async function openSound(directory: string): Promise<OpenLevel> {
  if (await exists(join(directory, DAMAGED_FILE))) throw damage('it was found damaged before')
  const damaged = await damagedTables(directory)
  if (damaged.length > 0) throw damage(`its tables ${damaged.join(', ')} are not what was written`)
  const database = new NodeLevel(directory, LEVEL_OPTIONS)
  await database.open()
  try {
    await checkTables(database, directory)
    const position = await readPosition(database)
    await checkMarks(database, position.ordinal)
    return { database, position: await withReadableIndex(database, position) }
  } catch (error) {
    await database.close()
    throw error
  }
}

async function readPosition(database: CatalogLevel): Promise<StoredPosition> {
  const text = await database.get(POSITION_KEY)
  if (text === undefined) {
    if ((await database.keys({ limit: 1 }).all()).length > 0) throw damage('it has entries and no position')
    return startOf('')
  }
  const position = JSON.parse(text) as StoredPosition
  if (position.format !== FORMAT) throw damage(`it is of format ${position.format}, and this program's is ${FORMAT}`)
  return position
}

/** Nobody is to read an index of another format: that it will be cleared is stored before anybody asks. */
async function withReadableIndex(database: CatalogLevel, position: StoredPosition): Promise<StoredPosition> {
  const index = readable(position.index)
  if (index === position.index) return position
  const changed = { ...position, index, overflowing: 0 }
  if (position.sequence > 0) await database.put(POSITION_KEY, JSON.stringify(changed), { sync: true })
  return changed
}

/** Where a batch leaves its mark. */
export function markKey(ordinal: number): string {
  return keyIn('m', sequenceText(ordinal % MARKS))
}

async function checkMarks(database: CatalogLevel, ordinal: number): Promise<void> {
  const marks = await database.iterator(prefixRange('m')).all()
  const recent = marks.filter(([key, text]) => {
    const mark = Number(text)
    return mark > ordinal - MARKS && mark <= ordinal && key === markKey(mark)
  })
  const missing = Math.min(ordinal, MARKS) - recent.length
  if (missing > 0) throw damage(`${missing} of its last batches are missing`)
}

/** Tables that a compaction removes meanwhile need no look; LevelDB itself has seen that none was missing. */
async function checkTables(database: CatalogLevel, directory: string): Promise<void> {
  for (const { name, size } of tablesOf(database)) {
    if (!(await endsAsTable(join(directory, name), size))) throw damage(`its table ${name} is damaged`)
  }
}

function tablesOf(database: CatalogLevel): readonly { readonly name: string; readonly size: number }[] {
  const tables = database.getProperty('leveldb.sstables').matchAll(/^ (\d+):(\d+)\[/gm)
  return Array.from(tables, ([, number = '', size]) => ({ name: `${number.padStart(6, '0')}.ldb`, size: Number(size) }))
}

async function endsAsTable(path: string, size: number): Promise<boolean> {
  await using file = await open(path).catch(unlessGone)
  if (file === undefined) return true
  const end = Buffer.alloc(TABLE_MAGIC.length)
  await file.read(end, 0, end.length, size - end.length)
  return end.equals(TABLE_MAGIC) && (await file.stat()).size === size
}

/** Looking first and opening then would meet a table that a compaction removes in between. */
function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function damage(reason: string): StoreError {
  return new StoreError('ERR_CORRUPT', reason)
}

/** Why an error of an open is damage of the files; undefined when it is not. */
function damageOf(error: unknown): string | undefined {
  if (error instanceof StoreError || error instanceof SyntaxError) return error.message
  return isDamage(error) ? levelErrorOf(error).message : undefined
}

/** Files that are gone or too short are I/O errors to LevelDB, like those of a full disk, which are no damage. */
function isDamage(error: unknown): boolean {
  const { code, message } = levelErrorOf(error)
  if (code === 'LEVEL_IO_ERROR') return /: (No such file or directory|Invalid argument)$/.test(message)
  return code === 'LEVEL_CORRUPTION'
}

function refusalOf(directory: string, error: unknown): StoreError {
  const { code, message } = levelErrorOf(error)
  if (code !== 'LEVEL_LOCKED')
    return new StoreError('ERR_INTERNAL', `cannot open the catalog in ${directory}: ${message}`, { cause: error })
  return new StoreError('ERR_LOCKED', `another process has the catalog in ${directory} open`, { cause: error })
}

/** LevelDB's error is the cause of abstract-level's, which only says that the database is not open. */
function levelErrorOf(error: unknown): { readonly code: unknown; readonly message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) }
  if (error.cause instanceof Error) return levelErrorOf(error.cause)
  return { code: 'code' in error ? error.code : undefined, message: error.message }
}

/** An error of `level` in the store's words: ERR_CORRUPT when the catalog is to be made new at the next open. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const { code, message } = levelErrorOf(error)
  const options = { cause: error }
  if (isDamage(error)) return new StoreError('ERR_CORRUPT', `the catalog is damaged: ${message}`, options)
  if (code === 'LEVEL_DATABASE_NOT_OPEN') return new StoreError('ERR_HALTED', 'the catalog is closed', options)
  return new StoreError('ERR_INTERNAL', `the catalog failed: ${message}`, options)
}
