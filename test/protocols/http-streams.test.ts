import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { HttpLimits } from '../../protocols/http/options.ts'
import { cursorAt } from '../../protocols/http/stream-fields.ts'
import { messagesOf } from '../../protocols/http/stream-messages.ts'
import { type Call, call } from '../support/http-client.ts'
import { openDoor, readerAuthorization, rootAuthorization } from '../support/http-door.ts'
import { gate, named, openHarness, origin, putText } from '../support/store-harness.ts'

const RECORDS = '/v1/streams/records'
const LOG = '/v1/streams/messages/inbox/log'
const json = { 'content-type': 'application/json' }

/** A door over the real store, on a pool in memory. */
async function open(limits: Partial<HttpLimits> = {}) {
  const { store } = await openHarness()
  const door = await openDoor({ store, limits: { longPollMsMax: 10_000, ...limits } })
  onTestFinished(() => door.frontend.close())
  const ask = (method: string, path: string, more?: Call) => call(door.port, method, path, more)
  return { store, door, ask }
}

const offset = (sequence: number): string => String(sequence).padStart(16, '0')

/** Server-sent events, one by one. */
async function listen(port: number, path: string) {
  const outgoing = request({ port, host: '127.0.0.1', path, headers: { authorization: rootAuthorization } }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  onTestFinished(() => void outgoing.destroy())
  const chunks = incoming.setEncoding('utf8')[Symbol.asyncIterator]()
  let text = ''
  async function next(): Promise<{ event: string; data: string } | undefined> {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end >= 0) {
        const [first = '', ...lines] = text.slice(0, end).split('\n')
        text = text.slice(end + 2)
        return {
          event: first.slice('event: '.length),
          data: lines.map((line) => line.slice('data:'.length)).join('\n'),
        }
      }
      const { done, value } = await chunks.next()
      if (done) return undefined
      text += value
    }
  }
  return { status: incoming.statusCode, headers: incoming.headers, next }
}

