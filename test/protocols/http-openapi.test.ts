import Schema from 'typebox/schema'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { call } from '../support/http-client.ts'
import { type Door, openDoor } from '../support/http-door.ts'

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: { readonly [type: string]: object } }
  readonly responses: {
    readonly [status: string]: { readonly content?: { readonly [type: string]: { schema: object } } }
  }
}
interface Document {
  readonly openapi: string
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } }
}

/** Every route there is, with a request that it takes, in an order in which each succeeds. */
const routes: [method: string, path: string, target: string, status: number, body?: string | object][] = [
  ['get', '/healthz', '/healthz', 200],
  ['get', '/readyz', '/readyz', 200],
  ['get', '/metrics', '/metrics', 200],
  ['get', '/openapi.json', '/openapi.json', 200],
  ['put', '/v1/buckets/{bucket}', '/v1/buckets/photos', 201],
  ['get', '/v1/buckets', '/v1/buckets', 200],
  ['get', '/v1/buckets/{bucket}', '/v1/buckets/photos', 200],
  ['patch', '/v1/buckets/{bucket}', '/v1/buckets/photos', 200, { versioning: 'enabled', expiry: null }],
  ['get', '/v1/versions/{bucket}', '/v1/versions/inbox?prefix=a&limit=3', 200],
  [
    'post',
    '/v1/versions/{bucket}/remove',
    '/v1/versions/inbox/remove',
    200,
    { versions: [{ key: 'a', version: '0000000000000004' }, { key: 'locked' }] },
  ],
  ['patch', '/v1/retention/{bucket}/{key}', '/v1/retention/inbox/a', 204, { until: '2030-01-01', hold: true }],
  ['get', '/v1/quarantine', '/v1/quarantine?limit=3', 200],
  ['patch', '/v1/quarantine/{bucket}/{key}', '/v1/quarantine/inbox/a', 204, { action: 'release' }],
  ['get', '/v1/partials', '/v1/partials?limit=3', 200],
  ['delete', '/v1/partials/{bucket}/{key}', '/v1/partials/inbox/a?application=camera', 204],
  ['put', '/v1/objects/{bucket}/{key}', '/v1/objects/inbox/a', 201, 'bytes'],
  ['get', '/v1/objects/{bucket}/{key}', '/v1/objects/inbox/a', 200],
  ['head', '/v1/objects/{bucket}/{key}', '/v1/objects/inbox/a', 200],
  ['get', '/v1/objects/{bucket}', '/v1/objects/inbox?limit=1', 200],
  ['patch', '/v1/attributes/{bucket}/{key}', '/v1/attributes/inbox/a', 204, { set: { 'user.a': 1 } }],
  ['get', '/v1/attributes/{bucket}/{key}', '/v1/attributes/inbox/a', 200],
  ['get', '/v1/streams/records', '/v1/streams/records?offset=-1', 200],
  ['head', '/v1/streams/records', '/v1/streams/records', 200],
  ['get', '/v1/streams/records/{bucket}/{key}', '/v1/streams/records/inbox/a', 200],
  ['head', '/v1/streams/records/{bucket}/{key}', '/v1/streams/records/inbox/a', 200],
  ['post', '/v1/streams/records/{bucket}/{key}', '/v1/streams/records/inbox/a', 204, '{"set":{"user.a":2}}'],
  ['put', '/v1/streams/messages/{bucket}/{key}', '/v1/streams/messages/inbox/log', 201, '1'],
  ['post', '/v1/streams/messages/{bucket}/{key}', '/v1/streams/messages/inbox/log', 204, '2'],
  ['get', '/v1/streams/messages/{bucket}/{key}', '/v1/streams/messages/inbox/log', 200],
  ['head', '/v1/streams/messages/{bucket}/{key}', '/v1/streams/messages/inbox/log', 200],
  ['delete', '/v1/streams/messages/{bucket}/{key}', '/v1/streams/messages/inbox/log', 204],
  ['get', '/v1/query', '/v1/query?q=user.a:1', 200],
  ['get', '/v1/facets', '/v1/facets?q=&by=user.a,protocol', 200],
  ['get', '/v1/index', '/v1/index', 200],
  ['post', '/v1/index', '/v1/index', 202],
  ['post', '/v1/rename', '/v1/rename', 204, { from: { bucket: 'inbox', key: 'a' }, to: { bucket: 'inbox', key: 'b' } }],
  ['delete', '/v1/objects/{bucket}/{key}', '/v1/objects/inbox/b', 204],
  ['get', '/v1/keys', '/v1/keys', 200],
  ['post', '/v1/keys', '/v1/keys', 201],
  ['get', '/v1/verify', '/v1/verify?bucket=inbox', 200],
  ['get', '/v1/evidence/{bucket}/{key}', '/v1/evidence/inbox/a', 200],
  ['post', '/v1/applications', '/v1/applications', 201, { id: 'a', types: ['http'], permissions: ['object:read'] }],
  ['get', '/v1/applications', '/v1/applications', 200],
  ['get', '/v1/applications/{id}', '/v1/applications/a', 200],
  ['patch', '/v1/applications/{id}', '/v1/applications/a', 200, { policy: { quotaBytes: 10, names: ['*.pdf'] } }],
  ['delete', '/v1/applications/{id}', '/v1/applications/a', 204],
  [
    'post',
    '/v1/mail-routes',
    '/v1/mail-routes',
    201,
    { address: '*@example.org', bucket: 'inbox', application: 'partner', senders: ['*'], parts: true },
  ],
  ['get', '/v1/mail-routes', '/v1/mail-routes', 200],
  ['get', '/v1/mail-routes/{address}', '/v1/mail-routes/*@example.org', 200],
  ['patch', '/v1/mail-routes/{address}', '/v1/mail-routes/%2A%40example.org', 200, { parts: null, prefix: 'a/' }],
  ['delete', '/v1/mail-routes/{address}', '/v1/mail-routes/*@example.org', 204],
  ['post', '/v1/subscriptions', '/v1/subscriptions', 201, { url: 'https://example.org/', after: 0 }],
  ['get', '/v1/subscriptions', '/v1/subscriptions', 200],
  ['get', '/v1/subscriptions/{id}', '/v1/subscriptions/SB0', 200],
  ['get', '/v1/subscriptions/{id}/dead-letters', '/v1/subscriptions/SB0/dead-letters', 200],
  ['delete', '/v1/subscriptions/{id}/dead-letters', '/v1/subscriptions/SB0/dead-letters', 200],
  ['patch', '/v1/subscriptions/{id}', '/v1/subscriptions/SB0', 200, { query: '', paused: true }],
  ['post', '/v1/subscriptions/{id}/secret', '/v1/subscriptions/SB0/secret', 200, { overlapSeconds: 60 }],
  ['post', '/v1/subscriptions/{id}/replay', '/v1/subscriptions/SB0/replay', 200, { after: 0 }],
  ['delete', '/v1/subscriptions/{id}', '/v1/subscriptions/SB0', 204],
  ['get', '/v1/pools/{pool}', '/v1/pools/main', 200],
  ['post', '/v1/pools/{pool}/check', '/v1/pools/main/check', 200],
  ['post', '/v1/pools/{pool}/scrub', '/v1/pools/main/scrub', 200, { resume: true }],
  ['get', '/v1/pools/{pool}/scrub', '/v1/pools/main/scrub', 200],
  ['delete', '/v1/pools/{pool}/scrub', '/v1/pools/main/scrub', 204],
  ['get', '/v1/pools/{pool}/atomicity', '/v1/pools/main/atomicity', 200],
  ['post', '/v1/pools/{pool}/devices', '/v1/pools/main/devices', 201, { bytes: 1 }],
  ['put', '/v1/pools/{pool}/devices/{index}', '/v1/pools/main/devices/1', 200, { path: '/dev/sdz' }],
]

