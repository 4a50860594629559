import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { Guests } from '../../protocols/index.ts'
import { foldersMax } from '../../protocols/smtp/options.ts'
import { FakeStore } from '../support/fake-store.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { access, openDoor, tlsOf } from '../support/smtp-door.ts'

test('messageBytesMax: announced, refused when declared, and enforced on what comes', async () => {
  await using door = await openDoor({ limits: { messageBytesMax: 1000 } })
  const client = await SmtpClient.open(door.address)
  await client.reply()
  expect(await client.command('EHLO client.example')).toContain('250 SIZE 1000')
  expect(await client.command('MAIL FROM:<ada@example.org> SIZE=1001')).toMatch(/^552 5\.3\.4 /)
  expect(await client.message(wireForm(`${'x'.repeat(999)}\r\n`), 'inbox@cenote.local')).toMatch(/^552 5\.3\.4 /)
  expect(await client.message(wireForm(`${'x'.repeat(70_000)}\r\n`), 'inbox@cenote.local')).toMatch(/^552 5\.3\.4 /)
  expect(door.store.size).toBe(0)
  // Dot-stuffing does not count.
  const largest = `.${'x'.repeat(997)}\r\n`
  expect(await client.message(wireForm(largest), 'inbox@cenote.local')).toMatch(/^250 /)
  expect(door.objects()[0]?.bytes.toString()).toBe(largest)
})

test('discardBytesMax: a refused message that never ends closes the connection', async () => {
  await using door = await openDoor({ limits: { messageBytesMax: 1000, discardBytesMax: 10_000 } })
  const client = await SmtpClient.greeted(door.address)
  await client.envelope('inbox@cenote.local')
  client.write('x'.repeat(200_000))
  expect(await client.reply()).toBe('552 5.3.4 Message exceeds 1000 bytes')
  expect(await client.reply()).toBe('')
  expect(door.store.size).toBe(0)
})

test('recipientsMax', async () => {
  await using door = await openDoor({ limits: { recipientsMax: 2 } })
  const client = await SmtpClient.greeted(door.address)
  const [one, two, three] = ['inbox+1', 'inbox+2', 'inbox+3'].map((local) => `RCPT TO:<${local}@cenote.local>`)
  await client.commands('MAIL FROM:<ada@example.org>', one!, two!)
  expect(await client.command(three!)).toMatch(/^452 4\.5\.3 /)
  await client.commands('DATA')
  client.write(wireForm('hello\r\n'))
  expect(await client.reply()).toMatch(/^250 /)
})

test('foldersMax, whose receipts fit into one reply line', async () => {
  const buckets = Array.from({ length: foldersMax + 1 }, (_, index) => `bucket-${index}`)
  await using door = await openDoor({ store: new FakeStore({ buckets }) })
  const client = await SmtpClient.greeted(door.address)
  const [last, ...others] = buckets.map((bucket) => `RCPT TO:<${bucket}@cenote.local>`).reverse()
  await client.commands('MAIL FROM:<ada@example.org>', ...others)
  expect(await client.command(last!)).toMatch(/^452 4\.5\.3 /)
  await client.commands('RCPT TO:<bucket-0+tag@cenote.local>', 'DATA')
  client.write(wireForm('hello\r\n'))
  const reply = await client.reply()
  expect(reply.match(/object \d{16} version \d{16}/g)).toHaveLength(foldersMax)
  expect(`${reply}\r\n`.length).toBeLessThanOrEqual(512)
})

/** Comes again until the server has noticed that somebody has gone. */
async function greeting(address: string): Promise<string> {
  for (;;) {
    const client = await SmtpClient.open(address)
    const reply = await client.reply()
    if (!reply.startsWith('421 ')) return reply
  }
}

test.each([
  ['connectionsMax', { limits: { connectionsMax: 1 } }, 'Too many connections'],
  [
    'connectionsPerAddressMax',
    { guests: new Guests({ connectionsPerAddressMax: 1 }) },
    'Too many connections from your',
  ],
])('%s', async (_name, options, words) => {
  await using door = await openDoor(options)
  const first = await SmtpClient.greeted(door.address)
  const second = await SmtpClient.open(door.address)
  expect(await second.reply()).toContain(`421 4.7.0 ${words}`)
  expect(await second.reply()).toBe('')
  await first.commands('QUIT')
  expect(await greeting(door.address)).toMatch(/^220 /)
})

