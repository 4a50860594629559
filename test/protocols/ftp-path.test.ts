import fc from 'fast-check'
import { expect, test } from 'vitest'
import { factLine, factTime, listLine } from '../../protocols/ftp/entry.ts'
import { isSegment, objectAt, prefixAt, resolve, textOf } from '../../protocols/ftp/path.ts'

const invalid = expect.objectContaining({ code: 'ERR_INVALID' })

test('paths are absolute, or start in the current directory', () => {
  expect(resolve(['inbox', 'a'], 'b/c', 'refused')).toEqual(['inbox', 'a', 'b', 'c'])
  expect(resolve(['inbox', 'a'], '/b/./c/', 'refused')).toEqual(['b', 'c'])
  expect(resolve(['inbox', 'a'], '', 'refused')).toEqual(['inbox', 'a'])
  expect(resolve(['inbox', 'a'], '/', 'refused')).toEqual([])
})

test('.. climbs where a directory is meant, never above the root, and is refused in names', () => {
  expect(resolve(['inbox', 'a'], '../b', 'allowed')).toEqual(['inbox', 'b'])
  expect(resolve(['inbox'], '../../../etc', 'allowed')).toEqual(['etc'])
  expect(() => resolve(['inbox'], 'a/../b', 'refused')).toThrow(invalid)
})

test.each(['a//b', '//a', 'a//', 'a\u0000b', 'a\rb', 'a\u007fb', 'a\u0085b'])('%j is no path', (text) => {
  expect(() => resolve([], text, 'allowed')).toThrow(invalid)
})

const text = fc.string({
  unit: fc.constantFrom('/', '.', '..', ' ', 'a', 'ü', '日', '\u0000', '\r', '\u0085'),
  maxLength: 12,
})

test('whatever resolves has a name that resolves to itself', () => {
  fc.assert(
    fc.property(text, text, (directory, text) => {
      const base = isSegment(directory) && !directory.includes('/') ? [directory] : []
      try {
        const path = resolve(base, text, 'allowed')
        expect(path.every((segment) => isSegment(segment) && !segment.includes('/'))).toBe(true)
        expect(resolve([], textOf(path), 'refused')).toEqual(path)
      } catch (error) {
        expect(error).toEqual(invalid)
      }
    }),
  )
})

test('a path names an object, and a directory the prefix of its keys', () => {
  expect(objectAt(['inbox', 'a', 'b'])).toEqual({ bucket: 'inbox', key: 'a/b' })
  expect(prefixAt(['inbox'])).toBe('')
  expect(prefixAt(['inbox', 'a', 'b'])).toBe('a/b/')
})

test('a listing has the form of ls -l: the time of what is recent, the year of what is not', () => {
  const now = Date.UTC(2025, 2, 1, 12)
  const line = (time: number) => listLine({ type: 'file', name: 'a b', size: 12, time }, now)
  expect(line(now)).toBe('-rw-r--r-- 1 ftp ftp           12 Mar 01 12:00 a b')
  expect(line(now + 60_000)).toBe('-rw-r--r-- 1 ftp ftp           12 Mar 01  2025 a b')
  expect(line(Date.UTC(2024, 8, 1, 3))).toBe('-rw-r--r-- 1 ftp ftp           12 Sep 01 03:00 a b')
  expect(line(Date.UTC(2024, 7, 1, 3))).toBe('-rw-r--r-- 1 ftp ftp           12 Aug 01  2024 a b')
  expect(listLine({ type: 'directory', name: 'd', size: 0 }, now)).toBe(
    'drwxr-xr-x 1 ftp ftp            0 Jan 01  1970 d',
  )
})

test('facts are those of RFC 3659, times with milliseconds in UTC', () => {
  const time = Date.UTC(2025, 2, 1, 12, 3, 4, 56)
  expect(factTime(time)).toBe('20250301120304.056')
  expect(factLine({ type: 'file', name: 'a; b', size: 3, time })).toBe(
    'type=file;size=3;modify=20250301120304.056; a; b',
  )
  expect(factLine({ type: 'directory', name: 'd', size: 0 })).toBe('type=dir; d')
})
