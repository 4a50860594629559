import { afterAll, beforeAll, expect, test } from 'vitest'
import { call } from '../support/http-client.ts'
import { type Door, openDoor } from '../support/http-door.ts'

let door: Door
beforeAll(async () => {
  door = await openDoor()
  for (const key of ['a', 'b', 'c']) await call(door.port, 'PUT', `/v1/objects/inbox/${key}`, { body: key })
  for (const key of ['a', 'b', 'c'])
    await call(door.port, 'PATCH', `/v1/attributes/inbox/${key}`, {
      body: JSON.stringify({ set: { 'user.x': 'y' } }),
      headers: { 'content-type': 'application/json' },
    })
})
afterAll(() => door.frontend.close())

const ask = (search: string, accept?: string) =>
  call(door.port, 'GET', `/v1/query?q=user.x:y${search}`, accept === undefined ? {} : { headers: { accept } })

test.each([
  ['', undefined, 'application/json; charset=utf-8'],
  ['', 'text/html, */*;q=0.1', 'application/json; charset=utf-8'],
  ['', 'text/csv', 'text/csv; charset=utf-8'],
  ['', 'application/json;q=0.5, text/*', 'text/csv; charset=utf-8'],
  ['', 'text/xml', 'application/xml; charset=utf-8'],
  ['', 'application/x-ndjson', 'application/x-ndjson; charset=utf-8'],
  ['&format=xml', 'text/csv', 'application/xml; charset=utf-8'],
])('an answer to %j with Accept %j is %s', async (search, accept, type) => {
  const { status, headers } = await ask(search, accept)
  expect([status, headers['content-type']]).toEqual([200, type])
})

test('a page says in its fields where it is true, and how it goes on', async () => {
  const { headers, body } = await ask('&format=csv&limit=2&columns=object.key,user.x')
  expect(body.toString()).toBe('object.key,user.x\r\na,y\r\nb,y\r\n')
  expect(headers).toMatchObject({ 'cenote-sequence': expect.stringMatching(/^\d+$/), 'cenote-limited': 'false' })
  const rest = await ask(`&format=csv&columns=object.key&cursor=${headers['cenote-cursor']}`)
  expect(rest.body.toString()).toBe('object.key\r\nc\r\n')
  expect(rest.headers).not.toHaveProperty('cenote-cursor')
})

test('NDJSON goes on to the end', async () => {
  const { headers, body } = await ask('&format=ndjson')
  const lines = body
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ key }) => key)).toEqual(['a', 'b', 'c', undefined])
  expect(lines.at(-1)).toMatchObject({ cursor: null })
  expect(headers).not.toHaveProperty('cenote-cursor')
})

test('facets are of attributes that are named', async () => {
  const ask = (search: string) => call(door.port, 'GET', `/v1/facets?q=${search}`)
  const { body } = await ask('&by=user.x,%20protocol&values=3')
  expect(JSON.parse(body.toString())).toMatchObject({ facets: [{ name: 'user.x' }, { name: 'protocol' }] })
  for (const search of ['', '&by=a&values=0', '&by=a&values=1001', '&by=a&strange=1'])
    expect((await ask(search)).status).toBe(400)
})

test('an explanation is JSON', async () => {
  expect(JSON.parse((await ask('&explain=true')).body.toString())).toMatchObject({ query: 'user.x:y', legs: [] })
  expect((await ask('&explain=true&format=csv')).status).toBe(400)
})

test.each([
  ['&format=pdf', undefined, 400],
  ['&columns=a', undefined, 400],
  ['&format=csv&columns=protocol', undefined, 400],
  ['&limit=0', undefined, 400],
  ['&limit=1001', undefined, 400],
  ['&explain=perhaps', undefined, 400],
  ['', 'image/png', 406],
  ['', 'application/json;q=0', 406],
])('%s with Accept %s is refused', async (search, accept, status) => {
  const answer = await ask(search, accept)
  expect(answer.status).toBe(status)
  expect(answer.headers['content-type']).toBe('application/problem+json')
})