describe.each(['offered', 'implicit'] as const)('who came by TLS, %s, and left makes room', (mode) => {
  const secure = (client: SmtpClient) => (mode === 'offered' ? client.startTls() : client.wrap())
  const prepare = async (client: SmtpClient) => {
    if (mode === 'implicit') return
    await client.reply()
    await client.commands('EHLO client.example')
  }

  test.each([
    [
      'after a session',
      async (client: SmtpClient) => {
        await secure(client)
        if (mode === 'implicit') await client.reply()
        await client.commands('EHLO client.example', 'QUIT')
      },
    ],
    [
      'when TLS did not come up',
      async (client: SmtpClient) => {
        if (mode === 'offered') await client.commands('STARTTLS')
        client.write('no TLS at all\r\n')
      },
    ],
  ])('%s', async (_name, visit) => {
    const guests = new Guests({ connectionsPerAddressMax: 1 })
    await using door = await openDoor({ tls: tlsOf(mode), guests })
    const client = await SmtpClient.open(door.address)
    await prepare(client)
    await visit(client)
    await client.closed()
    await vi.waitFor(() => expect(guests.enter('127.0.0.1')).toBe(true))
  })
})

test('commandBytesMax', async () => {
  await using door = await openDoor({ limits: { commandBytesMax: 100 } })
  for (const line of ['N'.repeat(101), `NOOP ${'x'.repeat(96)}\r\n`]) {
    const client = await SmtpClient.greeted(door.address)
    client.write(line)
    expect(await client.reply()).toMatch(/^421 .*Command line too long$/)
    expect(await client.reply()).toBe('')
  }
  const client = await SmtpClient.greeted(door.address)
  expect(await client.command(`NOOP ${'x'.repeat(95)}`)).toMatch(/^250 /)
})

test('commandsMax: from one stored message to the next', async () => {
  await using door = await openDoor({ limits: { commandsMax: 5 } })
  const client = await SmtpClient.greeted(door.address)
  for (let times = 0; times < 3; times++) {
    expect(await client.message(wireForm('hello\r\n'), 'inbox@cenote.local')).toMatch(/^250 /)
    await client.commands('NOOP')
  }
  await client.commands('NOOP', 'NOOP', 'NOOP', 'NOOP')
  expect(await client.command('NOOP')).toBe('421 4.7.0 Too many commands without a message')
  expect(await client.reply()).toBe('')
})

test('errorsMax: of what is refused for good, from one stored message to the next', async () => {
  await using door = await openDoor({ limits: { errorsMax: 3, recipientsMax: 1 } })
  const client = await SmtpClient.greeted(door.address)
  const wrong = async (times: number) => {
    for (let time = 0; time < times; time++) expect(await client.command('RCPT TO:<inbox>')).toMatch(/^50[13] /)
  }
  await wrong(2)
  await client.commands('MAIL FROM:<ada@example.org>', 'RCPT TO:<inbox@cenote.local>')
  for (let time = 0; time < 5; time++) expect(await client.command('RCPT TO:<inbox+x@cenote.local>')).toMatch(/^452 /)
  await client.commands('DATA')
  client.write(wireForm('hello\r\n'))
  expect(await client.reply()).toMatch(/^250 /)
  await wrong(3)
  expect(await client.reply()).toBe('421 4.7.0 Too many errors')
  expect(await client.reply()).toBe('')
})

test('idleMsMax: between commands and in the midst of a message', async () => {
  await using door = await openDoor({ limits: { idleMsMax: 1000 } })
  const idle = await SmtpClient.greeted(door.address)
  const sending = await SmtpClient.greeted(door.address)
  await sending.envelope('inbox@cenote.local')
  const aborted = once(door.store.events, 'abort')
  sending.write('half a mess')
  expect(await idle.reply()).toMatch(/^421 4\.4\.2 /)
  expect(await sending.reply()).toMatch(/^421 4\.4\.2 /)
  await aborted
  expect(door.store.size).toBe(0)
})

