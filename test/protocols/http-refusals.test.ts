import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { http } from '../../protocols/reply.ts'
import { StoreError, type StoreErrorCode } from '../../streams/index.ts'
import { call, callJson, RawClient } from '../support/http-client.ts'
import { cameraAuthorization, type Door, openDoor, readerAuthorization } from '../support/http-door.ts'

const path = '/v1/objects/inbox/object'
const put = `PUT ${path}`
const objectBytesMax = 1000

let door: Door
beforeAll(async () => {
  door = await openDoor({ limits: { objectBytesMax } })
})
afterAll(() => door.frontend.close())

const codeOf = (body: Buffer): unknown => JSON.parse(body.toString()).code
const nothingStored = (): void => expect(door.store.size).toBe(0)

describe('every refusal of the store', () => {
  test.each(Object.entries(http) as [StoreErrorCode, number][])('%s is told as %i', async (code, status) => {
    door.store.fail('begin', new StoreError(code, 'because of that'))
    const answer = await call(door.port, 'PUT', path, { body: 'x' })
    expect(answer.status).toBe(status)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
    })
    expect(JSON.parse(answer.body.toString())).toEqual({
      type: expect.stringMatching(/^urn:cenote:problem:[a-z-]+$/),
      title: expect.stringMatching(/^[A-Z][a-z ]+$/),
      status,
      detail: 'because of that',
      code,
    })
    nothingStored()
  })

  test('401 has challenges, and 503 for now a time to come back', async () => {
    const refused = await call(door.port, 'GET', path, { as: null })
    expect(refused.headers['www-authenticate']).toBe('Bearer realm="cenote", Basic realm="cenote", charset="UTF-8"')
    door.store.fail('begin', new StoreError('ERR_BUSY', 'busy'))
    expect((await call(door.port, 'PUT', path, { body: 'x' })).headers['retry-after']).toBe('1')
  })

  test('an error that is none of ours is told without a word of it, and logged', async () => {
    door.store.fail('begin', new TypeError('at line 7 with secret 1234'))
    const { status, body } = await call(door.port, 'PUT', path, { body: 'x' })
    expect(status).toBe(500)
    expect(codeOf(body)).toBe('ERR_INTERNAL')
    expect(body.toString()).not.toMatch(/line 7|1234/)
    const logged = door.errors.at(-1) as { err: Error; request: string }
    expect(logged.err.message).toContain('line 7')
    expect(body.toString()).toContain(logged.request)
  })
})

describe('before the body', () => {
  const table = [
    ['without credentials', [], 401, 'ERR_UNAUTHENTICATED'],
    ['with a wrong secret', ['Authorization: Bearer root:guess'], 401, 'ERR_UNAUTHENTICATED'],
    ['of an application that may not use http', [`Authorization: ${cameraAuthorization}`], 403, 'ERR_FORBIDDEN'],
    ['of one that may only read', [`Authorization: ${readerAuthorization}`], 403, 'ERR_FORBIDDEN'],
  ] as const
  const head = (headers: readonly string[]): string =>
    [`${put} HTTP/1.1`, 'Host: cenote', ...headers, '', ''].join('\r\n')

  test.each(table)('an upload %s is refused', async (_, headers, status, code) => {
    for (const more of [['Content-Length: 100'], ['Transfer-Encoding: chunked']]) {
      using client = await RawClient.connect(door.port)
      client.send(head([...headers, ...more]))
      const answer = await client.answer()
      expect(answer.status).toBe(status)
      expect(answer.headers.connection).toBe('close')
      expect(codeOf(answer.body)).toBe(code)
      expect(answer.body.toString()).not.toMatch(/guess|sesame/)
      expect(await client.rest()).toHaveLength(0)
    }
    nothingStored()
  })

  test.each(['gzip, chunked', 'identity', 'chunked, chunked'])(
    'an upload in the coding %s is refused',
    async (coding) => {
      using client = await RawClient.connect(door.port)
      client.request(put, [`Transfer-Encoding: ${coding}`], '0\r\n\r\n')
      expect([400, 501]).toContain((await client.answer()).status)
      nothingStored()
    },
  )

  test.each(table)('an upload %s that waits to be asked is not asked', async (_, headers, status) => {
    using client = await RawClient.connect(door.port)
    client.send(head([...headers, 'Expect: 100-continue', 'Content-Length: 100']))
    expect((await client.answer()).status).toBe(status)
    expect(await client.rest()).toHaveLength(0)
  })

  test('one that is declared too long is refused, asked or not', async () => {
    for (const expects of [[], ['Expect: 100-continue']]) {
      using client = await RawClient.connect(door.port)
      client.request(put, [`Content-Length: ${objectBytesMax + 1}`, ...expects])
      const answer = await client.answer()
      expect([answer.status, codeOf(answer.body)]).toEqual([413, 'ERR_TOO_LARGE'])
    }
    nothingStored()
  })

  test('one that is admitted is asked for, once', async () => {
    using client = await RawClient.connect(door.port)
    const release = door.store.hold('begin')
    client.request(put, ['Expect: 100-continue', 'Content-Length: 2'])
    await once(door.store.events, 'begin')
    release()
    expect((await client.answer()).status).toBe(100)
    client.send('ok')
    expect((await client.answer()).status).toBe(201)
    await call(door.port, 'DELETE', path)
  })

  test('a JSON body is asked for, too', async () => {
    using client = await RawClient.connect(door.port)
    const body = JSON.stringify({ from: { bucket: 'inbox', key: 'a' }, to: { bucket: 'inbox', key: 'b' } })
    client.request('POST /v1/rename', [
      'Expect: 100-continue',
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    ])
    expect((await client.answer()).status).toBe(100)
    client.send(body)
    expect((await client.answer()).status).toBe(404)
  })

  test('HTTP/1.0 is never asked', async () => {
    using client = await RawClient.connect(door.port)
    client.send(`PUT ${path} HTTP/1.0\r\nAuthorization: Bearer root:open sesame\r\n`)
    client.send('Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx')
    expect((await client.answer()).status).toBe(201)
    await call(door.port, 'DELETE', path)
  })

  test('another expectation is refused', async () => {
    using client = await RawClient.connect(door.port)
    client.request(put, ['Expect: a miracle', 'Content-Length: 1'])
    expect((await client.answer()).status).toBe(417)
    nothingStored()
  })

  test('a small body that is refused does not end the connection', async () => {
    using client = await RawClient.connect(door.port)
    client.request(put, ['Content-Length: 1', 'If-Match: *'], 'x')
    expect((await client.answer()).status).toBe(501)
    client.request(`GET ${path}`)
    expect((await client.answer()).status).toBe(404)
  })
})

