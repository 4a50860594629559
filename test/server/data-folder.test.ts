import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DataFolder } from '../../server/data-folder.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const mode = (path: string) => statSync(path).mode & 0o777

describe('a data folder', () => {
  test('is made with the folders above it that are missing, for its owner alone', async () => {
    const root = temporaryFolder()
    const folder = new DataFolder(join(root, 'a/b/data'))
    await folder.create()
    await folder.createPoolFolder()
    const made = ['a', 'a/b', 'a/b/data', 'a/b/data/pool'].map((path) => mode(join(root, path)))
    expect(made).toEqual([0o700, 0o700, 0o700, 0o700])
    expect(folder.pool).toBe(join(root, 'a/b/data/pool/main'))
    await folder.create()
  })

  test('that exists stays as it is', async () => {
    const root = temporaryFolder()
    const before = mode(root)
    await new DataFolder(root).create()
    expect(mode(root)).toBe(before)
  })

  test('is refused where none can be made, once and not tried for ever', async () => {
    const refused = 'the data folder cannot be made: ENOENT'
    for (const path of ['/proc/foo', '/proc/foo/bar'])
      await expect(new DataFolder(path).create()).rejects.toThrow(refused)
    await expect(new DataFolder('/proc').createPoolFolder()).rejects.toThrow('ENOENT')
  })

  test('is refused where a file is', async () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, 'content')
    for (const path of [file, join(file, 'data')]) {
      await expect(new DataFolder(path).create()).rejects.toThrow(/^the data folder cannot be made: E(EXIST|NOTDIR)/)
    }
    expect(readFileSync(file, 'utf8')).toBe('content')
  })
})