let door: Door
let document: Document
beforeAll(async () => {
  door = await openDoor()
  document = JSON.parse((await call(door.port, 'GET', '/openapi.json', { as: null })).body.toString())
})
afterAll(() => door.frontend.close())

test('the document lists every route', () => {
  expect(document.openapi).toBe('3.1.0')
  const listed = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  )
  expect(listed.sort()).toEqual(routes.map(([method, path]) => `${method} ${path}`).sort())
})

test.each(routes)('%s %s answers as it says', async (method, path, target, status, body) => {
  const operation = document.paths[path]![method]!
  const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
  expect(parameters.map(({ name }) => name).sort()).toEqual(named.sort())
  const isJson = typeof body === 'object'
  expect(Object.keys(operation.requestBody?.content ?? {})).toEqual(body ? [isJson ? 'application/json' : '*/*'] : [])
  const content = isJson
    ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    : body
      ? { body, headers: { 'content-type': 'application/json' } }
      : {}
  const answer = await call(door.port, method.toUpperCase(), target, content)
  expect(answer.status).toBe(status)
  const said = operation.responses[status]?.content ?? {}
  const schema = said['application/json']?.schema
  if (schema) expect(Schema.Check(schema, JSON.parse(answer.body.toString()))).toBe(true)
  else if (answer.body.length > 0)
    expect(Object.keys(said)[0]).toMatch(/^\*\/\*$|^text\/plain|^application\/x-(tar|ndjson)$/)
})

const queried = (method: string, path: string): readonly string[] =>
  (document.paths[path]![method]!.parameters ?? []).flatMap((one) => (one.in === 'query' ? [one.name] : [])).sort()

/** A handler that asks for a parameter otherwise than through its schema asks URLSearchParams for it. */
test.each(routes.filter(([method, path]) => path.includes('/streams/') && /get|head/.test(method)))(
  '%s %s reads the parameters that the document lists',
  async (method, path, target) => {
    await call(door.port, 'PUT', '/v1/objects/inbox/a', { body: 'x' })
    await call(door.port, 'PUT', '/v1/streams/messages/inbox/log', { headers: { 'content-type': 'text/plain' } })
    const asked = vi.spyOn(URLSearchParams.prototype, 'getAll')
    onTestFinished(() => asked.mockRestore())
    await call(door.port, method.toUpperCase(), target)
    const names = new Set(asked.mock.calls.map(([name]) => name))
    expect([...names].sort()).toEqual(queried(method, path))
  },
)

/** What the schemas name is validated, and nothing that they do not name goes unnoticed. */
test.each(routes)('%s %s takes each parameter once, and no other one', async (method, path, target) => {
  const [bare = ''] = target.split('?')
  const names = queried(method, path)
  for (const name of names) {
    const { status } = await call(door.port, method.toUpperCase(), `${bare}?${name}=1&${name}=1`)
    expect(status, name).toBe(400)
  }
  if (names.length > 0 && !path.includes('/streams/'))
    expect((await call(door.port, method.toUpperCase(), `${target.split('?')[0]}?nope=1`)).status).toBe(400)
})

test('a refusal is the problem that the document says', async () => {
  const said = document.paths['/v1/query']!.get!.responses.default!.content!['application/problem+json']!.schema
  const { body } = await call(door.port, 'GET', '/v1/query')
  expect(Schema.Check(said, JSON.parse(body.toString()))).toBe(true)
  expect(Schema.Check(said, { status: '400' })).toBe(false)
})
