import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { StoreError } from '../../streams/index.ts'
import { call, callJson } from '../support/http-client.ts'
import { type Door, openDoor, readerAuthorization } from '../support/http-door.ts'

let door: Door
beforeAll(async () => {
  door = await openDoor()
  for (const key of ['a', 'b/1', 'b/2', 'c']) {
    await call(door.port, 'PUT', `/v1/objects/inbox/${key}`, { body: key, headers: { 'x-cenote-user-name': key } })
  }
})
afterAll(() => door.frontend.close())

const get = (path: string) => callJson(door.port, 'GET', path)
const keysOf = (json: { objects: { key: string }[] }): string[] => json.objects.map(({ key }) => key)

describe('a listing', () => {
  test('holds the objects of a bucket', async () => {
    const { status, headers, json } = await get('/v1/objects/inbox')
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'x-content-type-options': 'nosniff',
    })
    expect(json).toEqual({ bucket: 'inbox', objects: expect.any(Array), prefixes: [] })
    expect(keysOf(json)).toEqual(['a', 'b/1', 'b/2', 'c'])
    expect(json.objects[0]).toMatchObject({ size: 1, time: expect.any(Number), attributes: { 'user.name': 'a' } })
  })

  test('goes by prefix, delimiter and page', async () => {
    const first = (await get('/v1/objects/inbox?delimiter=/&limit=2')).json
    expect([keysOf(first), first.prefixes, first.next]).toEqual([['a'], ['b/'], 'b/'])
    const second = (await get(`/v1/objects/inbox?delimiter=%2F&limit=2&after=${encodeURIComponent(first.next)}`)).json
    expect([keysOf(second), second.prefixes, second.next]).toEqual([['c'], [], undefined])
    expect(keysOf((await get('/v1/objects/inbox?prefix=b/')).json)).toEqual(['b/1', 'b/2'])
  })

  test.each(['limit=0', 'limit=1001', 'limit=1.5', 'limit=x', 'limt=1', 'prefix=a&prefix=b', 'delimiter='])(
    'refuses ?%s',
    async (query) => {
      const { status, json } = await get(`/v1/objects/inbox?${query}`)
      expect([status, json.code]).toEqual([400, 'ERR_INVALID'])
      expect(json.detail).toMatch(/^querystring.* must/)
      expect(json.detail).not.toContain('false')
    },
  )

  test('of a bucket that is none', async () => {
    expect((await get('/v1/objects/nowhere')).status).toBe(404)
  })
})

test('buckets are created and listed', async () => {
  expect((await callJson(door.port, 'PUT', '/v1/buckets/photos')).status).toBe(201)
  expect(await callJson(door.port, 'PUT', '/v1/buckets/photos')).toMatchObject({
    status: 200,
    json: { bucket: 'photos' },
  })
  expect((await get('/v1/buckets')).json).toEqual({ buckets: ['inbox', 'photos'] })
  expect((await callJson(door.port, 'PUT', '/v1/buckets/No')).status).toBe(400)
  expect((await callJson(door.port, 'PUT', '/v1/buckets/mine', undefined, readerAuthorization)).status).toBe(403)
})

test('an attribute stream tells what happened to an object, in order', async () => {
  const path = '/v1/attributes/inbox/story'
  await call(door.port, 'PUT', '/v1/objects/inbox/story', { body: 'x' })
  const set = { 'user.rating': 5, 'user.good': true, 'user.tags': ['a', 'b'], 'user.note': 'ä' }
  expect((await callJson(door.port, 'PATCH', path, { set })).status).toBe(204)
  expect((await callJson(door.port, 'PATCH', path, { set: {}, unset: ['user.note'] })).status).toBe(204)
  const names = { from: { bucket: 'inbox', key: 'story' }, to: { bucket: 'inbox', key: 'a/../story' } }
  expect((await callJson(door.port, 'POST', '/v1/rename', names)).status).toBe(204)
  expect((await callJson(door.port, 'POST', '/v1/rename', names)).status).toBe(404)
  expect((await get(path)).status).toBe(404)
  const { status, json } = await get('/v1/attributes/inbox/a/../story')
  expect(status).toBe(200)
  expect(json).toMatchObject({ object: expect.stringMatching(/^\d{16}$/), bucket: 'inbox', key: 'a/../story' })
  expect(json.records.map(({ operation }: { operation: string }) => operation)).toEqual([
    'put',
    'attributes',
    'attributes',
    'rename',
  ])
  expect(json.records[1].set).toEqual(set)
  const { 'user.note': _, ...kept } = set
  expect((await get('/v1/objects/inbox?prefix=a/')).json.objects[0].attributes).toEqual(kept)
})