describe('amid the body', () => {
  test('a client that goes away stores nothing', async () => {
    for (const [header, body] of [
      ['Content-Length: 100', 'half'],
      ['Transfer-Encoding: chunked', '4\r\nhalf\r\n'],
      ['Transfer-Encoding: chunked', '4\r\nhalf\r\n0\r\n'],
    ] as const) {
      for (const leave of ['destroy', 'resetAndDestroy'] as const) {
        using client = await RawClient.connect(door.port)
        const written = once(door.store.events, 'write')
        const aborted = once(door.store.events, 'abort')
        client.request(put, [header], body)
        await written
        client.socket[leave]()
        await aborted
        expect(door.store.aborted.at(-1)?.message).toContain('went away')
      }
    }
    nothingStored()
  })

  test('one that stops halfway with a FIN stores nothing, and is told', async () => {
    for (const [header, body] of [
      ['Content-Length: 100', 'half'],
      ['Transfer-Encoding: chunked', '4\r\nhalf\r\n'],
    ] as const) {
      using client = await RawClient.connect(door.port)
      const aborted = once(door.store.events, 'abort')
      client.request(put, [header], body)
      client.socket.end()
      expect((await client.answer()).status).toBe(400)
      await aborted
    }
    nothingStored()
  })

  test('one that went away while the store was busy stores nothing', async () => {
    using client = await RawClient.connect(door.port)
    const release = door.store.hold('write')
    client.request(put, ['Content-Length: 100'], 'half')
    await once(door.store.events, 'write')
    const aborted = once(door.store.events, 'abort')
    client.socket.destroy()
    await client.closed
    release()
    await aborted
    nothingStored()
  })

  test('one that went away after the last byte gets what it sent stored', async () => {
    using client = await RawClient.connect(door.port)
    const release = door.store.hold('commit')
    client.request(put, ['Content-Length: 4'], 'full')
    await once(door.store.events, 'commit')
    client.socket.destroy()
    await client.closed
    release()
    expect((await call(door.port, 'DELETE', path)).status).toBe(204)
  })

  test('a chunk that is none stores nothing', async () => {
    using client = await RawClient.connect(door.port)
    const aborted = once(door.store.events, 'abort')
    client.request(put, ['Transfer-Encoding: chunked'], '4\r\nhalf\r\nmoon\r\n')
    const answer = await client.answer()
    expect([answer.status, codeOf(answer.body)]).toEqual([400, 'ERR_INVALID'])
    await aborted
    nothingStored()
  })

  test('too many bytes are noticed when they come', async () => {
    using client = await RawClient.connect(door.port)
    const chunk = `${objectBytesMax.toString(16)}\r\n${'x'.repeat(objectBytesMax)}\r\n`
    client.request(put, ['Transfer-Encoding: chunked'], chunk)
    await once(door.store.events, 'write')
    client.send(chunk)
    const answer = await client.answer()
    expect([answer.status, codeOf(answer.body)]).toEqual([413, 'ERR_TOO_LARGE'])
    expect(await client.rest()).toHaveLength(0)
    nothingStored()
  })

  test.each(['write', 'commit'] as const)('the store says no at %s', async (moment) => {
    for (const [code, status] of [
      ['ERR_NO_SPACE', 507],
      ['ERR_BUSY', 503],
    ] as const) {
      door.store.fail(moment, new StoreError(code, 'no'))
      const answer = await call(door.port, 'PUT', path, { body: 'x' })
      expect([answer.status, codeOf(answer.body)]).toEqual([status, code])
    }
    nothingStored()
  })

  test('a refusal reaches a client that goes on sending', async () => {
    await using other = await openDoor()
    using client = await RawClient.connect(other.port)
    other.store.fail('write', new StoreError('ERR_NO_SPACE', 'full'))
    client.request(put, ['Content-Length: 1000000'], 'x')
    const answer = await client.answer()
    expect([answer.status, answer.headers.connection]).toEqual([507, 'close'])
    client.send('x'.repeat(999_999))
    await other.frontend.drain()
    expect(other.store.size).toBe(0)
  })

  test.each([
    ['discardBytesMax', 'x'.repeat(200_000)],
    ['discardMsMax', ''],
  ])('it is listened to for %s', async (limit, more) => {
    const limits = { objectBytesMax, discardBytesMax: 1e9, discardMsMax: 1e6, drainMsMax: 1e6, [limit]: 10 }
    await using other = await openDoor({ limits })
    using client = await RawClient.connect(other.port)
    client.request(put, ['Content-Length: 1000000'])
    expect((await client.answer()).status).toBe(413)
    client.send(more)
    await other.frontend.drain()
  })
})

