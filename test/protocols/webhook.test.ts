import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  generateWebhookSecret,
  type Resolve,
  TargetRules,
  type WebhookLimits,
  WebhookSender,
} from '../../protocols/index.ts'
import { WEBHOOK_LIMITS } from '../../protocols/webhook/sender.ts'
import { TARGET_BYTES_MAX } from '../../protocols/webhook/target.ts'
import { seededRandom } from '../support/random.ts'
import { WebhookReceiver } from '../support/webhook-receiver.ts'

const secret = generateWebhookSecret(seededRandom(7).bytes)
const message = { id: 'SB-0000000000000007', mediaType: 'application/json', body: '{"key":"grüße"}' }
const never = new AbortController().signal

interface Given {
  readonly networks?: readonly string[]
  readonly limits?: Partial<WebhookLimits>
  readonly resolve?: Resolve
}

function senderOf({ networks = ['127.0.0.0/8'], ...more }: Given = {}): WebhookSender {
  const sender = new WebhookSender({ rules: new TargetRules(networks), clock: Date, ...more })
  onTestFinished(() => sender.close())
  return sender
}

const send = (url: string, sender = senderOf(), signal = never) =>
  sender.send({ url, secrets: [secret] }, message, signal)

describe('a message', () => {
  test('is a POST that the library of Standard Webhooks verifies', async () => {
    const receiver = await WebhookReceiver.open()
    expect(await send(receiver.url)).toEqual({ kind: 'accepted' })
    const [{ method, path, headers, body } = expect.fail()] = receiver.received
    expect({ method, path, type: headers['content-type'] }).toEqual({
      method: 'POST',
      path: '/hook',
      type: 'application/json',
    })
    const verified = new Webhook(secret).verify(body, headers as Record<string, string>)
    expect(verified).toEqual({ key: 'grüße' })
    expect(headers['webhook-id']).toBe(message.id)
  })

  test('is taken by no other secret, and with no other byte', async () => {
    const receiver = await WebhookReceiver.open()
    await send(receiver.url)
    const [{ headers, body } = expect.fail()] = receiver.received
    const known = headers as Record<string, string>
    const other = generateWebhookSecret(seededRandom(8).bytes)
    expect(() => new Webhook(other).verify(body, known)).toThrow('No matching signature')
    expect(() => new Webhook(secret).verify(`${body} `, known)).toThrow('No matching signature')
    expect(() => new Webhook(secret).verify(body, { ...known, 'webhook-id': 'x' })).toThrow('No matching signature')
  })

  test('is signed with each secret that is valid, the newest first', async () => {
    const receiver = await WebhookReceiver.open()
    const other = generateWebhookSecret(seededRandom(8).bytes)
    await senderOf().send({ url: receiver.url, secrets: [other, secret] }, message, never)
    const [{ headers, body } = expect.fail()] = receiver.received
    expect(String(headers['webhook-signature']).split(' ')).toHaveLength(2)
    for (const known of [other, secret]) new Webhook(known).verify(body, headers as Record<string, string>)
  })

  test('has the time of its attempt, so that an old one cannot be sent again', async () => {
    const receiver = await WebhookReceiver.open()
    const rules = new TargetRules(['127.0.0.1'])
    const sender = new WebhookSender({ rules, clock: { now: () => 1_700_000_000_999 } })
    onTestFinished(() => sender.close())
    await send(receiver.url, sender)
    const [{ headers, body } = expect.fail()] = receiver.received
    expect(headers['webhook-timestamp']).toBe('1700000000')
    expect(() => new Webhook(secret).verify(body, headers as Record<string, string>)).toThrow('too old')
  })

  test('is signed as the specification shows', async () => {
    // The example of the specification's reference libraries.
    const { signatureHeaders } = await import('../../protocols/webhook/signature.ts')
    const signed = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1614265330, body: '{"test": 2432232314}' }
    expect(signatureHeaders(signed, ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'])).toMatchObject({
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })
})

describe('an answer', () => {
  test.each([
    [200, { kind: 'accepted' }],
    [299, { kind: 'accepted' }],
    [301, { kind: 'refused', reason: 'it answered 301, and redirects are not followed' }],
    [410, { kind: 'refused', reason: 'it answered 410' }],
    [500, { kind: 'refused', reason: 'it answered 500' }],
  ])('%i is %o', async (status, outcome) => {
    const other = await WebhookReceiver.open()
    const receiver = await WebhookReceiver.open((response) => response.writeHead(status, { location: other.url }).end())
    expect(await send(receiver.url)).toEqual(outcome)
    expect(other.received).toEqual([])
  })

  test.each([
    ['120', 120_000],
    ['Tue, 14 Nov 2023 22:13:50 GMT', 30_000],
    ['Tue, 14 Nov 2023 22:13:10 GMT', 0],
    ['soon', undefined],
  ])('Retry-After: %s is minded', async (field, retryAfterMs) => {
    const receiver = await WebhookReceiver.open((response) => response.writeHead(503, { 'retry-after': field }).end())
    const sender = new WebhookSender({ rules: new TargetRules(['127.0.0.1']), clock: { now: () => 1_700_000_000_000 } })
    onTestFinished(() => sender.close())
    const outcome = await send(receiver.url, sender)
    expect(outcome).toEqual({
      kind: 'refused',
      reason: 'it answered 503',
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    })
  })

  test('that does not come is waited for so long', async () => {
    const receiver = await WebhookReceiver.open(() => {})
    const sender = senderOf({ limits: { timeoutMsMax: 50 } })
    expect(await send(receiver.url, sender)).toEqual({ kind: 'refused', reason: 'no answer within 50 ms' })
  })

  test('that is longer than what is read costs its connection, and no more', async () => {
    const receiver = await WebhookReceiver.open((response) =>
      response.end(Buffer.alloc(WEBHOOK_LIMITS.answerBytesMax * 64)),
    )
    const closed = new Promise((resolve) =>
      receiver.server.once('connection', (socket) => socket.once('close', resolve)),
    )
    expect(await send(receiver.url)).toEqual({ kind: 'accepted' })
    await closed
  })

  test('with headers beyond the bound is none', async () => {
    const long = 'x'.repeat(WEBHOOK_LIMITS.answerHeaderBytesMax)
    const receiver = await WebhookReceiver.open((response) => response.writeHead(200, { long }).end())
    expect(await send(receiver.url)).toMatchObject({ kind: 'refused', reason: expect.stringContaining('overflow') })
  })

  test('in another language than HTTP is none', async () => {
    const server = createServer((socket) => socket.end('220 hello\r\n')).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'refused' })
  })
})

