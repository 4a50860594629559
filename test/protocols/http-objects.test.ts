import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type HttpFacts, StoreError } from '../../streams/index.ts'
import { FakeStore } from '../support/fake-store.ts'
import { type Call, call, RawClient } from '../support/http-client.ts'
import { type Door, openDoor, rootAuthorization } from '../support/http-door.ts'

const path = '/v1/objects/inbox/folder/object'
const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest()

let door: Door
let store: FakeStore
beforeAll(async () => {
  store = new FakeStore({ chunkBytes: 1000 })
  door = await openDoor({ store })
})
afterAll(() => door.frontend.close())

const send = (method: string, options?: Call) => call(door.port, method, path, options)

describe('PUT', () => {
  test('answers 201 and the receipt', async () => {
    const { status, headers, body } = await send('PUT', { body: 'hello' })
    expect(status).toBe(201)
    const hex = sha256('hello').toString('hex')
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      etag: `"${hex}"`,
      location: path,
      'x-content-type-options': 'nosniff',
    })
    expect(JSON.parse(body.toString())).toEqual({
      object: expect.stringMatching(/^\d{16}$/),
      bucket: 'inbox',
      key: 'folder/object',
      version: expect.stringMatching(/^\d{16}$/),
      sequence: expect.any(Number),
      size: 5,
      digests: { sha256: hex, crc32c: '9a71bb4c' },
    })
  })

  test.each([0, 1, 4096, 65_536, 65_537, 5_000_000])('stores %i bytes, with a length and chunked', async (size) => {
    const bytes = randomBytes(size)
    for (const headers of [{ 'content-length': String(size) }, { 'transfer-encoding': 'chunked' }]) {
      const { status } = await send('PUT', { body: bytes, headers })
      expect(status).toBe(201)
      expect(Buffer.compare(store.bytesOf('inbox', 'folder/object')!, bytes)).toBe(0)
    }
  })

  test('stores nothing but an empty object without a body', async () => {
    using client = await RawClient.connect(door.port)
    client.request(`PUT ${path}`)
    expect((await client.answer()).status).toBe(201)
    expect(store.bytesOf('inbox', 'folder/object')).toHaveLength(0)
  })

  test('takes a body in pieces, and one request after another', async () => {
    using client = await RawClient.connect(door.port)
    client.request(`PUT ${path}`, ['Content-Length: 6'], 'ab')
    await once(store.events, 'write')
    client.send('cd')
    await once(store.events, 'write')
    client.send('ef')
    expect((await client.answer()).status).toBe(201)
    expect(String(store.bytesOf('inbox', 'folder/object'))).toBe('abcdef')
    client.request(
      `PUT ${path}`,
      ['Transfer-Encoding: chunked'],
      '2\r\nxy\r\n1;extension=1\r\nz\r\n0\r\nTrailer: 1\r\n\r\n',
    )
    expect((await client.answer()).status).toBe(201)
    expect(String(store.bytesOf('inbox', 'folder/object'))).toBe('xyz')
  })

  test('answers pipelined requests in their order', async () => {
    using client = await RawClient.connect(door.port)
    client.request(`PUT ${path}`, ['Content-Length: 1'], '1')
    client.request(`GET ${path}`)
    client.request(`PUT ${path}`, ['Content-Length: 1', 'If-Match: *'], '2')
    client.request(`GET ${path}`)
    const statuses: number[] = []
    for (let index = 0; index < 3; index++) statuses.push((await client.answer()).status)
    expect(statuses[0]).toBe(201)
    expect(statuses[2]).toBe(501)
  })

  test.each([131_072, 200_000, 262_144, 700_000])(
    'a body of %i bytes that is all here before the store has taken it is whole',
    async (length) => {
      const bytes = Buffer.alloc(length, 'all of it ')
      const release = store.hold('write')
      const begun = once(store.events, 'write')
      const answer = send('PUT', { body: bytes })
      await begun
      // Node reads on meanwhile, comes to the end of the message and destroys it.
      for (let turns = 0; turns < 50; turns++) await new Promise(setImmediate)
      release()
      expect((await answer).status).toBe(201)
      expect(store.bytesOf('inbox', 'folder/object')).toEqual(bytes)
    },
  )

  test('whatever its Content-Type, the body is just bytes', async () => {
    for (const type of ['application/json', 'multipart/form-data', 'nonsense', 'text/plain; charset=x']) {
      const { status } = await send('PUT', { body: '{"a', headers: { 'content-type': type } })
      expect(status).toBe(201)
      expect((await send('HEAD')).headers['content-type']).toBe(type === 'nonsense' ? 'application/octet-stream' : type)
    }
  })

  test('hands on what the request says, and never its secrets', async () => {
    const headers = {
      'User-Agent': 'camera/1',
      'X-Cenote-User-Project': 'Zenote',
      'x-cenote-user-place': Buffer.from('Mérida 💧').toString('latin1'),
      'x-cenote-user-latin': 'caf\xe9',
      'x-cenote-user-empty': '',
      cookie: 'session=secret',
      'proxy-authorization': 'Basic secret',
    }
    await send('PUT', { body: Buffer.from('x'), headers })
    const { facts, attributes, origin, expected } = store.begun.at(-1)!
    expect(attributes).toEqual({
      'user.project': 'Zenote',
      'user.place': 'Mérida 💧',
      'user.latin': 'café',
      'user.empty': '',
    })
    const shown = (facts as HttpFacts).headers
    expect(facts).toMatchObject({ type: 'http', method: 'PUT' })
    expect(Object.keys(shown).sort()).toEqual(['connection', 'content-length', 'host', 'user-agent'])
    expect(origin).toEqual({
      principal: expect.objectContaining({ application: 'root' }),
      protocol: 'http',
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      request: expect.stringMatching(/^[\w-]{8}-\d+$/),
    })
    expect(expected).toEqual({ size: 1 })
  })

  test('compares declared digests', async () => {
    const digest = `sha-256=:${sha256('hello').toString('base64')}:`
    const md5 = createHash('md5').update('hello').digest('base64')
    for (const headers of [{ 'repr-digest': digest }, { 'content-digest': digest }, { 'content-md5': md5 }]) {
      expect((await send('PUT', { body: 'hello', headers })).status).toBe(201)
      const { status, body } = await send('PUT', { body: 'hallo', headers })
      expect(status).toBe(400)
      expect(JSON.parse(body.toString())).toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
      expect(String(store.bytesOf('inbox', 'folder/object'))).toBe('hello')
    }
  })

  test.each([
    ['if-match', '*', 501],
    ['if-none-match', '*', 501],
    ['if-unmodified-since', 'Sun, 06 Nov 1994 08:49:37 GMT', 501],
    ['content-range', 'bytes 0-4/10', 400],
    ['content-digest', 'sha-256=:AAAA:', 400],
    ['x-cenote-user-', 'x', 400],
  ])('refuses %s: %s rather than ignore it', async (name, value, status) => {
    await send('PUT', { body: 'before' })
    const before = store.records.length
    expect((await send('PUT', { body: 'x', headers: { [name]: value } })).status).toBe(status)
    if (status === 501) expect((await send('DELETE', { headers: { [name]: value } })).status).toBe(status)
    expect(store.records).toHaveLength(before)
  })
})

