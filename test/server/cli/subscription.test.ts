import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  add,
  change,
  discard,
  list,
  pause,
  remove,
  replay,
  resume,
  rotate,
  show,
} from '../../../server/cli/subscription.ts'
import type { SubscriptionSummary } from '../../../streams/index.ts'
import { FakeServer, json } from './fake-server.ts'

let server: FakeServer
beforeEach(async () => {
  server = new FakeServer()
  await server.listen()
})
afterEach(() => server.close())

const summary: SubscriptionSummary = {
  id: 'SBA',
  application: 'ann',
  url: 'https://example.org/',
  query: '',
  format: 'json',
  created: 1_700_000_000_000,
  health: 'failing',
  after: 41,
  lag: 3,
  delivered: 12,
  failed: 4,
  deadLetters: 1,
  lastDelivery: 1_700_000_001_000,
  lastFailure: { time: 1_700_000_002_000, reason: 'it answered 500\u001b[2J' },
  retiringSecrets: [],
}
const asked = () => {
  const [{ method, url, body } = expect.fail()] = server.exchanges.splice(0)
  return [`${method} ${url}`, body.length > 0 ? JSON.parse(String(body)) : undefined]
}

test('add tells the secret, and asks for what was said', async () => {
  server.answer = json({ ...summary, secret: 'whsec_AAAA' }, 201)
  const { shell, said } = server.shell()
  await add(shell, 'https://example.org/', { query: 'a:b', format: 's3', from: 0 })
  expect(asked()).toEqual([
    'POST /v1/subscriptions',
    { url: 'https://example.org/', query: 'a:b', format: 's3', after: 0 },
  ])
  expect(said()).toContain('whsec_AAAA   (shown this once)')
  await add(shell, 'https://example.org/', {})
  expect(asked()[1]).toEqual({ url: 'https://example.org/' })
})

test('list has a line for each, and no control character', async () => {
  server.answer = json({ subscriptions: [{ ...summary, query: 'a:\u0007' }] })
  const { shell, said } = server.shell()
  await list(shell)
  expect(said().split('\n')).toEqual([
    'ID   HEALTH   LAG  DEAD  URL                   QUERY',
    'SBA  failing  3    1     https://example.org/  a:\\u{7}',
    '',
  ])
})

test('show tells the dead letters, too', async () => {
  server.answer = (response, { url }) => {
    const deadLetters = [{ sequence: 7, attempts: 20, time: 1_700_000_000_000, reason: 'it answered 503' }]
    response.end(JSON.stringify(url.endsWith('dead-letters') ? { deadLetters } : summary))
  }
  const { shell, said } = server.shell()
  await show(shell, 'SBA')
  const text = said()
  expect(text).toContain('record 41, 3 behind the end of the stream')
  expect(text).toContain('2023-11-14 22:13:22Z  it answered 500\\u{1b}[2J')
  expect(text).toContain('  record 7  20 attempts, the last 2023-11-14 22:13:20Z: it answered 503\n')
})

test('set, pause and resume ask for what is to be otherwise, and nothing else', async () => {
  server.answer = json(summary)
  const { shell } = server.shell()
  await change(shell, 'SBA', { url: 'https://example.org/new', query: '' })
  expect(asked()).toEqual(['PATCH /v1/subscriptions/SBA', { url: 'https://example.org/new', query: '' }])
  await change(shell, 'SBA', { format: 'xml' })
  expect(asked()[1]).toEqual({ format: 'xml' })
  await pause(shell, 'SBA')
  expect(asked()).toEqual(['PATCH /v1/subscriptions/SBA', { paused: true }])
  await resume(shell, 'SBA')
  expect(asked()[1]).toEqual({ paused: false })
  await expect(change(shell, 'SBA', {})).rejects.toMatchObject({ exit: 2 })
})

test('rotate tells the secret, and until when others sign', async () => {
  server.answer = json({ ...summary, secret: 'whsec_BBBB', retiringSecrets: [1_700_000_000_000] })
  const { shell, said } = server.shell()
  await rotate(shell, 'SBA', 60)
  expect(asked()).toEqual(['POST /v1/subscriptions/SBA/secret', { overlapSeconds: 60 }])
  await rotate(shell, 'SBA', undefined)
  expect(asked()[1]).toEqual({})
  const text = said()
  expect(text).toContain('whsec_BBBB   (shown this once)')
  expect(text).toContain('sign, too, until 2023-11-14 22:13:20Z')
})

describe('replay', () => {
  test('asks for a place or for the dead letters', async () => {
    server.answer = json(summary)
    await replay(server.shell().shell, 'SBA', { from: 0 })
    expect(asked()).toEqual(['POST /v1/subscriptions/SBA/replay', { after: 0 }])
    await replay(server.shell().shell, 'SBA', { dead: true })
    expect(asked()).toEqual(['POST /v1/subscriptions/SBA/replay', { deadLetters: true }])
  })

  test('is told one of them', async () => {
    for (const options of [{}, { from: 1, dead: true }])
      await expect(replay(server.shell().shell, 'SBA', options)).rejects.toMatchObject({ exit: 2 })
    expect(server.exchanges).toEqual([])
  })
})

test('discard and remove say what is gone', async () => {
  server.answer = json({ discarded: 3 })
  const { shell, said } = server.shell()
  await discard(shell, 'SBA')
  expect(asked()[0]).toBe('DELETE /v1/subscriptions/SBA/dead-letters')
  server.answer = (response) => response.writeHead(204).end()
  await remove(shell, 'SBA')
  expect(asked()[0]).toBe('DELETE /v1/subscriptions/SBA')
  expect(said()).toBe('forgot 3 dead letters\nremoved SBA\n')
})