test('an answer that goes over to another protocol is none, and one attempt', async () => {
  const server = createServer((socket) => {
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n'
    socket.on('error', () => {}).once('data', () => socket.write(upgrade))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const reason = 'the connection was closed without an answer'
  expect(await send(`http://127.0.0.1:${port}/`)).toEqual({ kind: 'refused', reason })
})

test('an attempt is cut off when it is told to be', async () => {
  const receiver = await WebhookReceiver.open(() => {})
  const cutting = new AbortController()
  const sending = send(receiver.url, senderOf(), cutting.signal)
  await receiver.until((received) => received.length === 1)
  cutting.abort()
  expect(await sending).toEqual({ kind: 'refused', reason: 'cut off' })
  expect(await send(receiver.url, senderOf(), cutting.signal)).toEqual({ kind: 'refused', reason: 'cut off' })
})

test('a connection is used again, and one that was closed meanwhile is no failure', async () => {
  const receiver = await WebhookReceiver.open()
  const sockets = new Set<unknown>()
  receiver.answer = (response, _, count) => {
    sockets.add(response.socket)
    if (count === 3) response.socket?.resetAndDestroy()
    else response.writeHead(204).end()
  }
  const sender = senderOf()
  for (let count = 0; count < 3; count++) expect(await send(receiver.url, sender)).toEqual({ kind: 'accepted' })
  expect(receiver.received).toHaveLength(4)
  expect(sockets.size).toBe(2)
})

test('whoever does not show a certificate that somebody vouches for gets nothing', async () => {
  const receiver = await WebhookReceiver.open()
  const outcome = await send(receiver.url.replace('http:', 'https:'))
  expect(outcome.kind).toBe('refused')
  expect(receiver.received).toEqual([])
})

describe('a target', () => {
  const rules = new TargetRules([])
  const refusal = { code: 'ERR_INVALID' }

  test.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '198.18.0.1',
    '192.0.2.1',
    '::1',
    '::',
    'fc00::1',
    'fe80::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:db8::1',
    '::7f00:1',
    '4000::1',
    'no address',
  ])('%s is not public', (address) => {
    expect(rules.allows(address)).toBe(false)
  })

  test.each(['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8'])('%s is', (address) => {
    expect(rules.allows(address)).toBe(true)
  })

  test.each([
    'http://127.0.0.1/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://[::1]:8480/',
    'http://[::ffff:10.0.0.1]/',
    'ftp://example.org/',
    'file:///etc/passwd',
    'http://user:secret@example.org/',
    'https://example.org/#part',
    'example.org',
    '',
    `https://example.org/${'x'.repeat(TARGET_BYTES_MAX)}`,
  ])('%s is refused', (text) => {
    expect(() => rules.parse(text)).toThrow(expect.objectContaining(refusal))
  })

  test('is allowed beyond the public internet where the configuration says so', () => {
    const inside = new TargetRules(['10.0.0.0/8', 'fd00::/8', '127.0.0.1'])
    for (const address of ['10.9.9.9', 'fd12::1', '127.0.0.1', '::ffff:10.0.0.1'])
      expect([address, inside.allows(address)]).toEqual([address, true])
    for (const address of ['127.0.0.2', '192.168.0.1', '::1'])
      expect([address, inside.allows(address)]).toEqual([address, false])
  })
})