describe('the records of the partition', () => {
  test('are an array of JSON, from any offset on', async () => {
    const { store, ask } = await open()
    await putText(store, named('a'), 'one')
    const { status, headers, body } = await ask('GET', RECORDS)
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'stream-next-offset': offset(2),
      'stream-up-to-date': 'true',
      'cache-control': 'private, no-cache',
      'cross-origin-resource-policy': 'same-origin',
    })
    expect(JSON.parse(String(body))).toMatchObject([{ operation: 'bucket' }, { operation: 'put', key: 'a' }])
    const rest = await ask('GET', `${RECORDS}?offset=${offset(2)}`)
    expect([String(rest.body), rest.headers['stream-next-offset']]).toEqual(['[]', offset(2)])
    expect((await ask('HEAD', RECORDS)).headers).toMatchObject({
      'stream-next-offset': offset(2),
      'cache-control': 'no-store',
    })
  })

  test.each([
    ['json', 'application/json', /^\[\{"sequence":1,/],
    ['ndjson', 'application/x-ndjson', /^\{"sequence":1,.*\}\n\{"sequence":2,.*\}\n$/],
    ['cloudevents', 'application/cloudevents-batch+json', /^\[\{"specversion":"1.0".*"source":"\/cenote\/p\/main"/],
    ['s3', 'application/json', /^\{"Records":\[\{"eventVersion":"2.1"/],
    ['xml', 'application/xml', /^<\?xml version="1.0" encoding="UTF-8"\?>\n<records /],
  ])('come as %s', async (format, type, beginning) => {
    const { store, ask } = await open()
    await putText(store, named('a'), 'one')
    const { headers, body } = await ask('GET', `${RECORDS}?format=${format}`)
    expect(headers['content-type']).toBe(type)
    expect(String(body)).toMatch(beginning)
  })

  test('are those that meet a query', async () => {
    const { store, ask } = await open()
    await putText(store, named('a'), 'one')
    const query = encodeURIComponent('object.key = a')
    const { headers, body } = await ask('GET', `${RECORDS}?q=${query}`)
    expect(JSON.parse(String(body))).toMatchObject([{ sequence: 2 }])
    expect(headers['stream-next-offset']).toBe(offset(2))
  })

  test('go on when a stream of messages among them is closed', async () => {
    const { ask } = await open()
    await ask('PUT', LOG, { headers: { ...json, 'stream-closed': 'true' }, body: '[1]' })
    for (const path of [RECORDS, `${RECORDS}/inbox/log`]) {
      const { headers, body } = await ask('GET', path)
      expect(JSON.parse(String(body)).at(-1)).toMatchObject({ operation: 'append', closes: true })
      expect(headers).not.toHaveProperty('stream-closed')
    }
    expect((await ask('GET', LOG)).headers).toMatchObject({ 'stream-closed': 'true' })
  })

  test('are told to readers, without the secrets of applications', async () => {
    const { store, ask } = await open()
    const secret = { kind: 'argon2id', value: 'hash' } as const
    await store.register(origin, 'camera', { types: ['ftp'], permissions: [], secret })
    const { body } = await ask('GET', RECORDS)
    expect(JSON.parse(String(body))[1].registration).toEqual({ types: ['ftp'], permissions: [] })
    const few = await ask('GET', RECORDS, { as: readerAuthorization })
    expect(JSON.parse(String(few.body))).toHaveLength(1)
    expect(few.headers['stream-next-offset']).toBe(offset(2))
  })

  test.each([
    ['offset=x', 400],
    ['offset=', 400],
    ['offset=-2', 400],
    [`offset=${offset(99)}`, 400],
    [`offset=${offset(1)}&offset=${offset(2)}`, 400],
    ['live=sse', 400],
    ['live=never&offset=-1', 400],
    ['format=csv', 400],
    ['q=x%20%3D', 400],
  ])('?%s is refused', async (query, status) => {
    const { ask } = await open()
    const answer = await ask('GET', `${RECORDS}?${query}`)
    expect([answer.status, JSON.parse(String(answer.body)).code]).toEqual([status, 'ERR_INVALID'])
  })

  test('are nobody’s to append to', async () => {
    const { ask } = await open()
    expect((await ask('POST', RECORDS, { body: '{}', headers: json })).status).toBe(405)
  })
})

describe('the records of an object', () => {
  const path = `${RECORDS}/inbox/a/%2F%3F`
  const name = named('a//?')

  test('take changes of its attributes, once for a producer', async () => {
    const { store, ask } = await open()
    await putText(store, name, 'one')
    const producer = { 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': '0' }
    const body = JSON.stringify([{ set: { 'user.n': 1 } }, { set: { 'user.m': ['a'] }, unset: ['user.n'] }])
    const append = () => ask('POST', path, { body, headers: { ...json, ...producer } })
    const first = await append()
    expect([first.status, first.headers['stream-next-offset']]).toEqual([200, offset(4)])
    expect((await append()).status).toBe(204)
    expect((await store.stat(origin, name)).attributes).toMatchObject({ 'user.m': ['a'] })
    const { body: records } = await ask('GET', `${path}?offset=${offset(2)}`)
    expect(JSON.parse(String(records))).toMatchObject([
      { set: { 'user.n': 1 }, producer: { id: 'p', epoch: 0, sequence: 0 } },
      { unset: ['user.n'] },
    ])
    expect((await ask('HEAD', path)).headers['stream-next-offset']).toBe(offset(4))
  })

  test.each([
    ['{"set":{"object.size":1}}', 400],
    ['{"set":{"user.x":null}}', 400],
    ['{"sets":{}}', 400],
    ['{}', 400],
    ['[]', 400],
    ['7', 400],
    ['{', 400],
  ])('refuse %s', async (body, status) => {
    const { store, ask } = await open()
    await putText(store, name, 'one')
    expect((await ask('POST', path, { body, headers: json })).status).toBe(status)
    expect(await store.stream(origin, name)).toHaveLength(1)
  })

  test('refuse what is no JSON by its type, and who may only read', async () => {
    const { store, ask } = await open()
    await putText(store, name, 'one')
    const body = '{"set":{"user.x":1}}'
    expect((await ask('POST', path, { body, headers: { 'content-type': 'text/plain' } })).status).toBe(409)
    expect((await ask('POST', path, { body, headers: json, as: readerAuthorization })).status).toBe(403)
    expect((await ask('POST', `${RECORDS}/inbox/none`, { body, headers: json })).status).toBe(404)
  })
})

describe('messages', () => {
  test('are those of a stream, not of any object', async () => {
    const { store, ask } = await open()
    await putText(store, named('log'), 'one')
    for (const method of ['GET', 'HEAD', 'DELETE']) expect((await ask(method, LOG)).status).toBe(404)
    expect((await ask('POST', LOG, { body: '1', headers: json })).status).toBe(404)
    expect((await ask('PUT', LOG, { headers: json })).status).toBe(409)
    expect(await store.stat(origin, named('log'))).toMatchObject({ size: 3 })
  })

  test('appendBytesMax: a longer append is refused', async () => {
    const { ask } = await open({ appendBytesMax: 10 })
    expect((await ask('PUT', LOG, { headers: json })).status).toBe(201)
    expect((await ask('POST', LOG, { body: '"12345678"', headers: json })).status).toBe(204)
    expect((await ask('POST', LOG, { body: '"123456789"', headers: json })).status).toBe(413)
  })

  test('longPollMsMax: a read that waits is answered when nothing comes', async () => {
    const { ask } = await open({ longPollMsMax: 10 })
    await ask('PUT', LOG, { headers: json })
    const { status, headers, body } = await ask('GET', `${LOG}?offset=now&live=long-poll`)
    expect([status, body.length, headers['content-length']]).toEqual([204, 0, undefined])
    expect(headers).toMatchObject({ 'stream-next-offset': offset(2), 'stream-up-to-date': 'true' })
  })

  test('JSON is kept as it was written', async () => {
    const { ask } = await open()
    await ask('PUT', LOG, { headers: json, body: '[12345678901234567890, {"b":1.0,"a":"],[\\"{"},[[]]]' })
    const { body } = await ask('GET', LOG)
    expect(String(body)).toBe('[12345678901234567890,{"b":1.0,"a":"],[\\"{"},[[]]]')
  })

  test('any JSON comes back as its elements', () => {
    const text = fc
      .tuple(fc.json(), fc.constantFrom(undefined, 1, '\t'))
      .map(([json, space]) => JSON.stringify(JSON.parse(json), null, space))
    fc.assert(
      fc.property(text, (written) => {
        const { messages } = messagesOf(Buffer.from(written), 'application/json')
        const value = JSON.parse(written)
        expect(messages.map((message) => JSON.parse(message))).toEqual(Array.isArray(value) ? value : [value])
      }),
      { numRuns: 1000 },
    )
  })

  test('any bytes come back as they were', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1 }),
      fc.string({ minLength: 1 }).map((text) => Buffer.from(text)),
    )
    fc.assert(
      fc.property(bytes, (written) => {
        const { messages, encoding } = messagesOf(Buffer.from(written), 'text/plain')
        expect(Buffer.from(messages[0]!, encoding ?? 'utf8').equals(written)).toBe(true)
        const base64 = Buffer.from(written).toString('base64')
        expect(Buffer.byteLength(JSON.stringify(messages[0]))).toBeLessThanOrEqual(2 * base64.length + 2)
      }),
    )
  })
})

describe('events', () => {
  test('tell of records as they come', async () => {
    const { store, door } = await open()
    const { headers, next } = await listen(door.port, `${RECORDS}?offset=now&live=sse&format=cloudevents`)
    expect(headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    const place = JSON.parse((await next())!.data)
    expect(place).toEqual({ streamNextOffset: offset(1), streamCursor: expect.any(String), upToDate: true })
    await putText(store, named('a'), 'one')
    const { event, data } = (await next())!
    expect([event, JSON.parse(data)]).toMatchObject(['data', [{ subject: 'inbox/a' }]])
    expect(JSON.parse((await next())!.data)).toMatchObject({ streamNextOffset: offset(2) })
  })

  test('with a line of any kind in them are one event', async () => {
    const { door, ask } = await open()
    const headers = { 'content-type': 'text/plain' }
    await ask('PUT', LOG, { headers, body: ' a\r\n\r\nevent: control\rdata: {}\n\n b' })
    const { next } = await listen(door.port, `${LOG}?offset=-1&live=sse`)
    expect(await next()).toEqual({ event: 'data', data: '  a\n\nevent: control\ndata: {}\n\n  b' })
    expect(await next()).toMatchObject({ event: 'control' })
  })

  test('eventsMsMax: a connection ends, and tells where it was', async () => {
    const { store, door } = await open({ eventsMsMax: 200 })
    const path = `${RECORDS}?offset=now&live=sse&q=${encodeURIComponent('user.none:*')}`
    const { next } = await listen(door.port, path)
    await next()
    await putText(store, named('a'), 'one')
    expect(JSON.parse((await next())!.data)).toMatchObject({ streamNextOffset: offset(2), upToDate: true })
    expect(await next()).toBeUndefined()
  })

  test('and reads that wait end when the door drains', async () => {
    const { store, door, ask } = await open()
    const { next } = await listen(door.port, `${RECORDS}?offset=now&live=sse`)
    await next()
    const waits = gate()
    const tail = store.tail.bind(store)
    store.tail = async function* (origin, options) {
      for await (const page of tail(origin, options)) {
        yield page
        if (options.after !== 'now') waits.open()
      }
    }
    const waiting = ask('GET', `${RECORDS}?offset=${offset(1)}&live=long-poll`)
    await waits.opened
    await door.frontend.drain()
    expect(await next()).toBeUndefined()
    expect((await waiting).status).toBe(204)
  })

  test('and reads that come too late are told to come again', async () => {
    const { store, ask } = await open()
    store.tail = async function* () {}
    await store.createStream(origin, named('log'), { contentType: 'text/plain', messages: [] })
    for (const live of ['', '&live=long-poll', '&live=sse']) {
      const { status, headers } = await ask('GET', `${LOG}?offset=-1${live}`)
      expect([status, headers['retry-after']]).toEqual([503, '1'])
    }
  })

  test('end with the store', async () => {
    const { store, door } = await open()
    const { next } = await listen(door.port, `${RECORDS}?offset=now&live=sse`)
    await next()
    await store.close()
    expect(await next()).toBeUndefined()
  })
})

describe('a cursor', () => {
  const now = Date.UTC(2026, 0, 1)
  const current = Number(cursorAt(now, undefined, () => 0))

  test('counts 20 seconds', () => {
    expect(cursorAt(now + 20_000, undefined, () => 0)).toBe(String(current + 1))
    expect(cursorAt(now + 19_999, String(current - 1), () => 0.9)).toBe(String(current))
  })

  test('is after the one that the client has, by an hour at the most', () => {
    expect(cursorAt(now, String(current), () => 0)).toBe(String(current + 1))
    expect(cursorAt(now, String(current + 5), () => 0.999)).toBe(String(current + 5 + 180))
    expect(cursorAt(now, 'x', () => 0)).toBe(String(current))
  })
})
