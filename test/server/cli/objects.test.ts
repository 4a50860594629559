import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { get } from '../../../server/cli/get.ts'
import { ls } from '../../../server/cli/ls.ts'
import { put } from '../../../server/cli/put.ts'
import { query } from '../../../server/cli/query.ts'
import { rm } from '../../../server/cli/rm.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { type Exchange, FakeServer, json } from './fake-server.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes)
const exit = (exit: number) => expect.objectContaining({ exit })

/** The receipt of an upload that was stored as it came. */
function receipt({ url, body }: Exchange) {
  const [bucket, ...key] = decodeURIComponent(url.slice('/v1/objects/'.length)).split('/')
  const digests = { sha256: sha256(body).digest('hex'), crc32c: '00000000' }
  return { object: '1', bucket, key: key.join('/'), version: '1', sequence: 1, size: body.length, digests }
}

let server: FakeServer
let folder: string
beforeEach(async () => {
  server = new FakeServer()
  await server.listen()
  folder = temporaryFolder()
})
afterEach(() => server.close())

describe('put', () => {
  const store = () => {
    server.answer = (response, exchange) => json(receipt(exchange), 201)(response, exchange)
  }

  test('uploads files with their length, under the prefix, and tells their receipts', async () => {
    store()
    const paths = ['one', 'two & three'].map((name) => join(folder, name))
    for (const path of paths) writeFileSync(path, `content of ${path}`)
    const { shell, said } = server.shell({ json: true })
    await put(shell, paths, 'inbox/2026')
    expect(server.exchanges.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'PUT /v1/objects/inbox/2026/one',
      'PUT /v1/objects/inbox/2026/two%20%26%20three',
    ])
    const [first, second] = server.exchanges
    expect(first?.headers['content-length']).toBe(String(first?.body.length))
    expect(first?.headers.authorization).toBe(`Basic ${Buffer.from('camera:a:secret').toString('base64')}`)
    expect(second?.body.toString()).toBe(`content of ${paths[1]}`)
    expect(
      said()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).key),
    ).toEqual(['2026/one', '2026/two & three'])
  })

  test('uploads standard input without a length, to a whole name', async () => {
    store()
    const { shell, said } = server.shell({ input: 'piped' })
    await put(shell, ['-'], 'inbox/a/b.txt')
    expect(server.exchanges[0]).toMatchObject({ url: '/v1/objects/inbox/a/b.txt', body: Buffer.from('piped') })
    expect(server.exchanges[0]?.headers['transfer-encoding']).toBe('chunked')
    expect(said()).toContain('inbox/a/b.txt  5 B')
  })

  test('uploads an empty file', async () => {
    store()
    writeFileSync(join(folder, 'empty'), '')
    await put(server.shell().shell, [join(folder, 'empty')], 'inbox')
    expect(server.exchanges[0]).toMatchObject({ url: '/v1/objects/inbox/empty', body: Buffer.alloc(0) })
  })

  test('a digest that differs from what was sent is damage', async () => {
    server.answer = (response, exchange) => {
      json({ ...receipt(exchange), digests: { sha256: '00', crc32c: '00' } }, 201)(response, exchange)
    }
    writeFileSync(join(folder, 'file'), 'bytes')
    await expect(put(server.shell().shell, [join(folder, 'file')], 'inbox')).rejects.toEqual(exit(6))
  })

  test('asks before it sends a large body, and sends none after a refusal', async () => {
    writeFileSync(join(folder, 'large'), Buffer.alloc(8 * 1024 * 1024))
    server.refusal = json({ detail: 'unknown key or wrong secret' }, 401)
    const refused = put(server.shell().shell, [join(folder, 'large')], 'inbox')
    await expect(refused).rejects.toMatchObject({ exit: 4, message: 'unknown key or wrong secret' })
    expect(server.exchanges).toEqual([])
    server.refusal = undefined
    store()
    await put(server.shell().shell, [join(folder, 'large')], 'inbox')
    expect(server.exchanges[0]?.body.length).toBe(8 * 1024 * 1024)
  })

  test.each([
    [['/nowhere/at all'], 'inbox', 1],
    [[tmpdir()], 'inbox', 2],
    [['-'], 'inbox', 2],
    [['-', 'file'], 'inbox/x', 2],
    [['-'], '/x', 2],
  ])('refuses %j to %s', async (files, target, code) => {
    await expect(put(server.shell().shell, files, target)).rejects.toEqual(exit(code))
    expect(server.exchanges).toEqual([])
  })
})

