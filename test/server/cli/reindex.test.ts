import { afterEach, beforeEach, expect, test } from 'vitest'
import { reindex } from '../../../server/cli/reindex.ts'
import { FakeServer } from './fake-server.ts'

let server: FakeServer
beforeEach(async () => {
  server = new FakeServer()
  await server.listen()
})
afterEach(() => server.close())

test('reindex asks once, and looks until the index is whole', async () => {
  const steps = ['clearing', 'building', 'whole'].map((phase, at) => ({ phase, built: 20 * at, objects: 40 }))
  server.answer = (response, { method }) => {
    response.writeHead(method === 'POST' ? 202 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(steps.shift()))
  }
  const { shell, said } = server.shell()
  await reindex(shell, async () => {})
  expect(server.exchanges.map(({ method, url }) => `${method} ${url}`)).toEqual([
    'POST /v1/index',
    'GET /v1/index',
    'GET /v1/index',
  ])
  expect(said()).toBe('the index is made anew: 40 objects\n')
})
