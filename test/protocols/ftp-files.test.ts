import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ftp } from '../../protocols/reply.ts'
import type { Listing, ListOptions, ObjectStat, Origin, Permission } from '../../streams/index.ts'
import { StoreError, type StoreErrorCode } from '../../streams/index.ts'
import { FakeStore } from '../support/fake-store.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { camera, type Door, noon, openDoor, treeStore } from '../support/ftp-door.ts'

let door: Door
let client: FtpClient

beforeEach(async () => {
  door = await openDoor({}, treeStore({ buckets: ['inbox', 'other'] }))
  client = await FtpClient.loggedIn(door.address)
})

afterEach(() => door.frontend.close())

const origin: Origin = { principal: camera, protocol: 'http' }

/** An object put by another door, under any key. */
async function put(key: string, bytes = 'x', bucket = 'inbox'): Promise<void> {
  const facts = { type: 'ftp', user: 'other', path: '', secure: false } as const
  const upload = await door.store.begin({ origin, name: { bucket, key }, facts, expected: {}, attributes: {} })
  await upload.write(Buffer.from(bytes))
  await upload.commit()
}

/** The names in a directory; NLST tells them as paths that a client can use as they are (RFC 1123 section 4.1.2.7). */
async function names(path = ''): Promise<string[]> {
  const paths = String(await client.download(`NLST ${path}`.trim()))
    .split('\r\n')
    .filter(Boolean)
  const parent = path === '' ? '' : `${path}/`
  expect(paths.filter((each) => !each.startsWith(parent))).toEqual([])
  return paths.map((each) => each.slice(parent.length))
}