describe('get', () => {
  const content = Buffer.alloc(3_000_000, 'all the bytes ')
  const serve = (bytes: Buffer, digest = sha256(content).digest('base64')) => {
    server.answer = (response) =>
      response.writeHead(200, { 'content-length': bytes.length, 'repr-digest': `sha-256=:${digest}:` }).end(bytes)
  }

  test('downloads to a file, whole', async () => {
    serve(content)
    await get(server.shell().shell, 'inbox/a/../b//c d', join(folder, 'file'))
    expect(server.exchanges[0]?.url).toBe('/v1/objects/inbox/a/../b//c%20d')
    expect(readFileSync(join(folder, 'file')).equals(content)).toBe(true)
    expect(readdirSync(folder)).toEqual(['file'])
  })

  test('downloads into a folder under its own name, and over what was there', async () => {
    serve(content)
    writeFileSync(join(folder, 'c'), 'old')
    await get(server.shell().shell, 'inbox/b/c', folder)
    expect(readFileSync(join(folder, 'c')).equals(content)).toBe(true)
  })

  test('writes to standard output', async () => {
    serve(Buffer.from('x'), sha256(Buffer.from('x')).digest('base64'))
    const { shell, said } = server.shell()
    await get(shell, 'inbox/b', '-')
    expect(said()).toBe('x')
  })

  test('leaves what was there when the bytes are not what was stored', async () => {
    serve(Buffer.alloc(content.length))
    writeFileSync(join(folder, 'file'), 'old')
    await expect(get(server.shell().shell, 'inbox/b', join(folder, 'file'))).rejects.toEqual(exit(6))
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('old')
    expect(readdirSync(folder)).toEqual(['file'])
  })

  test('leaves nothing when the connection breaks', async () => {
    server.answer = (response) => {
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 1_000_000), () => response.destroy())
    }
    await expect(get(server.shell().shell, 'inbox/b', join(folder, 'file'))).rejects.toMatchObject({
      exit: 1,
      message: expect.stringMatching(/^the server broke its answer off: .* damaged, .* or the connection was lost$/),
    })
    expect(readdirSync(folder)).toEqual([])
  })

  test('damage that the server tells of is damage', async () => {
    server.answer = json({ detail: 'a checksum differs', code: 'ERR_CORRUPT' }, 500)
    await expect(get(server.shell().shell, 'inbox/b', join(folder, 'file'))).rejects.toEqual(exit(6))
    expect(readdirSync(folder)).toEqual([])
  })

  test.each(['inbox/', 'inbox/a/', 'inbox/..', 'inbox/a/.', 'inbox'])('makes no file of %s unasked', async (object) => {
    await expect(get(server.shell().shell, object)).rejects.toEqual(exit(2))
  })

  test('says that there is none', async () => {
    server.answer = json({ detail: 'inbox/b does not exist' }, 404)
    await expect(get(server.shell().shell, 'inbox/b', '-')).rejects.toMatchObject({
      exit: 3,
      message: 'inbox/b does not exist',
    })
  })
})

const listed = (key: string, size = 5) => ({ bucket: 'inbox', key, size, time: Date.UTC(2026, 9, 1, 12, 0, 5) })

