import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { call, RawClient } from '../support/http-client.ts'
import { type Door, openDoor } from '../support/http-door.ts'

/** Keys as they stand in a URL, and what they are. Over real sockets, because clients and routers normalise. */
const table: readonly (readonly [path: string, key: string])[] = [
  ['a.txt', 'a.txt'],
  ['a/b/c', 'a/b/c'],
  ['a/../b', 'a/../b'],
  ['../../etc/passwd', '../../etc/passwd'],
  ['..', '..'],
  ['.', '.'],
  ['./a', './a'],
  ['%2e%2e/a', '../a'],
  ['a//b', 'a//b'],
  ['/a', '/a'],
  ['//', '//'],
  ['a/', 'a/'],
  ['a//', 'a//'],
  ['a%2Fb', 'a/b'],
  ['%2F', '/'],
  ['a+b', 'a+b'],
  ['a%20b', 'a b'],
  ['a%2Bb', 'a+b'],
  ['100%25', '100%'],
  ['%2525', '%25'],
  ['%252F', '%2F'],
  ['a%3Fb%23c', 'a?b#c'],
  ['a;b=c,d:e@f&g$h!i', 'a;b=c,d:e@f&g$h!i'],
  ["(a)*'~_-.", "(a)*'~_-."],
  ['%00', '\0'],
  ['%0D%0Aa', '\r\na'],
  ['%C3%A4', 'ä'],
  ['%F0%9F%92%A7', '💧'],
  ['e%CC%81', 'e\u0301'],
  ['%C3%A9', '\u00e9'],
  ['%5C%5Ca', '\\\\a'],
  ['__proto__', '__proto__'],
  ['a[0]{b}|c^`"<>', 'a[0]{b}|c^`"<>'],
  ['k'.repeat(1024), 'k'.repeat(1024)],
  ['%C3%A4'.repeat(512), 'ä'.repeat(512)],
]

const refused: readonly (readonly [path: string, reason: RegExp])[] = [
  ['%', /url|percent/],
  ['%zz', /url|percent/],
  ['%4', /url|percent/],
  ['a%', /url|percent/],
  ['%FF', /url|percent/],
  ['%C3', /url|percent/],
  ['%C0%AF', /url|percent/],
  ['%ED%A0%80', /url|percent/],
  ['a?b', /query/],
  ['a?version=1', /query/],
  ['k'.repeat(1025), /1 to 1024 bytes/],
  ['%C3%A4'.repeat(513), /1 to 1024 bytes/],
  ['', /1 to 1024 bytes/],
]

let door: Door
beforeAll(async () => {
  door = await openDoor()
})
afterAll(() => door.frontend.close())

describe('a key', () => {
  test.each(table)('%j', async (path, key) => {
    const url = `/v1/objects/inbox/${path}`
    const put = await call(door.port, 'PUT', url, { body: key })
    expect(put.status).toBe(201)
    expect(JSON.parse(put.body.toString())).toMatchObject({ bucket: 'inbox', key })
    expect(door.store.bytesOf('inbox', key)).toEqual(Buffer.from(key))
    expect((await call(door.port, 'GET', url)).body.toString()).toBe(key)
    const stream = await call(door.port, 'GET', `/v1/attributes/inbox/${path}`)
    expect(JSON.parse(stream.body.toString())).toMatchObject({ key })
    expect((await call(door.port, 'DELETE', url)).status).toBe(204)
    expect(door.store.bytesOf('inbox', key)).toBeUndefined()
  })

  test.each(refused)('%j is refused', async (path, reason) => {
    const put = await call(door.port, 'PUT', `/v1/objects/inbox/${path}`, { body: 'x' })
    expect(put.status).toBe(400)
    expect(JSON.parse(put.body.toString())).toMatchObject({
      code: 'ERR_INVALID',
      detail: expect.stringMatching(reason),
    })
    expect(door.store.size).toBe(0)
  })

  test('is refused when its bytes are not percent-encoded', async () => {
    using client = await RawClient.connect(door.port)
    client.request('PUT /v1/objects/inbox/\xc3\xa4', ['Content-Length: 1'], 'x')
    expect((await client.answer()).status).toBe(400)
    expect(door.store.size).toBe(0)
  })

  test('may follow an absolute URL', async () => {
    const put = await call(door.port, 'PUT', 'http://cenote.example/v1/objects/inbox/a/../b', { body: 'x' })
    expect(JSON.parse(put.body.toString())).toMatchObject({ key: 'a/../b' })
    await call(door.port, 'DELETE', '/v1/objects/inbox/a/../b')
  })

  test('survives whatever it is', async () => {
    const key = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 })
    await fc.assert(
      fc.asyncProperty(key, async (key) => {
        const path = key.split('/').map(encodeURIComponent).join('/')
        const put = await call(door.port, 'PUT', `/v1/objects/inbox/${path}`, { body: 'x' })
        expect(JSON.parse(put.body.toString())).toMatchObject({ key })
      }),
      { numRuns: 60 },
    )
  })
})
