import { copyFile, mkdir, open as openFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import { openCatalog } from '../../streams/index.ts'
import { CatalogModel } from './catalog-model.ts'
import { folded, foldRest, newDirectory, open } from './catalog-support.ts'

const POOL = 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
/** Enough that their entries fill several of LevelDB's blocks. */
const OBJECTS = 300

function modelOf(objects: number): CatalogModel {
  const model = new CatalogModel()
  for (let index = 0; index < objects; index += 1) model.put('inbox', `key-${index}`, { 'user.index': index })
  return model
}

/** A closed catalog; the first half of it lies in a table, the rest in LevelDB's log, in batches of ten records. */
async function stored(model: CatalogModel): Promise<string> {
  const directory = await newDirectory()
  const first = await openCatalog({ directory })
  await first.clear(POOL)
  first.apply(model.records.slice(0, OBJECTS / 2), 1)
  await first.close()
  const second = await openCatalog({ directory, batchRecordsMax: 10 })
  second.apply(model.records.slice(OBJECTS / 2), 1)
  await second.close()
  return directory
}

async function fileOf(directory: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(directory)).find((file) => pattern.test(file))
  if (name === undefined) throw new Error(`no file like ${pattern}`)
  return join(directory, name)
}

/** A table of a catalog that was not closed properly, so that nothing is known of it. */
async function fileUnnoted(directory: string): Promise<string> {
  await rm(join(directory, 'TABLES'))
  return await fileOf(directory, TABLE)
}

/** Overwrites `length` bytes at `offset`, counted from the end when negative. */
async function spoil(path: string, offset: number, length: number): Promise<void> {
  await using file = await openFile(path, 'r+')
  const { size } = await file.stat()
  await file.write(Buffer.alloc(length, 0xa5), 0, length, offset < 0 ? size + offset : offset)
}

const TABLE = /\.ldb$/
const LOG = /\.log$/
const MANIFEST = /^MANIFEST/

describe('a damaged directory is made new, and tells why', () => {
  test.each<[string, (directory: string) => Promise<void>, RegExp]>([
    ['CURRENT gone', (directory) => rm(join(directory, 'CURRENT')), /batches are missing|no position/],
    ['CURRENT empty', (directory) => truncate(join(directory, 'CURRENT')), /CURRENT/],
    [
      'CURRENT of another name',
      (directory) => writeFile(join(directory, 'CURRENT'), 'MANIFEST-999999\n'),
      /No such file/,
    ],
    ['MANIFEST gone', async (directory) => rm(await fileOf(directory, MANIFEST)), /No such file/],
    ['MANIFEST cut', async (directory) => truncate(await fileOf(directory, MANIFEST), 20), /Corruption/],
    ['MANIFEST spoiled', async (directory) => spoil(await fileOf(directory, MANIFEST), 0, 64), /Corruption/],
    [
      'the middle of a table spoiled',
      async (directory) => spoil(await fileOf(directory, TABLE), 5000, 1),
      /not what was written/,
    ],
    ['a table gone', async (directory) => rm(await fileOf(directory, TABLE)), /missing files/],
    ['a table cut', async (directory) => truncate(await fileUnnoted(directory), 3000), /is damaged/],
    ['a table empty', async (directory) => truncate(await fileUnnoted(directory)), /is damaged/],
    ['the end of a table spoiled', async (directory) => spoil(await fileUnnoted(directory), -4, 4), /is damaged/],
    [
      'the middle of the log spoiled',
      async (directory) => spoil(await fileOf(directory, LOG), 40_000, 8),
      /batches are missing/,
    ],
  ])('%s', async (_, spoilIt, reason) => {
    const model = modelOf(OBJECTS)
    const directory = await stored(model)
    await spoilIt(directory)
    const reasons: string[] = []
    const catalog = await open({ directory, onDamaged: (found) => reasons.push(found) })
    expect(reasons).toEqual([expect.stringMatching(reason)])
    expect(catalog.position).toEqual({ pool: '', epoch: 0, sequence: 0, digest: '' })
    expect((await catalog.query('', {})).objects).toEqual([])
    await foldRest(catalog, model)
    expect((await catalog.query('', {})).objects).toHaveLength(OBJECTS)
  })

  test('found in the middle of a table while reading: at the next open', async () => {
    const model = modelOf(OBJECTS)
    const directory = await stored(model)
    await spoil(await fileUnnoted(directory), 10, 200)
    const reading = await openCatalog({ directory, onDamaged: () => expect.unreachable() })
    await expect(reading.list('inbox', {})).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await reading.close()
    const reasons: string[] = []
    const catalog = await open({ directory, onDamaged: (found) => reasons.push(found) })
    expect(reasons).toEqual(['it was found damaged before'])
    await foldRest(catalog, model)
    expect((await catalog.list('inbox', {})).objects).toHaveLength(OBJECTS)
  })

  test.each([
    ['of another format', { p: '{"format":0}' }, /format 0/],
    ['whose position is no JSON', { p: '{' }, /JSON/],
    ['with entries and no position', { 'cinbox\u0000a': '{}' }, /no position/],
  ])('one %s', async (_, entries, reason) => {
    const directory = await newDirectory()
    const level = new Level(directory)
    await level.batch(Object.entries(entries).map(([key, value]) => ({ type: 'put' as const, key, value })))
    await level.close()
    const reasons: string[] = []
    const catalog = await open({ directory, onDamaged: (found) => reasons.push(found) })
    expect(reasons).toEqual([expect.stringMatching(reason)])
    expect(catalog.position.sequence).toBe(0)
  })

  test('one whose entry is no entry, when it is read', async () => {
    const directory = await newDirectory()
    const catalog = await folded(modelOf(1), { directory })
    await catalog.close()
    const level = new Level(directory)
    await level.put('cinbox\u0000key-0', '{"stat":null}')
    await level.close()
    const reading = await openCatalog({ directory })
    await expect(reading.head({ bucket: 'inbox', key: 'key-0' })).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await reading.close()
    const reasons: string[] = []
    await open({ directory, onDamaged: (found) => reasons.push(found) })
    expect(reasons).toEqual(['it was found damaged before'])
  })
})