test.each([
  [{}],
  [{ set: { 'content.type': 'text/html' } }],
  [{ set: { user: 'x' } }],
  [{ set: { 'user.': 'x' } }],
  [{ set: { 'user.a': null } }],
  [{ set: { 'user.a': { b: 1 } } }],
  [{ set: { 'user.a': [1] } }],
  [{ unset: ['object.size'] }],
  [{ unset: 'user.a' }],
  [{ set: {}, remove: [] }],
])('attributes that a user may not say are refused: %j', async (change) => {
  const before = door.store.records.length
  const { status, json } = await callJson(door.port, 'PATCH', '/v1/attributes/inbox/a', change)
  expect([status, json.code]).toEqual([400, 'ERR_INVALID'])
  expect(door.store.records).toHaveLength(before)
})

describe('a query', () => {
  test('is answered page by page', async () => {
    const first = await get('/v1/query?q=user.name:b*&limit=1')
    expect(first.status).toBe(200)
    expect(Object.keys(first.json)).toEqual(['sequence', 'objects', 'cursor', 'limited'])
    expect(keysOf(first.json)).toEqual(['b/1'])
    const second = await get(`/v1/query?q=user.name:b*&limit=1&cursor=${first.json.cursor}`)
    expect([keysOf(second.json), second.json.cursor]).toEqual([['b/2'], null])
    expect(second.json.objects[0]).toMatchObject({ bucket: 'inbox', size: 3, attributes: { 'user.name': 'b/2' } })
  })

  test.each(['', 'q=', 'q=nonsense', 'q=a:b&limit=0', 'q=a:b&cursor=other', 'q=a:b&page=2'])(
    '?%s is refused',
    async (query) => {
      const { status, json } = await get(`/v1/query?${query}`)
      expect([status, json.code]).toEqual([400, 'ERR_INVALID'])
    },
  )
})

test('applications are added, listed and removed by who may', async () => {
  const request = { id: 'camera', types: ['ftp'], permissions: ['object:write'] }
  const added = await callJson(door.port, 'POST', '/v1/applications', request)
  expect(added).toMatchObject({ status: 201, json: { key: 'camera', secret: 'generated' } })
  expect(added.headers['cache-control']).toBe('no-store')
  expect((await callJson(door.port, 'POST', '/v1/applications', request)).status).toBe(409)
  const chosen = { ...request, id: 'person', password: 'correct horse' }
  expect((await callJson(door.port, 'POST', '/v1/applications', chosen)).json).toEqual({ key: 'person' })
  expect((await get('/v1/applications')).json).toEqual({
    applications: [request, { id: 'person', types: ['ftp'], permissions: ['object:write'] }],
  })
  expect((await callJson(door.port, 'POST', '/v1/applications', request, readerAuthorization)).status).toBe(403)
  expect((await call(door.port, 'GET', '/v1/applications', { as: readerAuthorization })).status).toBe(403)
  for (const wrong of [
    { id: 'x' },
    { ...request, types: ['gopher'] },
    { ...request, permissions: ['all'] },
    { ...request, id: 1 },
  ])
    expect((await callJson(door.port, 'POST', '/v1/applications', wrong)).status).toBe(400)
  expect((await callJson(door.port, 'DELETE', '/v1/applications/camera')).status).toBe(204)
  expect((await callJson(door.port, 'DELETE', '/v1/applications/camera')).status).toBe(404)
})

test('a pool is scrubbed for who may', async () => {
  const request = { bytesPerSecond: 1024, resume: true }
  const report = await callJson(door.port, 'POST', '/v1/pools/main/scrub', request)
  expect(report).toMatchObject({
    status: 200,
    json: {
      finished: false,
      cursor: { stage: 'records', sequence: 2 },
      damaged: [{ subject: 'payload', length: 4096 }],
    },
  })
  expect(door.pool.asked).toEqual(request)
  expect(await get('/v1/pools/main/scrub')).toMatchObject({
    status: 200,
    json: { running: true, progress: { cursor: { stage: 'pages' }, bytesTotal: 2 }, finished: null },
  })
  expect((await call(door.port, 'DELETE', '/v1/pools/main/scrub')).status).toBe(204)
  expect(door.pool.stopped).toBe(1)
  expect((await callJson(door.port, 'POST', '/v1/pools/main/scrub', { bytesPerSecond: 0 })).status).toBe(400)
  expect((await callJson(door.port, 'POST', '/v1/pools/other/scrub', {})).status).toBe(404)
  for (const method of ['GET', 'DELETE'])
    expect((await call(door.port, method, '/v1/pools/main/scrub', { as: readerAuthorization })).status).toBe(403)
})

