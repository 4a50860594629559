import { parseList } from 'basic-ftp'
import { describe, expect, test } from 'vitest'
import { parseFactTime } from '../../protocols/ftp/entry.ts'
import type { Attributes, Listing, ListOptions, ObjectStat, Origin } from '../../streams/index.ts'
import { FakeStore } from '../support/fake-store.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { noon, openDoor } from '../support/ftp-door.ts'

const day = 86_400_000

/** As many entries as it is told, of any size, time and name, which nobody has to put. */
class ListedStore extends FakeStore {
  readonly #length: number
  readonly #entryAt: (index: number) => ObjectStat
  pages = 0

  constructor(length: number, entryAt: (index: number) => ObjectStat) {
    super()
    this.#length = length
    this.#entryAt = entryAt
  }

  override async list(_origin: Origin, _bucket: string, { after, limit = 1 }: ListOptions): Promise<Listing> {
    this.pages += 1
    const start = after === undefined ? 0 : Number(after) + 1
    const end = Math.min(start + limit, this.#length)
    const objects = Array.from({ length: end - start }, (_, index) => this.#entryAt(start + index))
    return { objects, prefixes: [], ...(end < this.#length && { next: String(end - 1) }) }
  }
}

function statOf(key: string, size = 1, time = noon, attributes: Attributes = {}): ObjectStat {
  const digests = { sha256: '', crc32c: '' }
  return { object: '', version: '', sequence: 1, bucket: 'inbox', key, digests, size, time, attributes }
}

async function listed(command: string, ...stats: ObjectStat[]): Promise<string> {
  await using door = await openDoor({}, new ListedStore(stats.length, (index) => stats[index]!))
  const client = await FtpClient.loggedIn(door.address)
  return String(await client.download(`${command} inbox`))
}

describe('each entry is told as it is', () => {
  test.each([
    ['of noon today', noon, 'Mar 01 12:00', '20250301120000.000'],
    ['of half a year ago', noon - 182 * day + 1, 'Aug 31 12:00', '20240831120000.001'],
    ['of longer ago', noon - 182 * day, 'Aug 31  2024', '20240831120000.000'],
    ['of a leap day', Date.UTC(2024, 1, 29), 'Feb 29  2024', '20240229000000.000'],
    ['of the start of 1970', 0, 'Jan 01  1970', '19700101000000.000'],
    ['of before 1970', Date.UTC(1956, 6, 4, 1, 2, 3), 'Jul 04  1956', '19560704010203.000'],
    ['of the first year', Date.parse('0001-01-01T00:00:00Z'), 'Jan 01  0001', '00010101000000.000'],
    ['of a moment from now', noon + 1, 'Mar 01  2025', '20250301120000.001'],
    [
      'of the last year that has four digits',
      Date.UTC(9999, 11, 31, 23, 59, 59, 999),
      'Dec 31  9999',
      '99991231235959.999',
    ],
  ])('a time %s', async (_, time, ofList, fact) => {
    expect(await listed('LIST', statOf('a', 1, time))).toBe(`-rw-r--r-- 1 ftp ftp            1 ${ofList} a\r\n`)
    expect(await listed('MLSD', statOf('a', 1, time))).toBe(`type=file;size=1;modify=${fact}; a\r\n`)
    expect(parseFactTime(fact)).toBe(time)
  })

  test.each([0, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 5 * 2 ** 40, Number.MAX_SAFE_INTEGER])(
    'a size of %i',
    async (size) => {
      expect(parseList(await listed('LIST', statOf('a', size)))).toMatchObject([{ name: 'a', size, isFile: true }])
      expect(parseList(await listed('MLSD', statOf('a', size)))).toMatchObject([{ name: 'a', size, isFile: true }])
    },
  )

  const names = [
    'with space',
    'a  b',
    'trailing ',
    '-dash',
    '--',
    '-la',
    '"',
    'say "hi"',
    "it's",
    'a -> b',
    ';',
    'a;b=c; d',
  ]
  const foreign = [
    'grüße',
    'Gru\u0308ße',
    '日本',
    '🜁',
    'עברית',
    '%41',
    '..a',
    '...',
    '~',
    '*',
    '226 ok',
    '\u00a0',
    '\ufeffx',
  ]

  test.each([...names, ...foreign])('the name %j', async (name) => {
    expect(parseList(await listed('LIST', statOf(name)))).toMatchObject([{ name, size: 1 }])
    expect(parseList(await listed('MLSD', statOf(name)))).toMatchObject([{ name, size: 1 }])
    expect(await listed('NLST', statOf(name))).toBe(`inbox/${name}\r\n`)
  })

  test.each(['yesterday', '5', '+010000-01-01T00:00:00Z', '-000001-01-01T00:00:00Z', '2024-13-01T00:00:00Z', 7])(
    'a time of %j that another door set is none',
    async (modified) => {
      const stat = statOf('a', 1, noon, { 'user.modified': modified })
      expect(await listed('MLSD', stat)).toBe('type=file;size=1;modify=20250301120000.000; a\r\n')
    },
  )
})

const bytesAPage = 1000 * '-rw-r--r-- 1 ftp ftp            1 Mar 01 12:00 file-100000\r\n'.length
/** What the sockets of both ends take in on Linux (tcp_wmem, tcp_rmem), and as much again for what is between. */
const heldBytesMax = 24 << 20

test('a listing is asked for no faster than its client reads', async () => {
  const store = new ListedStore(Number.MAX_SAFE_INTEGER, (index) => statOf(`file-${index}`))
  await using door = await openDoor({ limits: { dataIdleMsMax: 100 } }, store)
  const client = await FtpClient.loggedIn(door.address)
  const data = await client.data()
  data.pause().on('error', () => {})
  expect(await client.command('LIST inbox')).toMatch(/^150 /)
  expect(await client.reply()).toBe('426 The data connection was idle for too long')
  expect(store.pages * bytesAPage).toBeLessThan(heldBytesMax)
  data.destroy()
})