test('idleMsMax does not count while the client waits for us', async () => {
  await using door = await openDoor({ limits: { idleMsMax: 500 } })
  const release = door.store.hold('commit')
  const client = await SmtpClient.greeted(door.address)
  await client.envelope('inbox@cenote.local')
  client.write(wireForm('hello\r\n'))
  // Others that come later, one after the other, are told that they were idle for too long.
  for (let round = 0; round < 2; round++) {
    const idle = await SmtpClient.open(door.address)
    expect(await idle.reply()).toMatch(/^220 /)
    expect(await idle.reply()).toMatch(/^421 4\.4\.2 /)
  }
  release()
  expect(await client.reply()).toMatch(/^250 /)
})

test('authenticationFailuresMax', async () => {
  await using door = await openDoor({ access, limits: { authenticationFailuresMax: 2 } })
  const client = await SmtpClient.greeted(door.address)
  expect(await client.command('AUTH PLAIN AGEAYg==')).toMatch(/^535 5\.7\.8 /)
  expect(await client.command('AUTH PLAIN AGEAYg==')).toBe('421 4.7.0 Too many failed authentications')
  expect(await client.reply()).toBe('')
})

test.each([
  ['a command', 'NOO', 'O', 'idleMsMax'],
  ['a message', 'MAIL FROM:<ada@example.org>\r\nRCPT TO:<inbox@cenote.local>\r\nDATA\r\n', 'x', 'transactionMsMax'],
  ['recipients', 'MAIL FROM:<ada@example.org>\r\n', 'RCPT TO:<inbox@cenote.local>\r\n', 'transactionMsMax'],
])('who trickles %s is cut off, however busy it looks', async (_what, start, drop, limit) => {
  await using door = await openDoor({ limits: { [limit]: 300 } })
  const client = await SmtpClient.greeted(door.address)
  client.write(start)
  const dripping = setInterval(() => client.write(drop), 20)
  let reply = await client.reply()
  while (reply && !reply.startsWith('421 ')) reply = await client.reply()
  clearInterval(dripping)
  expect(reply).toMatch(/^421 4\.4\.2 /)
  await client.closed()
  expect(door.store.size).toBe(0)
})

test('transactionMsMax does not count while the client waits for us', async () => {
  await using door = await openDoor({ limits: { transactionMsMax: 300, idleMsMax: 1000 } })
  const client = await SmtpClient.greeted(door.address)
  await client.envelope('inbox@cenote.local')
  const release = door.store.hold('commit')
  client.write(wireForm('hello\r\n'))
  const idle = await SmtpClient.open(door.address)
  await idle.reply()
  expect(await idle.reply()).toMatch(/^421 4\.4\.2 /) // More than a transaction later.
  release()
  expect(await client.reply()).toMatch(/^250 /)
})

test.each(['offered', 'implicit'] as const)('handshakeMsMax: TLS that does not come up, %s', async (mode) => {
  await using door = await openDoor({ tls: tlsOf(mode), limits: { handshakeMsMax: 100 } })
  const client = await SmtpClient.open(door.address)
  if (mode === 'offered') {
    await client.reply()
    await client.commands('EHLO client.example', 'STARTTLS')
  }
  client.write(Uint8Array.of(0x16, 3, 1, 1))
  await client.closed()
  expect(await SmtpClient.open(door.address)).toBeDefined()
})

test('bannerDelayMs: who talks into it is refused, and who is trusted need not wait', async () => {
  const proxyNetworks = ['127.0.0.1']
  await using door = await openDoor({ bannerDelayMs: 600_000, proxyNetworks })
  const stranger = await SmtpClient.open(door.address)
  expect(await stranger.command('PROXY TCP4 192.0.2.7 192.0.2.1 5000 25\r\nEHLO client.example')).toMatch(
    /^421 .*You talk too soon$/,
  )
  const near = await SmtpClient.open(door.address)
  expect(await near.command('PROXY TCP4 127.0.0.9 192.0.2.1 5000 25')).toMatch(/^220 /)
})

test('bannerDelayMs: the greeting comes after it', async () => {
  await using door = await openDoor({ bannerDelayMs: 20, proxyNetworks: ['127.0.0.1'] })
  const stranger = await SmtpClient.open(door.address)
  expect(await stranger.command('PROXY TCP4 192.0.2.7 192.0.2.1 5000 25')).toMatch(/^220 /)
})
