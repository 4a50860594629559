import { afterEach, beforeEach, expect, test } from 'vitest'
import { drop, list } from '../../../server/cli/partials.ts'
import { FakeServer, json } from './fake-server.ts'

const film = {
  application: 'camera',
  bucket: 'inbox',
  key: 'a\u0007',
  upload: '0000000000000002',
  size: 6,
  time: Date.UTC(2026, 10, 27, 9),
  prepared: 4,
}

let server: FakeServer
beforeEach(async () => {
  server = new FakeServer()
  await server.listen()
})
afterEach(() => server.close())

const asked = () => server.exchanges.map(({ method, url }) => `${method} ${url}`)

test('partials list says since when, how much, whose and what', async () => {
  const { shell, said } = server.shell()
  server.answer = json({ partials: [film], total: 3 })
  await list(shell)
  expect(said()).toBe('2026-11-27 09:00:00Z  6  camera  inbox/a\\u{7}\nand 2 more\n')
  expect(asked()).toEqual(['GET /v1/partials'])
})

test('partials drop names the application and the object', async () => {
  const { shell, said } = server.shell()
  server.answer = (response) => response.writeHead(204).end()
  await drop(shell, 'camera', 'inbox/a b')
  expect(asked()).toEqual(['DELETE /v1/partials/inbox/a%20b?application=camera'])
  expect(said()).toBe('dropped inbox/a b\n')
})