describe('buckets and prefixes are directories', () => {
  test('the root holds the buckets', async () => {
    expect(await names()).toEqual(['inbox', 'other'])
    expect(String(await client.download('LIST'))).toBe(
      'drwxr-xr-x 1 ftp ftp            0 Jan 01  1970 inbox\r\ndrwxr-xr-x 1 ftp ftp            0 Jan 01  1970 other\r\n',
    )
    expect(String(await client.download('MLSD'))).toBe('type=dir; inbox\r\ntype=dir; other\r\n')
  })

  test('keys spell paths', async () => {
    await put('a/b/c', 'three')
    await put('a/d', 'four')
    expect(await names('inbox')).toEqual(['a'])
    expect((await names('/inbox/a')).sort()).toEqual(['b', 'd'])
    await client.commands('CWD inbox/a')
    expect((await names()).sort()).toEqual(['b', 'd'])
    expect(await names('b')).toEqual(['c'])
    expect((await names('..')).sort()).toEqual(['a'])
    expect(String(await client.download('LIST -la b'))).toBe('-rw-r--r-- 1 ftp ftp            5 Mar 01 12:00 c\r\n')
    expect(String(await client.download('LIST b/c'))).toBe('-rw-r--r-- 1 ftp ftp            5 Mar 01 12:00 b/c\r\n')
    expect(String(await client.download('MLSD'))).toBe(
      'type=dir; b\r\ntype=file;size=4;modify=20250301120000.000; d\r\n',
    )
    expect(await client.command('MLST b/c')).toBe(
      '250-Listing\r\n type=file;size=5;modify=20250301120000.000; /inbox/a/b/c\r\n250 End',
    )
    expect(await client.command('MLST')).toBe('250-Listing\r\n type=dir; /inbox/a\r\n250 End')
  })

  test('words of ls before a path are none of it, where nothing has that name', async () => {
    for (const key of ['d/x', '-d/y', '-a']) await put(key)
    await client.commands('CWD inbox')
    expect(await names('-d')).toEqual(['y'])
    expect(String(await client.download('NLST -a'))).toBe('-a\r\n')
    expect(String(await client.download('NLST -l -1a d'))).toBe('d/x\r\n')
    expect(String(await client.download('NLST d/'))).toBe('d/x\r\n')
    expect(String(await client.download('NLST d/x'))).toBe('d/x\r\n')
    expect(String(await client.download('NLST /'))).toBe('/inbox\r\n/other\r\n')
    await client.data()
    expect(await client.command('LIST -l none')).toMatch(/^550 /)
  })

  test('STAT, SIZE and MDTM tell what the store knows', async () => {
    await put('a/b', 'three')
    await client.commands('CWD inbox')
    expect(await client.command('SIZE a/b')).toBe('213 5')
    expect(await client.command('MDTM a/b')).toBe('213 20250301120000.000')
    const line = '-rw-r--r-- 1 ftp ftp            5 Mar 01 12:00'
    expect(await client.command('STAT a')).toBe(`212-Status of a\r\n ${line} b\r\n212 End`)
    expect(await client.command('STAT a/b')).toBe(`213-Status of a/b\r\n ${line} a/b\r\n213 End`)
    for (const command of ['SIZE a', 'MDTM a', 'SIZE none', 'MDTM none', 'STAT none', 'MLST none', 'RNFR none']) {
      expect(await client.command(command), command).toMatch(/^550 No such/)
    }
  })

  test('CWD, CDUP and PWD go by what is there', async () => {
    await put('a "b"/c')
    expect(await client.command('PWD')).toBe('257 "/"')
    expect(await client.command('CWD inbox/a "b"')).toBe('250 Directory is "/inbox/a ""b"""')
    expect(await client.command('PWD')).toBe('257 "/inbox/a ""b"""')
    expect(await client.command('CDUP')).toBe('250 Directory is "/inbox"')
    for (const path of ['none', 'a', '/none', '/none/a', 'a "b"/c']) {
      expect(await client.command(`CWD ${path}`), path).toMatch(/^550 No such directory: /)
    }
    expect(await client.command('PWD')).toBe('257 "/inbox"')
  })

  test.each(['STOR', 'APPE', 'TYPE A + STOR'])('%s onto a directory is refused, as RNTO is', async (said) => {
    await client.commands('MKD /inbox/empty')
    await client.upload('inbox/full/file', 'x')
    for (const path of ['inbox/empty', '/inbox/full']) {
      await client.data()
      const [type = '', verb = type] = said.split(' + ')
      if (type !== verb) await client.commands(type)
      expect(await client.command(`${verb} ${path}`)).toBe(`550 /${path.replace(/^\//, '')} is a directory`)
    }
  })

  test('MKD makes a bucket at the top and a marker below', async () => {
    expect(await client.command('MKD /photos')).toBe('257 "/photos" created')
    expect(await client.command('MKD /photos')).toMatch(/^550 /)
    expect(await client.command('MKD /NotABucket')).toMatch(/^553 /)
    expect(await client.command('MKD photos/say "hi"')).toBe('257 "/photos/say ""hi""" created')
    expect(door.store.bytesOf('photos', 'say "hi"/')).toHaveLength(0)
    expect(await client.command('MKD photos/say "hi"')).toMatch(/^550 /)
    expect(await names('photos')).toEqual(['say "hi"'])
    expect(await names('photos/say "hi"')).toEqual([])
    await put('file')
    expect(await client.command('MKD inbox/file')).toMatch(/^550 /)
    expect(await client.command('MKD /')).toMatch(/^550 /)
  })

  test('RMD removes a directory that is empty and no other', async () => {
    await client.commands('CWD inbox', 'MKD a', 'MKD a/b')
    expect(await client.command('RMD a')).toBe('550 /inbox/a is not empty')
    expect(await client.command('RMD a/b')).toMatch(/^250 /)
    expect(await client.command('RMD a')).toMatch(/^250 /)
    expect(await client.command('RMD a')).toMatch(/^550 No such directory/)
    expect(await client.command('RMD /inbox')).toMatch(/^504 /)
    await put('hidden/../x')
    expect(await client.command('RMD hidden')).toBe('550 /inbox/hidden is not empty')
    expect(door.store.size).toBe(1)
  })

  test('RMD takes a page that goes on for a sign of more', async () => {
    await using short = await openDoor({}, new OneByOneStore())
    client = await FtpClient.loggedIn(short.address)
    await client.commands('MKD /inbox/a')
    await client.upload('/inbox/a/b', 'x')
    expect(await client.command('RMD /inbox/a')).toBe('550 /inbox/a is not empty')
  })

  test('a directory stays until RMD, also when its last name is gone', async () => {
    await put('a/b/c')
    await client.commands('CWD inbox/a/b', 'DELE c', 'PWD')
    expect(await names()).toEqual([])
    await client.commands('CWD /inbox', 'RMD a/b', 'CWD a')
    await put('m/n')
    await client.commands('RNFR /inbox/m/n', 'RNTO /inbox/n', 'CWD /inbox/m', 'RMD /inbox/m', 'RMD /inbox/a')
    expect(await names('/inbox')).toEqual(['n'])
  })

  test('the last name leaves also when no marker can be written', async () => {
    await put('a/b')
    door.store.fail('begin', new StoreError('ERR_NO_SPACE', 'Full'))
    await client.commands('DELE /inbox/a/b')
    expect(door.store.size).toBe(0)
  })

  test('DELE removes a file and nothing else', async () => {
    await put('a/b')
    await client.commands('CWD inbox', 'DELE a/b')
    expect(door.store.bytesOf('inbox', 'a/b')).toBeUndefined()
    for (const path of ['a/b', 'a', '/inbox', '/'])
      expect(await client.command(`DELE ${path}`), path).toMatch(/^55[03] /)
  })

  test('RNFR and RNTO move files, and directories whole', async () => {
    await put('a/b/c', 'three')
    await put('a/d', 'four')
    await client.commands('CWD inbox', 'RNFR a/d', 'RNTO /other/moved', 'RNFR a', 'RNTO /other/z')
    expect(String(door.store.bytesOf('other', 'moved'))).toBe('four')
    expect(String(door.store.bytesOf('other', 'z/b/c'))).toBe('three')
    expect(await client.command('RNTO again')).toMatch(/^503 /)
    await client.commands('RNFR /other/z')
    expect(await client.command('RNTO /other/z/inside')).toMatch(/^553 /)
    await put('there/already')
    for (const source of ['/other/z', '/other/moved']) {
      await client.commands(`RNFR ${source}`)
      expect(await client.command('RNTO there')).toBe('550 /inbox/there is a directory')
    }
    await client.commands('RNFR /other')
    expect(await client.command('RNTO /another')).toMatch(/^504 /)
  })

  test('a hundred thousand names are listed page by page', async () => {
    const store = new LongStore()
    await using long = await openDoor({}, store)
    client = await FtpClient.loggedIn(long.address)
    const lines = String(await client.download('LIST inbox')).split('\r\n')
    expect(lines.length).toBe(100_001)
    expect(lines[99_999]).toBe('-rw-r--r-- 1 ftp ftp            1 Mar 01 12:00 file-99999')
    expect(store.limitMax).toBeLessThanOrEqual(1000)
    expect(await client.command('STAT inbox')).toMatch(/^550 /)
  })
})

