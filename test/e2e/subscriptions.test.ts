import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { beforeAll, expect, test } from 'vitest'
import type { DeadLetter, Subscribed, SubscriptionSummary } from '../../streams/index.ts'
import { cenote, requireBuild, rootAuthorization, rootEnvironment, Server } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { type Received, WebhookReceiver } from '../support/webhook-receiver.ts'

beforeAll(requireBuild)

const webhooks = { networks: ['127.0.0.1'], backoffMsMin: 1, backoffMsMax: 10, attemptsMax: 3, noteMsMax: 10 }

interface Shown extends SubscriptionSummary {
  readonly letters: readonly DeadLetter[]
}

function start(folder: string, settings: object = webhooks): Promise<Server> {
  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ webhooks: settings }))
  return Server.start(folder, ['--config', 'cenote.json'], rootEnvironment)
}

function environment(server: Server) {
  const { CENOTE_ROOT_KEY = '', CENOTE_ROOT_SECRET = '' } = rootEnvironment
  return { CENOTE_URL: server.address('http'), CENOTE_KEY: CENOTE_ROOT_KEY, CENOTE_SECRET: CENOTE_ROOT_SECRET }
}

async function command<T>(server: Server, ...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await cenote(server.folder, [...args, '--json'], environment(server))
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout || 'null') as T
}

async function put(server: Server, key: string): Promise<number> {
  const headers = { authorization: rootAuthorization, 'content-type': 'text/plain' }
  const url = `${server.address('http')}/v1/objects/inbox/${key}`
  const response = await fetch(url, { method: 'PUT', headers, body: key })
  expect(response.status).toBe(201)
  return ((await response.json()) as { sequence: number }).sequence
}

const sequencesOf = (received: readonly Received[]) => received.map(({ body }) => JSON.parse(body).sequence as number)

test('a subscription is added, told, shown, replayed and removed from the command line', async () => {
  const receiver = await WebhookReceiver.open()
  await using server = await start(temporaryFolder())
  const add = ['subscription', 'add', receiver.url, '--query', 'object.key:a*', '--from', '0']
  const { id, secret } = await command<Subscribed>(server, ...add)
  const [first, , third] = [await put(server, 'a1'), await put(server, 'b'), await put(server, 'a2')]
  await receiver.until((received) => received.length === 2)
  expect(sequencesOf(receiver.received)).toEqual([first, third])
  const [{ headers, body } = expect.fail()] = receiver.received
  const verified = new Webhook(secret).verify(body, headers as Record<string, string>)
  expect(verified).toMatchObject({ operation: 'put', bucket: 'inbox', key: 'a1' })
  await command(server, 'subscription', 'replay', id, '--from', `${first}`)
  await receiver.until((received) => received.length === 3)
  expect(sequencesOf(receiver.received)).toEqual([first, third, third])
  expect(receiver.received[2]!.headers['webhook-id']).toBe(receiver.received[1]!.headers['webhook-id'])
  const { stdout } = await cenote(server.folder, ['subscription', 'list'], environment(server))
  expect(stdout).toContain(`${id}  `)
  const within = await cenote(server.folder, ['subscription', 'add', 'http://169.254.169.254/'], environment(server))
  expect(within.code).toBe(1)
  expect(within.stderr).toMatch(/^cenote: a webhook does not go to 169.254.169.254, which is no public address/)
  expect(await command(server, 'subscription', 'remove', id)).toEqual({ removed: id })
  expect((await cenote(server.folder, ['subscription', 'show', id], environment(server))).code).toBe(3)
})

test('a subscription is paused, led elsewhere and signed anew without losing its place', async () => {
  const receiver = await WebhookReceiver.open()
  const other = await WebhookReceiver.open()
  const folder = temporaryFolder()
  const first = await start(folder)
  const add = ['subscription', 'add', receiver.url, '--query', 'record.operation:put']
  const { id, secret } = await command<Subscribed>(first, ...add)
  const sequences = [await put(first, 'a1')]
  await receiver.until((received) => received.length === 1)
  await command(first, 'subscription', 'pause', id)
  sequences.push(await put(first, 'a2'))
  await first.stop()
  await using server = await start(folder)
  await command(server, 'subscription', 'set', id, '--url', other.url, '--query', 'object.key:a*')
  const rotated = await command<Subscribed>(server, 'subscription', 'rotate', id, '--overlap', '3600')
  expect(rotated).toMatchObject({ health: 'paused', url: other.url, query: 'object.key:a*' })
  expect((await command<Shown>(server, 'subscription', 'resume', id)).health).not.toBe('paused')
  await put(server, 'b')
  sequences.push(await put(server, 'a3'))
  await other.until((received) => received.length === 2)
  expect(sequencesOf([...receiver.received, ...other.received])).toEqual(sequences)
  for (const known of [secret, rotated.secret])
    new Webhook(known).verify(other.received[0]!.body, other.received[0]!.headers as Record<string, string>)
})

test('what a subscriber never takes is a dead letter, also after a restart, until it is replayed', async () => {
  const folder = temporaryFolder()
  const receiver = await WebhookReceiver.open((response) => response.writeHead(500).end())
  const first = await start(folder)
  const { id } = await command<Subscribed>(
    first,
    'subscription',
    'add',
    receiver.url,
    '--query',
    'record.operation:put',
  )
  const sequence = await put(first, 'a')
  await receiver.until((received) => received.length === 3)
  await first.stop()
  await using server = await start(folder)
  const shown = await command<Shown>(server, 'subscription', 'show', id)
  expect(shown.letters).toMatchObject([{ sequence, attempts: 3, reason: 'it answered 500' }])
  receiver.answer = (response) => response.writeHead(204).end()
  await command(server, 'subscription', 'replay', id, '--dead')
  await receiver.until((received) => received.length === 4)
  expect(sequencesOf(receiver.received)).toEqual(new Array(4).fill(sequence))
  await expect.poll(async () => (await command<Shown>(server, 'subscription', 'show', id)).letters).toEqual([])
  const metrics = await (await fetch(`${server.address('http')}/metrics`)).text()
  expect(metrics).toContain(`cenote_subscription_delivered_total{subscription="${id}"} 1`)
})

test('a clean stop notes how far it has come, so that nothing is told twice', async () => {
  const folder = temporaryFolder()
  const receiver = await WebhookReceiver.open()
  const first = await start(folder, { ...webhooks, noteMsMax: 86_400_000 })
  await command<Subscribed>(first, 'subscription', 'add', receiver.url, '--query', 'record.operation:put')
  await put(first, 'a')
  await receiver.until((received) => received.length === 1)
  await first.stop()
  await using server = await start(folder)
  const sequence = await put(server, 'b')
  await receiver.until((received) => sequencesOf(received).includes(sequence))
  expect(receiver.received).toHaveLength(2)
})