describe('ls', () => {
  test('shows every page, folders folded', async () => {
    const pages = [
      { objects: [listed('a', 1536)], prefixes: ['2026/'], next: 'a' },
      { objects: [listed('b\u001b[2J')], prefixes: [] },
    ]
    server.answer = (response, exchange) => json(pages.shift())(response, exchange)
    const { shell, said } = server.shell()
    await ls(shell, 'inbox/x', false)
    expect(server.exchanges.map(({ url }) => url)).toEqual([
      '/v1/objects/inbox?prefix=x&delimiter=%2F&limit=1000',
      '/v1/objects/inbox?prefix=x&delimiter=%2F&after=a&limit=1000',
    ])
    expect(said().split('\n')).toEqual([
      '                                  2026/',
      '   1.5 KiB  2026-10-01 12:00:05Z  a',
      '       5 B  2026-10-01 12:00:05Z  b\\u{1b}[2J',
      '',
    ])
  })

  test('folds nothing when recursive, and tells programs a value a line', async () => {
    server.answer = json({ objects: [listed('a'), listed('b')], prefixes: [] })
    const { shell, said } = server.shell({ json: true })
    await ls(shell, 'inbox', true)
    expect(server.exchanges[0]?.url).toBe('/v1/objects/inbox?limit=1000')
    expect(
      said()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([listed('a'), listed('b')])
  })

  test('says so when the answer breaks off', async () => {
    server.answer = (response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('{"objects":[', () => response.destroy())
    }
    await expect(ls(server.shell().shell, 'inbox', false)).rejects.toThrow('the server broke its answer off')
  })

  test('lists the buckets', async () => {
    server.answer = json({ buckets: ['inbox', 'photos'] })
    const { shell, said } = server.shell()
    await ls(shell, undefined, false)
    expect(said()).toBe('inbox\nphotos\n')
  })
})

describe('query', () => {
  test('goes from page to page until the limit', async () => {
    const pages = [
      { sequence: 9, objects: [listed('a'), listed('b')], cursor: 'more' },
      { sequence: 9, objects: [listed('c')], cursor: 'and more' },
    ]
    server.answer = (response, exchange) => json(pages.shift())(response, exchange)
    const { shell, said } = server.shell()
    await query(shell, 'email.from:ann@*', { limit: 3 })
    expect(server.exchanges.map(({ url }) => url)).toEqual([
      '/v1/query?q=email.from%3Aann%40*&limit=3',
      '/v1/query?q=email.from%3Aann%40*&limit=1&cursor=more',
    ])
    const words = said()
    expect(words.match(/inbox\/[abc]/g)).toEqual(['inbox/a', 'inbox/b', 'inbox/c'])
    expect(words).toContain('(there are more: --all shows them)')
  })

  test('shows everything, in the order asked for, when told to', async () => {
    const pages = [
      { sequence: 9, objects: [listed('a')], cursor: 'more' },
      { sequence: 9, objects: [listed('b')], cursor: null },
    ]
    server.answer = (response, exchange) => json(pages.shift())(response, exchange)
    const { shell, said } = server.shell({ json: true })
    await query(shell, '', { all: true, sort: '-time' })
    expect(server.exchanges.map(({ url }) => url)).toEqual([
      '/v1/query?q=&sort=-time&limit=1000',
      '/v1/query?q=&sort=-time&limit=1000&cursor=more',
    ])
    expect(
      said()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).key),
    ).toEqual(['a', 'b'])
  })

  test('shows chosen columns, in a table or as CSV', async () => {
    const attributes = { 'user.note': 'a "b", c', 'email.to': ['x', 'y'] }
    const objects = [
      { ...listed('a\u001b'), attributes },
      { ...listed('long/key'), attributes: {} },
    ]
    server.answer = json({ sequence: 9, objects, cursor: null })
    const people = server.shell()
    await query(people.shell, '', { columns: 'object.key, user.note' })
    expect(people.said()).toBe('object.key  user.note\na\\u{1b}     a "b", c\nlong/key    -\n')
    const spreadsheet = server.shell()
    await query(spreadsheet.shell, '', { csv: true, columns: 'object.key,user.note,email.to' })
    expect(spreadsheet.said()).toBe(
      'object.key,user.note,email.to\r\na\u001b,"a ""b"", c","[""x"",""y""]"\r\nlong/key,,\r\n',
    )
    await expect(query(people.shell, '', { columns: 'protocol' })).rejects.toEqual(exit(2))
  })

  test('counts values', async () => {
    const values = [{ value: 'image/png', count: 12 }]
    const facet = { name: 'content.type', distinct: 1, values, counted: true, complete: true }
    const part = { ...facet, name: 'user.x', distinct: 9, complete: false }
    server.answer = json({ sequence: 9, facets: [facet, part] })
    const { shell, said } = server.shell()
    await query(shell, '', { facet: 'content.type,user.x', limit: 5 })
    expect(server.exchanges[0]?.url).toBe('/v1/facets?q=&by=content.type%2Cuser.x&values=5')
    expect(said().split('\n')).toEqual([
      'content.type',
      'COUNT  VALUE',
      '12     image/png',
      'user.x (9 values, 1 of them shown) (of what one page looks at, and there is more)',
      'COUNT  VALUE',
      '12     image/png',
      '',
    ])
  })

  test('tells how an answer would be found', async () => {
    const counts = { ranges: 1, entries: 5, isExact: true }
    const leg = { condition: 'a:1', reads: 'the index of a', isScan: false, ...counts, narrowedBy: [] }
    const narrowedBy = [{ condition: 'b:2', how: 'merge', entries: 70, isExact: false }]
    const scan = { ...leg, condition: null, reads: 'every current object', isScan: true }
    const index = { phase: 'building', built: 4, objects: 9 }
    const plan = {
      query: 'a:1',
      objects: 9,
      index,
      order: 'a, then object',
      sorting: 'none',
      isScan: true,
      entriesMax: 10,
    }
    server.answer = json({ ...plan, sequence: 9, entries: 5, legs: [{ ...leg, narrowedBy }, leg], others: [scan] })
    const { shell, said } = server.shell()
    await query(shell, 'a:1', { explain: true, sort: 'a' })
    expect(server.exchanges[0]?.url).toBe('/v1/query?q=a%3A1&sort=a&explain=true')
    expect(said().split('\n')).toEqual([
      'query      a:1',
      'order      a, then object: as they are found',
      'reads      the index of a for a:1: 5 entries',
      '  narrowed by b:2 (merge): about 70 entries',
      'then       the index of a for a:1: 5 entries',
      'instead of every current object: 5 entries, a scan',
      'of         9 objects; a page looks at 10 entries at the most',
      'index      it is being made anew, and not read before it is whole: 44 %',
      'scan       it reads in proportion to all there is',
      '',
    ])
  })
})

describe('rm', () => {
  test('removes in order, and stops at the first that is not there', async () => {
    server.answer = (response, { url }) => {
      if (url.endsWith('b')) json({ detail: 'inbox/b does not exist' }, 404)(response, {} as Exchange)
      else response.writeHead(204).end()
    }
    const { shell, said } = server.shell()
    await expect(rm(shell, ['inbox/a', 'inbox/b', 'inbox/c'])).rejects.toEqual(exit(3))
    expect(server.exchanges.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'DELETE /v1/objects/inbox/a',
      'DELETE /v1/objects/inbox/b',
    ])
    expect(said()).toBe('removed inbox/a\n')
  })
})
