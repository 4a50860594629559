import { afterEach, beforeEach, expect, test } from 'vitest'
import { add, list, type RouteOptions, remove, set, show } from '../../../server/cli/mail-route.ts'
import { FakeServer, json } from './fake-server.ts'

let server: FakeServer
beforeEach(async () => {
  server = new FakeServer()
  await server.listen()
})
afterEach(() => server.close())

const route = { address: 'bills@a.example', bucket: 'inbox', application: 'partner' }
const open = { ...route, prefix: 'bills/', senders: ['example.com'], networks: ['192.0.2.0/24'], parts: true }
const asked = () => {
  const [{ method, url, body } = expect.fail()] = server.exchanges
  return [`${method} ${url}`, body.length === 0 ? undefined : JSON.parse(body.toString())]
}

test.each<[target: string, place: object]>([
  ['inbox', { bucket: 'inbox' }],
  ['inbox/', { bucket: 'inbox' }],
  ['inbox/a/b', { bucket: 'inbox', prefix: 'a/b/' }],
  ['inbox/a/', { bucket: 'inbox', prefix: 'a/' }],
])('adds a route to %s', async (to, place) => {
  server.answer = json(route, 201)
  const { shell, said } = server.shell()
  await add(shell, 'bills@a.example', { to, application: 'partner', senders: 'example.com, *.b.example' })
  const body = { address: 'bills@a.example', ...place, application: 'partner', senders: ['example.com', '*.b.example'] }
  expect(asked()).toEqual(['POST /v1/mail-routes', body])
  expect(said()).toMatch(/^address {5}bills@a\.example\nto {10}inbox\n/)
})

test.each<[options: RouteOptions, change: object]>([
  [{ to: 'inbox' }, { bucket: 'inbox', prefix: null }],
  [
    { senders: 'none', networks: 'none', unverified: 'none', parts: 'none' },
    { senders: null, networks: null, unverified: null, parts: null },
  ],
  [
    { parts: 'on', unverified: 'quarantine' },
    { parts: true, unverified: 'quarantine' },
  ],
  [{ parts: 'off' }, { parts: false }],
])('changes what is named: %j', async (options, change) => {
  server.answer = json(open)
  await set(server.shell().shell, 'bills@a.example', options)
  expect(asked()).toEqual(['PATCH /v1/mail-routes/bills%40a.example', change])
})

test('asks for nothing where nothing is said, or what cannot be', async () => {
  const { shell } = server.shell()
  const exit = expect.objectContaining({ exit: 2 })
  await expect(set(shell, 'a@b', {})).rejects.toEqual(exit)
  await expect(set(shell, 'a@b', { parts: 'yes' })).rejects.toEqual(exit)
  expect(server.exchanges).toEqual([])
})

test('lists, shows and removes', async () => {
  server.answer = json({ routes: [open, route, { ...route, unverified: 'accept' }] })
  const { shell, said } = server.shell()
  await list(shell)
  expect(
    said()
      .split('\n')
      .map((line) => line.replaceAll(/ {2,}/g, ' | ')),
  ).toEqual([
    'ADDRESS | TO | ACTS AS | TAKES',
    'bills@a.example | inbox/bills/ | partner | logins 192.0.2.0/24 example.com (others: reject)',
    'bills@a.example | inbox | partner | logins',
    'bills@a.example | inbox | partner | logins * (others: accept)',
    '',
  ])
  server.answer = json(open)
  const one = server.shell()
  await show(one.shell, 'bills@a.example')
  expect(one.said()).toContain('parts       on\n')
  server.answer = json('', 204)
  const gone = server.shell({ json: true })
  await remove(gone.shell, 'bills@a.example')
  expect(gone.said()).toBe('{"removed":"bills@a.example"}\n')
})
