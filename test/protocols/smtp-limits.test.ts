import { once } from 'node:events'
import { expect, test } from 'vitest'
import { bucketsMax } from '../../protocols/smtp/options.ts'
import { FakeStore } from '../support/fake-store.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { access, openDoor } from '../support/smtp-door.ts'

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

test('bucketsMax, whose receipts fit into one reply line', async () => {
  const buckets = Array.from({ length: bucketsMax + 1 }, (_, index) => `bucket-${index}`)
  await using door = await openDoor({ store: new FakeStore({ buckets }) })
  const client = await SmtpClient.greeted(door.address)
  const [last, ...others] = buckets.map((bucket) => `RCPT TO:<${bucket}@cenote.local>`).reverse()
  await client.commands('MAIL FROM:<ada@example.org>', ...others)
  expect(await client.command(last!)).toMatch(/^452 4\.5\.3 /)
  await client.commands('RCPT TO:<bucket-0+tag@cenote.local>', 'DATA')
  client.write(wireForm('hello\r\n'))
  const reply = await client.reply()
  expect(reply.match(/object \d{16} version \d{16}/g)).toHaveLength(bucketsMax)
  expect(`${reply}\r\n`.length).toBeLessThanOrEqual(512)
})

test('clientsMax', async () => {
  await using door = await openDoor({ limits: { clientsMax: 1 } })
  const first = await SmtpClient.greeted(door.address)
  const second = await SmtpClient.open(door.address)
  expect(await second.reply()).toMatch(/^421 /)
  expect(await second.reply()).toBe('')
  await first.commands('QUIT')
  await first.closed()
  const third = await SmtpClient.open(door.address)
  expect(await third.reply()).toMatch(/^220 /)
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

test('bannerDelayMs: who talks into it is refused', async () => {
  await using door = await openDoor({ bannerDelayMs: 600_000 })
  const client = await SmtpClient.open(door.address)
  expect(await client.command('EHLO client.example')).toMatch(/^421 .*You talk too soon$/)
})