/** Lists one entry a page, as a store may whose pages are bounded in bytes too. */
class OneByOneStore extends FakeStore {
  override list(origin: Origin, bucket: string, options: ListOptions = {}): Promise<Listing> {
    return super.list(origin, bucket, { ...options, limit: 1 })
  }
}

/** 100,000 objects that nobody has to put. */
class LongStore extends FakeStore {
  limitMax = 0

  override async list(_origin: Origin, bucket: string, { after, limit = 1 }: ListOptions): Promise<Listing> {
    this.limitMax = Math.max(this.limitMax, limit)
    const start = after === undefined ? 0 : Number(after.slice('file-'.length)) + 1
    const end = Math.min(start + limit, 100_000)
    const objects = Array.from({ length: end - start }, (_, index) => longStat(bucket, start + index))
    return { objects, prefixes: [], ...(end < 100_000 && { next: `file-${end - 1}` }) }
  }
}

function longStat(bucket: string, index: number): ObjectStat {
  const digests = { sha256: '', crc32c: '' }
  const identity = { object: '', version: '', sequence: index, bucket, key: `file-${index}` }
  return { ...identity, size: 1, time: noon, digests, attributes: {} }
}

describe('who may write and not look', () => {
  /** A client of an application with no other permissions than these. */
  async function clientWith(...permissions: Permission[]): Promise<FtpClient> {
    const principal = { ...camera, permissions }
    const other = await openDoor({ access: { verify: async () => principal } }, door.store)
    onTestFinished(() => other.frontend.close())
    return FtpClient.loggedIn(other.address)
  }

  test('steps into any folder, makes it and stores there, and learns nothing of what is', async () => {
    await put('a/b')
    const scanner = await clientWith('object:write')
    for (const path of ['/inbox', '/inbox/a', '/inbox/none', '/nowhere', '/nowhere/a', '/']) {
      expect(await scanner.command(`CWD ${path}`), path).toBe(`250 Directory is "${path}"`)
    }
    expect(await scanner.command('CWD a//b')).toMatch(/^553 /)
    await scanner.commands('CWD inbox', 'MKD a', 'CWD a', 'MKD b')
    expect(String(door.store.bytesOf('inbox', 'a/b'))).toBe('x')
    expect(await scanner.upload('scan', 'bytes')).toMatch(/^226 /)
    expect(String(door.store.bytesOf('inbox', 'a/scan'))).toBe('bytes')
    expect(String(door.store.bytesOf('inbox', 'a/b'))).toBe('x')
  })

  test('is refused the upload, and the folder, where there is no bucket', async () => {
    const scanner = await clientWith('object:write')
    await scanner.commands('CWD /nowhere')
    await scanner.data()
    expect(await scanner.command('STOR scan')).toMatch(/^550 /)
    expect(await scanner.command('MKD /photos')).toMatch(/^550 /)
    expect(door.store.size).toBe(0)
  })

  test('is refused every look', async () => {
    await put('a/b')
    const scanner = await clientWith('object:write')
    await scanner.commands('CWD inbox/a')
    const named = ['SIZE', 'MDTM', 'MLST', 'STAT', 'RNFR', 'RMD'].flatMap((word) => [`${word} b`, `${word} /inbox/a/`])
    for (const command of [...named, 'MLST', 'MLST /inbox']) {
      expect(await scanner.command(command), command).toMatch(/^55[03] /)
    }
    for (const command of ['LIST', 'NLST', 'MLSD', 'LIST /', 'LIST /inbox', 'RETR b']) {
      await scanner.data()
      const reply = await scanner.command(command)
      expect(reply.startsWith('150 ') ? await scanner.reply() : reply, command).toMatch(/^550 .* lacks object:read$/)
    }
  })

  test('who may do neither steps nowhere', async () => {
    const stranger = await clientWith('bucket:create')
    expect(await stranger.command('CWD inbox')).toMatch(/^550 .* lacks object:read$/)
  })
})