describe('a name', () => {
  const resolveTo = (...addresses: string[]): Resolve & { asked: number } => {
    const resolve = Object.assign(
      (_host: string, done: (error: null, found: readonly LookupAddress[]) => void) => {
        resolve.asked += 1
        done(
          null,
          addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        )
      },
      { asked: 0 },
    )
    return resolve
  }

  test('that stands for what is not allowed leads nowhere', async () => {
    const receiver = await WebhookReceiver.open()
    const resolve = resolveTo('127.0.0.1')
    const sender = senderOf({ networks: [], resolve })
    expect(await send(`http://example.org:${receiver.port}/`, sender)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('127.0.0.1, which is no public address'),
    })
    expect(receiver.received).toEqual([])
    expect(resolve.asked).toBe(1)
  })

  test('of the machine itself is found out as well', async () => {
    const receiver = await WebhookReceiver.open()
    const sender = senderOf({ networks: [] })
    expect(await send(`http://localhost:${receiver.port}/`, sender)).toMatchObject({ kind: 'refused' })
    expect(receiver.received).toEqual([])
  })

  test('leads to those of its addresses that are allowed, and is asked once for each connection', async () => {
    const receiver = await WebhookReceiver.open()
    const resolve = resolveTo('10.0.0.1', '127.0.0.1')
    const sender = senderOf({ resolve })
    const url = `http://example.org:${receiver.port}/`
    expect(await send(url, sender)).toEqual({ kind: 'accepted' })
    expect(resolve.asked).toBe(1)
    expect(receiver.received[0]?.headers.host).toBe(`example.org:${receiver.port}`)
  })

  test('that nobody knows is a failure in words', async () => {
    const resolve: Resolve = (host, done) => done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), {}), [])
    expect(await send('http://nowhere.example/', senderOf({ resolve }))).toEqual({
      kind: 'refused',
      reason: 'getaddrinfo ENOTFOUND nowhere.example',
    })
  })
})
