import { afterAll, beforeAll, expect, test } from 'vitest'
import { callJson } from '../support/http-client.ts'
import { type Door, openDoor, readerAuthorization } from '../support/http-door.ts'

let door: Door
beforeAll(async () => {
  door = await openDoor()
})
afterAll(() => door.frontend.close())

const url = 'https://example.org/hook'

test('a secret is told once, and to no cache', async () => {
  const { status, headers, json } = await callJson(door.port, 'POST', '/v1/subscriptions', { url, query: 'a:b' })
  expect(status).toBe(201)
  expect(headers['cache-control']).toBe('no-store')
  expect(json).toMatchObject({ secret: 'whsec_AAAA', url, query: 'a:b', application: 'root' })
  const listed = await callJson(door.port, 'GET', '/v1/subscriptions')
  expect(listed.json.subscriptions).toHaveLength(1)
  expect(JSON.stringify(listed.json)).not.toContain('whsec_')
})

test('a replay is from a place, or of the dead letters', async () => {
  const { json } = await callJson(door.port, 'POST', '/v1/subscriptions', { url })
  const replay = `/v1/subscriptions/${json.id}/replay`
  for (const body of [{ after: 3 }, { deadLetters: true }])
    expect((await callJson(door.port, 'POST', replay, body)).status).toBe(200)
  expect(door.subscriptions.asked).toEqual([{ after: 3 }, { deadLetters: true }])
  for (const body of [{}, { after: 3, deadLetters: true }, { after: -1 }, { deadLetters: false }, { from: 3 }])
    expect((await callJson(door.port, 'POST', replay, body)).json).toMatchObject({ status: 400, code: 'ERR_INVALID' })
})

test('a change says what is to be otherwise', async () => {
  const { json } = await callJson(door.port, 'POST', '/v1/subscriptions', { url })
  const target = `/v1/subscriptions/${json.id}`
  door.subscriptions.asked.length = 0
  for (const body of [{ url, query: '' }, { paused: true }, { format: 's3' }])
    expect((await callJson(door.port, 'PATCH', target, body)).status).toBe(200)
  expect(door.subscriptions.asked).toEqual([{ url, query: '' }, { paused: true }, { format: 's3' }])
  for (const body of [{}, { paused: 'yes' }, { after: 3 }, { secret: 'mine' }])
    expect((await callJson(door.port, 'PATCH', target, body)).json).toMatchObject({ status: 400, code: 'ERR_INVALID' })
})

test('a new secret is told once, and to no cache; the one before is valid for a day, or as long as is said', async () => {
  const { json } = await callJson(door.port, 'POST', '/v1/subscriptions', { url })
  const target = `/v1/subscriptions/${json.id}/secret`
  door.subscriptions.asked.length = 0
  for (const body of [{}, { overlapSeconds: 0 }]) {
    const { status, headers, json } = await callJson(door.port, 'POST', target, body)
    expect([status, headers['cache-control'], json.secret]).toEqual([200, 'no-store', 'whsec_BBBB'])
  }
  expect(door.subscriptions.asked).toEqual([86_400, 0])
  for (const overlapSeconds of [-1, 1.5, 30 * 86_400 + 1, 'day'])
    expect((await callJson(door.port, 'POST', target, { overlapSeconds })).status).toBe(400)
})

test.each([
  ['PATCH', '/v1/subscriptions/none', { paused: true }, 404],
  ['POST', '/v1/subscriptions/none/secret', {}, 404],
  ['POST', '/v1/subscriptions', {}, 400],
  ['POST', '/v1/subscriptions', { url, after: 1.5 }, 400],
  ['POST', '/v1/subscriptions', { url, secret: 'mine' }, 400],
  ['POST', '/v1/subscriptions', { url: 'ftp://example.org/' }, 400],
  ['GET', '/v1/subscriptions/none', undefined, 404],
  ['GET', '/v1/subscriptions/none/dead-letters', undefined, 404],
  ['DELETE', '/v1/subscriptions/none/dead-letters', undefined, 404],
  ['POST', '/v1/subscriptions/none/replay', { after: 0 }, 404],
  ['DELETE', '/v1/subscriptions/none', undefined, 404],
  ['PUT', '/v1/subscriptions/none', undefined, 405],
])('%s %s with %o is refused', async (method, path, body, status) => {
  expect((await callJson(door.port, method, path, body)).json).toMatchObject({ status })
})

test('who may not subscribe is refused', async () => {
  for (const [method, path, body] of [
    ['GET', '/v1/subscriptions', undefined],
    ['POST', '/v1/subscriptions', { url }],
    ['DELETE', '/v1/subscriptions/SB0', undefined],
  ] as const)
    expect((await callJson(door.port, method, path, body, readerAuthorization)).status).toBe(403)
})