describe('a sound directory', () => {
  test('goes on where it was, without a word', async () => {
    const model = modelOf(OBJECTS)
    const directory = await stored(model)
    const catalog = await open({ directory, onDamaged: () => expect.unreachable() })
    expect(catalog.position).toMatchObject({ pool: POOL, epoch: 1, sequence: OBJECTS })
    expect((await catalog.query('', {})).objects).toHaveLength(OBJECTS)
  })

  test.each(['null', '7', '{', ''])('goes on with a note of its tables that is none: %j', async (note) => {
    const directory = await stored(modelOf(OBJECTS))
    await writeFile(join(directory, 'TABLES'), note)
    const catalog = await open({ directory, onDamaged: () => expect.unreachable() })
    expect(catalog.position.sequence).toBe(OBJECTS)
  })

  test('whose log is gone goes on where its tables end', async () => {
    const directory = await stored(modelOf(OBJECTS))
    await rm(await fileOf(directory, LOG))
    const catalog = await open({ directory, onDamaged: () => expect.unreachable() })
    expect(catalog.position.sequence).toBe(OBJECTS / 2)
    expect((await catalog.query('', {})).objects).toHaveLength(OBJECTS / 2)
  })

  /** The marks of 16,384 batches stand in a ring: a slot keeps the mark before while a batch is lost. */
  test.each([
    ['with the marks of its last batches', 20_000, []],
    ['without one of them', 19_000, ['1 of its last batches are missing']],
  ])('%s', async (_, lost, expected) => {
    const directory = await newDirectory()
    const level = new Level(directory)
    await level.open()
    const ordinal = 19_999
    const batch = level.batch()
    for (let mark = 1; mark <= ordinal; mark += 1)
      if (mark !== lost) batch.put(`m${String(mark % 16_384).padStart(16, '0')}`, String(mark))
    batch.put(
      'p',
      JSON.stringify({
        format: 5,
        index: { format: 1, phase: 'whole', upTo: '', built: 0 },
        ordinal,
        objects: 0,
        overflowing: 0,
        pool: POOL,
        epoch: 1,
        sequence: 20_000,
        digest: '',
      }),
    )
    await batch.write()
    await level.close()
    const reasons: string[] = []
    await open({ directory, onDamaged: (found) => reasons.push(found) })
    expect(reasons).toEqual(expected)
  })

  test('that another has open is refused, and stays whole', async () => {
    const directory = await newDirectory()
    const catalog = await folded(modelOf(3), { directory })
    const second = openCatalog({ directory, onDamaged: () => expect.unreachable() })
    await expect(second).rejects.toMatchObject({ code: 'ERR_LOCKED', message: expect.stringContaining(directory) })
    expect((await catalog.query('', {})).objects).toHaveLength(3)
  })

  test('is refused where no directory can be', async () => {
    const file = join(await newDirectory(), 'file')
    await writeFile(file, '')
    const opening = openCatalog({ directory: file, onDamaged: () => expect.unreachable() })
    await expect(opening).rejects.toMatchObject({ code: 'ERR_INTERNAL' })
  })

  test('forgets everything when it is cleared, for another pool', async () => {
    const directory = await newDirectory()
    const model = modelOf(5)
    model.append({ operation: 'bucket', bucket: 'inbox' })
    const catalog = await folded(model, { directory })
    await catalog.clear(POOL)
    expect(catalog.position).toEqual({ pool: POOL, epoch: 0, sequence: 0, digest: '' })
    expect(await catalog.head({ bucket: 'inbox', key: 'key-0' })).toBeUndefined()
    expect(await catalog.hasBucket('inbox')).toBe(false)
    await catalog.close()
    const again = await open({ directory })
    expect(again.position.pool).toBe(POOL)
    await foldRest(again, model)
    expect((await again.query('', {})).objects).toHaveLength(5)
  })

  test('whose clearing was cut short is empty', async () => {
    const directory = await stored(modelOf(OBJECTS))
    const half = join(await newDirectory(), 'half')
    await mkdir(half)
    for (const name of ['CURRENT', 'LOCK']) await copyFile(join(directory, name), join(half, name))
    expect((await open({ directory: half })).position.sequence).toBe(0)
  })
})