describe('GET and HEAD', () => {
  const bytes = randomBytes(10_000)
  const etag = `"${sha256(bytes).toString('hex')}"`
  beforeEach(async () => {
    await send('PUT', { body: bytes, headers: { 'content-type': 'image/png' } })
  })

  test('say the same, with and without the bytes', async () => {
    const get = await send('GET')
    expect(get.status).toBe(200)
    expect(Buffer.compare(get.body, bytes)).toBe(0)
    expect(get.headers).toMatchObject({
      'content-type': 'image/png',
      'content-length': '10000',
      etag,
      'accept-ranges': 'bytes',
      'last-modified': expect.stringMatching(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/),
      'repr-digest': `sha-256=:${sha256(bytes).toString('base64')}:`,
      'cache-control': 'private, no-cache',
    })
    const head = await send('HEAD')
    expect(head.status).toBe(200)
    expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' })
    expect(head.body).toHaveLength(0)
  })

  test.each([
    ['bytes=0-499', 0, 500],
    ['bytes=500-', 500, 10_000],
    ['bytes=-1', 9999, 10_000],
    ['bytes=999-3001', 999, 3002],
  ])('%s is answered with 206', async (range, start, end) => {
    const { status, headers, body } = await send('GET', { headers: { range } })
    expect(status).toBe(206)
    expect(Buffer.compare(body, bytes.subarray(start, end))).toBe(0)
    expect(headers).toMatchObject({
      'content-range': `bytes ${start}-${end - 1}/10000`,
      'content-length': String(end - start),
      etag,
      'repr-digest': `sha-256=:${sha256(bytes).toString('base64')}:`,
    })
  })

  test('a range beyond the end is answered with 416', async () => {
    const { status, headers, body } = await send('GET', { headers: { range: 'bytes=10000-' } })
    expect(status).toBe(416)
    expect(headers['content-range']).toBe('bytes */10000')
    expect(JSON.parse(body.toString())).toMatchObject({ code: 'ERR_RANGE', detail: 'the object has 10000 bytes' })
  })

  test('several ranges, another unit, and HEAD with a range get the whole', async () => {
    for (const range of ['bytes=0-1,3-4', 'lines=1-2', 'bytes=5-1'])
      expect((await send('GET', { headers: { range } })).status).toBe(200)
    expect((await send('HEAD', { headers: { range: 'bytes=0-1' } })).headers['content-length']).toBe('10000')
  })

  test('a range counts only while If-Range holds', async () => {
    const range = 'bytes=0-1'
    expect((await send('GET', { headers: { range, 'if-range': etag } })).status).toBe(206)
    expect((await send('GET', { headers: { range, 'if-range': '"other"' } })).status).toBe(200)
  })

  test.each(['GET', 'HEAD'])('%s is answered with 304 when the client has it', async (method) => {
    const { status, headers, body } = await send(method, { headers: { 'if-none-match': `"other", W/${etag}` } })
    expect(status).toBe(304)
    expect(body).toHaveLength(0)
    expect(headers).toMatchObject({ etag, 'cache-control': 'private, no-cache' })
    expect(headers).not.toHaveProperty('content-type')
    const other = await send(method, { headers: { 'if-none-match': '"other"' } })
    expect(other.status).toBe(200)
    const modified = { 'if-modified-since': String(other.headers['last-modified']) }
    expect((await send(method, { headers: modified })).status).toBe(304)
  })

  test('If-Match that fails is answered with 412', async () => {
    const { status, body } = await send('GET', { headers: { 'if-match': '"other"' } })
    expect(status).toBe(412)
    expect(JSON.parse(body.toString())).toMatchObject({ code: 'ERR_PRECONDITION' })
  })

  test('begin again when the object is replaced in between', async () => {
    let replaced = 0
    const replace = async (): Promise<void> => {
      if (replaced++ > 0) return
      const release = store.hold('read')
      await send('PUT', { body: 'replaced' })
      release()
    }
    store.events.once('stat', replace)
    const release = store.hold('stat')
    const get = send('GET', { headers: { range: 'bytes=0-3' } })
    await once(store.events, 'stat')
    release()
    const { status, headers, body } = await get
    expect(status).toBe(206)
    expect([`bytes 0-3/10000`, `bytes 0-3/8`]).toContain(headers['content-range'])
    expect(body).toHaveLength(4)
  })

  test('an empty object has a whole and no range', async () => {
    await send('PUT', { body: '' })
    const { status, headers, body } = await send('GET')
    expect([status, headers['content-length'], body.length]).toEqual([200, '0', 0])
    expect((await send('GET', { headers: { range: 'bytes=0-' } })).status).toBe(416)
  })

  test('an error before the first byte is a problem', async () => {
    store.fail('chunk', new StoreError('ERR_CORRUPT', 'a block contradicts its checksum'))
    const { status, body } = await send('GET')
    expect(status).toBe(500)
    expect(JSON.parse(body.toString())).toMatchObject({ code: 'ERR_CORRUPT' })
  })

  test('an error amid the bytes breaks the connection', async () => {
    let chunks = 0
    const fail = (): void => {
      if (++chunks === 3) store.fail('chunk', new StoreError('ERR_CORRUPT', 'a block contradicts its checksum'))
    }
    store.events.on('chunk', fail)
    const logged = door.errors.length
    await expect(send('GET')).rejects.toThrow(/aborted|hang up/)
    store.events.off('chunk', fail)
    expect(door.errors).toHaveLength(logged + 1)
    expect((await send('GET')).status).toBe(200)
  })

  test('a client that goes away ends the reading', async () => {
    await using other = await openDoor({ store })
    using client = await RawClient.connect(other.port)
    const release = store.hold('chunk')
    client.request(`GET ${path}`)
    await once(store.events, 'chunk')
    client.socket.destroy()
    // The exchange is over once the server saw the connection go.
    await other.frontend.drain()
    let more = 0
    store.events.on('chunk', () => more++)
    release()
    await new Promise(setImmediate)
    expect(more).toBe(0)
  })
})