test('a pool is shown and checked for who may', async () => {
  expect(await get('/v1/pools/main')).toMatchObject({ status: 200, json: { state: 'open', atomicity: 'enforced' } })
  const check = await callJson(door.port, 'POST', '/v1/pools/main/check')
  expect(check).toMatchObject({
    status: 200,
    json: { records: 1, findings: [{ sequence: 1, problem: 'a bit flipped' }] },
  })
  expect((await get('/v1/pools/other')).status).toBe(404)
  expect((await callJson(door.port, 'POST', '/v1/pools/other/check')).status).toBe(404)
  expect((await call(door.port, 'GET', '/v1/pools/main', { as: readerAuthorization })).status).toBe(403)
})

test('a pool tells what it promises, and changes its members, for who may', async () => {
  const whole = await get('/v1/pools/main/atomicity')
  expect(whole).toMatchObject({
    status: 200,
    json: { enforced: true, native: { unitMax: 65_536 }, refusedOptions: [{}] },
  })
  const devices = '/v1/pools/main/devices'
  expect((await callJson(door.port, 'POST', devices, { path: '/dev/a', bytes: 9, overwrite: true })).status).toBe(201)
  expect((await callJson(door.port, 'PUT', `${devices}/3`, { path: '/dev/b' })).status).toBe(200)
  expect(door.management.asked).toEqual([{ path: '/dev/a', bytes: 9, overwrite: true }, [3, { path: '/dev/b' }]])
  const as = readerAuthorization
  expect((await call(door.port, 'GET', '/v1/pools/main/atomicity', { as })).status).toBe(403)
  expect((await callJson(door.port, 'POST', devices, { bytes: 1 }, as)).status).toBe(403)
  expect((await callJson(door.port, 'PUT', `${devices}/0`, { bytes: 1 }, as)).status).toBe(403)
  expect((await get('/v1/pools/other/atomicity')).status).toBe(404)
  for (const wrong of [{}, { path: 'relative' }, { bytes: 0 }, { bytes: 1.5 }, { size: 1 }])
    expect((await callJson(door.port, 'POST', devices, wrong)).status).toBe(400)
  for (const wrong of [{}, { path: 'relative' }, { size: 1 }])
    expect((await callJson(door.port, 'PUT', `${devices}/1`, wrong)).status).toBe(400)
  expect((await call(door.port, 'PUT', `${devices}/1`, { body: 'no JSON' })).status).toBe(400)
  for (const index of ['x', '-1', '1.5'])
    expect((await callJson(door.port, 'PUT', `${devices}/${index}`, { bytes: 1 })).status).toBe(400)
})

describe('operations', () => {
  test('health and readiness need no credentials', async () => {
    await using other = await openDoor()
    const probe = async (path: string) => (await call(other.port, 'GET', path, { as: null })).status
    expect([await probe('/healthz'), await probe('/readyz')]).toEqual([200, 200])
    for (const state of ['halted', 'closed'] as const) {
      other.pool.state = state
      expect([await probe('/healthz'), await probe('/readyz')]).toEqual([200, 503])
    }
  })

  test('figures count requests by route and status, and uploads', async () => {
    const registry = new Registry()
    await using other = await openDoor({ registry })
    await call(other.port, 'PUT', '/v1/objects/inbox/secret-name', { body: 'four' })
    other.store.fail('begin', new StoreError('ERR_BUSY', 'no'))
    await call(other.port, 'PUT', '/v1/objects/inbox/b', { body: 'x' })
    await call(other.port, 'GET', '/nowhere')
    const { status, headers, body } = await call(other.port, 'GET', '/metrics', { as: null })
    expect(status).toBe(200)
    expect(headers['content-type']).toBe(registry.contentType)
    const text = body.toString()
    const route = 'route="/v1/objects/:bucket/*"'
    expect(text).toContain(`cenote_http_requests_total{method="PUT",${route},status="201"} 1`)
    expect(text).toContain(`cenote_http_requests_total{method="PUT",${route},status="503"} 1`)
    expect(text).toContain('cenote_http_requests_total{method="GET",route="",status="404"} 1')
    expect(text).toContain('cenote_http_upload_bytes_total 4')
    expect(text).toContain('cenote_http_upload_seconds_count 1')
    expect(text).toContain('cenote_http_requests_in_flight 1')
    expect(text).not.toContain('secret-name')
  })

  test('figures need pool:inspect where others can reach the door', async () => {
    await using other = await openDoor({ host: '0.0.0.0' })
    const statusAs = async (as: string | null) => (await call(other.port, 'GET', '/metrics', { as })).status
    expect(await statusAs(null)).toBe(401)
    expect(await statusAs(readerAuthorization)).toBe(403)
    expect((await call(other.port, 'GET', '/metrics')).status).toBe(200)
  })
})
