import { afterEach, beforeEach, expect, test } from 'vitest'
import { list, settle } from '../../../server/cli/quarantine.ts'
import { FakeServer, json } from './fake-server.ts'

const half = {
  bucket: 'inbox',
  key: 'a\u0007',
  version: '0000000000000002',
  size: 4,
  attributes: { 'quarantine.reason': 'half a file', 'quarantine.time': '2026-11-27T09:00:00.000Z' },
}

let server: FakeServer
beforeEach(async () => {
  server = new FakeServer()
  await server.listen()
})
afterEach(() => server.close())

const asked = () => server.exchanges.map(({ method, url, body }) => `${method} ${url} ${body}`.trim())

test('quarantine list follows the pages, and says what and why', async () => {
  const { shell, said } = server.shell()
  server.answer = (response, exchange) =>
    json({ objects: [half], cursor: exchange.url.includes('cursor') ? null : 'more' })(response, exchange)
  await list(shell)
  const line = '0000000000000002  2026-11-27T09:00:00.000Z  4  inbox/a\\u{7}  half a file\n'
  expect(said()).toBe(line + line)
  expect(asked()).toEqual(['GET /v1/quarantine?limit=1000', 'GET /v1/quarantine?limit=1000&cursor=more'])
})

test('quarantine release and drop name one version', async () => {
  const { shell, said } = server.shell()
  server.answer = (response) => response.writeHead(204).end()
  await settle(shell, 'inbox/a b', 'release', undefined)
  await settle(shell, 'inbox/a', 'drop', '0000000000000004')
  expect(asked()).toEqual([
    'PATCH /v1/quarantine/inbox/a%20b {"action":"release"}',
    'PATCH /v1/quarantine/inbox/a {"action":"drop","version":"0000000000000004"}',
  ])
  expect(said()).toBe('released inbox/a b\ndropped inbox/a\n')
})