describe('what is stored cannot act as this server', () => {
  test.each([
    ['text/html', true],
    ['TEXT/HTML; charset=utf-8', true],
    ['image/svg+xml', true],
    ['application/xhtml+xml', true],
    ['text/xml', true],
    ['application/javascript', true],
    ['application/pdf', true],
    ['application/octet-stream', true],
    ['text/plain; charset=utf-8', false],
    ['image/png', false],
    ['video/mp4', false],
  ])('%s', async (type, attachment) => {
    await send('PUT', { body: '<script>alert(1)</script>', headers: { 'content-type': type } })
    const { headers } = await send('GET')
    expect(headers).toMatchObject({
      'content-type': type,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
    })
    expect(headers['content-disposition']).toBe(attachment ? 'attachment' : undefined)
  })

  test('a type that is no media type is not told', async () => {
    const describe = () => ({ 'content.declared-type': 'text/html\r\nSet-Cookie: a=b', 'content.type': 'text/plain' })
    await using other = await openDoor({ store: new FakeStore({ describe }) })
    await call(other.port, 'PUT', path, { body: 'x' })
    const { headers } = await call(other.port, 'GET', path)
    expect(headers['content-type']).toBe('text/plain')
    expect(headers).not.toHaveProperty('set-cookie')
  })

  test('a content coding comes back as it was declared', async () => {
    const describe = () => ({ 'http.header.content-encoding': 'gzip' })
    await using other = await openDoor({ store: new FakeStore({ describe }) })
    await call(other.port, 'PUT', path, { body: 'x' })
    expect((await call(other.port, 'GET', path)).headers['content-encoding']).toBe('gzip')
  })
})

describe('DELETE', () => {
  test('answers 204, and 404 when there is none', async () => {
    await send('PUT', { body: 'x' })
    const { status, headers, body } = await send('DELETE')
    expect([status, body.length]).toEqual([204, 0])
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect((await send('DELETE')).status).toBe(404)
    expect((await send('GET')).status).toBe(404)
    expect((await send('HEAD')).status).toBe(404)
  })

  test('takes no body', async () => {
    expect((await send('DELETE', { body: 'x', headers: { 'content-length': '1' } })).status).toBe(400)
  })
})

test('Basic credentials do as well', async () => {
  const as = `Basic ${Buffer.from(rootAuthorization.slice('Bearer '.length)).toString('base64')}`
  expect((await send('PUT', { body: 'x', as })).status).toBe(201)
})