describe('names', () => {
  test.each(['a//b', 'a/../b', '../b', 'a\u0007b', 'a\rb', 'a/b/', '/inbox', 'x'.repeat(1025)])(
    '%j is refused with 553 and stored under no other name',
    async (path) => {
      await client.commands('CWD inbox')
      await client.data()
      expect(await client.command(`STOR ${path}`)).toMatch(/^553 /)
      expect(door.store.begun).toEqual([])
    },
  )

  test('bytes that are no UTF-8 are refused with 553', async () => {
    client.write(Buffer.from('STOR caf\xe9\r\n', 'latin1'))
    expect(await client.reply()).toBe('553 Names must be UTF-8')
  })

  test('keys that spell no path are not listed, and hide no others', async () => {
    for (const key of ['a//b', '/c', '../d', './e', 'f\u0001', 'f\n226 Done', 'good', 'dir/../x', 'dir/y'])
      await put(key)
    expect((await names('inbox')).sort()).toEqual(['a', 'dir', 'good'])
    expect(await names('inbox/a')).toEqual([])
    expect(await names('inbox/dir')).toEqual(['y'])
  })

  test('a message is one line, whatever name it tells', async () => {
    door.store.fail('remove', new StoreError('ERR_NOT_FOUND', 'gone\r\n226 Stored\n'))
    expect(await client.command('DELE /inbox/x')).toBe('550 gone 226 Stored ')
    await client.commands('NOOP')
    expect(client.unread).toBe('')
  })
})

describe('every refusal of the store has a code', () => {
  test.each(Object.entries(ftp) as [StoreErrorCode, number][])('%s is answered %i', async (code, reply) => {
    door.store.fail('stat', new StoreError(code, 'so it is'))
    const expected = code === 'ERR_NOT_FOUND' ? 'No such file: /inbox/x' : 'so it is'
    expect(await client.command('SIZE /inbox/x')).toBe(`${reply} ${expected}`)
  })

  test('what nobody foresaw says nothing of itself to the client, and all to the log', async () => {
    const error = new TypeError('undefined is not a secret')
    door.store.fail('stat', error)
    expect(await client.command('SIZE /inbox/x')).toBe('451 Internal error')
    expect(door.errors).toEqual([expect.objectContaining({ err: error })])
  })
})
