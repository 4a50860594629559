import { afterEach, beforeEach, expect, test } from 'vitest'
import { create, set, show } from '../../../server/cli/bucket.ts'
import { rm } from '../../../server/cli/rm.ts'
import { hold, retain, versions } from '../../../server/cli/versions.ts'
import { FakeServer, json } from './fake-server.ts'

const exit = (exit: number) => expect.objectContaining({ exit })
const settings = { bucket: 'inbox', versioning: 'enabled', expiry: { currentDays: 9, noncurrentDays: 3 } }

let server: FakeServer
beforeEach(async () => {
  server = new FakeServer()
  await server.listen()
  server.answer = json(settings)
})
afterEach(() => server.close())

const asked = () => server.exchanges.map(({ method, url, body }) => `${method} ${url} ${body}`.trim())

test('bucket set sends what is named; of two expiries the other one stays', async () => {
  const { shell } = server.shell()
  await set(shell, 'inbox', { versioning: 'suspended', retentionDays: '7' })
  await set(shell, 'inbox', { expireDays: 'none', retentionDays: 'none' })
  expect(asked()).toEqual([
    'PATCH /v1/buckets/inbox {"versioning":"suspended","retention":{"days":7}}',
    'GET /v1/buckets/inbox',
    'PATCH /v1/buckets/inbox {"retention":null,"expiry":{"noncurrentDays":3}}',
  ])
})

test('bucket show says what is kept, and bucket create refuses one that is there', async () => {
  const { shell, said } = server.shell()
  await show(shell, 'inbox')
  expect(said()).toMatch(/versioning +enabled\nretention +none\nexpiry +9 days\n/)
  await expect(create(shell, 'inbox', {})).rejects.toEqual(exit(1))
})

test.each([
  [{ versioning: 'on' }],
  [{ retentionDays: '0' }],
  [{ expireDays: '1.5' }],
  [{ expireNoncurrentDays: 'never' }],
  [{}],
])('bucket set refuses %j before it asks', async (options) => {
  await expect(set(server.shell().shell, 'inbox', options)).rejects.toEqual(exit(2))
  expect(asked().filter((line) => line.startsWith('PATCH'))).toEqual([])
})

test('retain, hold and rm name one version, in one way', async () => {
  const { shell } = server.shell()
  server.answer = (response) => response.writeHead(204).end()
  await retain(shell, 'inbox/a b', { until: '2030-01-01', version: '0000000000000004' })
  await hold(shell, 'inbox/a', 'off', undefined)
  await rm(shell, ['inbox/a'], { version: '0000000000000004' })
  expect(asked()).toEqual([
    'PATCH /v1/retention/inbox/a%20b {"until":"2030-01-01","version":"0000000000000004"}',
    'PATCH /v1/retention/inbox/a {"hold":false}',
    'DELETE /v1/objects/inbox/a?version=0000000000000004',
  ])
  for (const act of [
    () => retain(shell, 'inbox/a', {}),
    () => retain(shell, 'inbox/a', { until: '2030-01-01', days: 1 }),
    () => hold(shell, 'inbox/a', 'yes', undefined),
    () => rm(shell, ['inbox/a', 'inbox/b'], { version: '0000000000000004' }),
    () => rm(shell, ['inbox/a'], { version: '0000000000000004', versions: 'all' }),
    () => rm(shell, ['inbox/a'], { versions: 'some' }),
  ])
    await expect(act()).rejects.toEqual(exit(2))
})

test('rm of all versions goes page by page, tells of each, and ends with 1 when one is kept', async () => {
  const { shell, said } = server.shell()
  const version = (id: string, key = 'a') => ({ state: 'noncurrent', version: `00000000000000${id}`, key })
  server.answer = (response, exchange) => {
    const { method, url, body } = exchange
    const page = url.includes('cursor')
      ? { versions: [version('04'), version('05', 'ab')], next: 'yet more' }
      : { versions: [version('07')], next: 'more' }
    if (method === 'GET') return json(page)(response, exchange)
    const { versions } = JSON.parse(String(body)) as { versions: { key: string; version: string }[] }
    const refused = { outcome: 'refused', code: 'ERR_LOCKED', detail: 'inbox/a is under legal hold' }
    const removals = versions.map((one) => ({
      ...one,
      ...(one.version.endsWith('4') ? refused : { outcome: 'removed' }),
    }))
    json({ bucket: 'inbox', removals })(response, exchange)
  }
  await expect(rm(shell, ['inbox/a'], { versions: 'all' })).rejects.toEqual(exit(1))
  expect(asked()).toEqual([
    'GET /v1/versions/inbox?prefix=a&limit=1000',
    'POST /v1/versions/inbox/remove {"versions":[{"key":"a","version":"0000000000000007"}]}',
    'GET /v1/versions/inbox?prefix=a&cursor=more&limit=1000',
    'POST /v1/versions/inbox/remove {"versions":[{"key":"a","version":"0000000000000004"}]}',
  ])
  expect(said()).toBe(
    'removed version 0000000000000007 of inbox/a\nkept version 0000000000000004 of inbox/a: inbox/a is under legal hold\n',
  )
  server.answer = json({ versions: [] })
  await expect(rm(shell, ['inbox/a'], { versions: 'all' })).rejects.toEqual(exit(3))
})

test('versions follows the pages, and marks what is locked', async () => {
  const { shell, said } = server.shell()
  const version = { state: 'noncurrent', version: '0000000000000004', key: 'a', size: 3, time: 0, since: 1 }
  const held = { ...version, attributes: { 'retention.hold': true, 'retention.until': '2030-01-01T00:00:00.000Z' } }
  const marker = { state: 'marker', version: '0000000000000005', key: 'a', time: 0, hides: 1 }
  server.answer = (response, exchange) =>
    json(exchange.url.includes('cursor=more') ? { versions: [held] } : { versions: [marker], next: 'more' })(
      response,
      exchange,
    )
  await versions(shell, 'inbox/a')
  expect(asked()).toEqual([
    'GET /v1/versions/inbox?prefix=a&limit=1000',
    'GET /v1/versions/inbox?prefix=a&cursor=more&limit=1000',
  ])
  expect(said()).toBe(
    '0000000000000005  marker             0 B  1970-01-01 00:00:00Z  a\n' +
      '0000000000000004  noncurrent         3 B  1970-01-01 00:00:00Z  a  ' +
      'retained until 2030-01-01T00:00:00.000Z  held\n',
  )
})