describe('what is no request of ours', () => {
  test('gets a problem, and the connection ends', async () => {
    const table = [
      ['nonsense\r\n\r\n', 400, 'ERR_INVALID'],
      [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'ERR_TOO_LARGE'],
      ['PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400, 'ERR_INVALID'],
    ] as const
    for (const [bytes, status, code] of table) {
      using client = await RawClient.connect(door.port)
      client.send(bytes)
      const answer = await client.answer()
      expect([answer.status, codeOf(answer.body)]).toEqual([status, code])
      await client.rest()
    }
  })

  test('gets a problem where a request went well before', async () => {
    using client = await RawClient.connect(door.port)
    client.request('GET /healthz')
    expect((await client.answer()).status).toBe(200)
    client.send('nonsense\r\n\r\n')
    expect((await client.answer()).status).toBe(400)
  })

  test.each([
    ['GET', '/', 404],
    ['GET', '/v1', 404],
    ['GET', '/v1/objects', 404],
    ['GET', '/v2/objects/inbox/a', 404],
    ['POST', '/v1/objects/inbox/a', 405],
    ['DELETE', '/v1/objects/inbox', 405],
    ['OPTIONS', '/v1/query', 405],
    ['PUT', '/healthz', 405],
  ])('%s %s is %i', async (method, target, status) => {
    const answer = await call(door.port, method, target)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ status, detail: expect.stringContaining(method) })
  })

  test('405 names the methods', async () => {
    expect((await call(door.port, 'POST', path)).headers.allow).toBe('PUT, GET, HEAD, DELETE')
  })

  test('a body that nobody reads is refused', async () => {
    for (const [method, target] of [
      ['GET', path],
      ['DELETE', path],
      ['GET', '/v1/query?q=a:b'],
      ['PUT', '/v1/buckets/photos'],
    ] as const) {
      const answer = await call(door.port, method, target, { body: 'x', headers: { 'content-length': '1' } })
      expect([answer.status, codeOf(answer.body)]).toEqual([400, 'ERR_INVALID'])
    }
  })

  test('JSON that is none, or is not what is asked for', async () => {
    const bad = await call(door.port, 'POST', '/v1/rename', {
      body: '{',
      headers: { 'content-type': 'application/json' },
    })
    expect([bad.status, codeOf(bad.body)]).toEqual([400, 'ERR_INVALID'])
    const other = await call(door.port, 'POST', '/v1/rename', { body: '{}', headers: { 'content-type': 'text/html' } })
    expect([other.status, codeOf(other.body)]).toEqual([415, 'ERR_UNSUPPORTED'])
    const name = { bucket: 'inbox', key: 'a' }
    for (const content of [
      {},
      { from: name },
      { from: name, to: name, copy: true },
      { from: name, to: { bucket: 1, key: 'a' } },
      [],
    ]) {
      const { status, json } = await callJson(door.port, 'POST', '/v1/rename', content)
      expect([status, json.code]).toEqual([400, 'ERR_INVALID'])
      expect(json.detail).toMatch(/^body.* must/)
    }
  })

  test('JSON that is too long', async () => {
    await using small = await openDoor({ limits: { jsonBytesMax: 100 } })
    const content = { from: { bucket: 'inbox', key: 'k'.repeat(100) } }
    const { status, json } = await callJson(small.port, 'POST', '/v1/rename', content)
    expect([status, json.code]).toEqual([413, 'ERR_TOO_LARGE'])
  })
})
