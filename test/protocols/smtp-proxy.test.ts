import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Guests } from '../../protocols/index.ts'
import { binaryHeader } from '../support/proxy-header.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { mailer, openDoor, tlsOf } from '../support/smtp-door.ts'

/* Connections by a proxy, which tells whom it speaks for. */

const behind = { proxyNetworks: ['127.0.0.0/8'], bannerDelayMs: 0 }
const allowed = { allowedNetworks: { addresses: ['192.0.2.0/24'], principal: mailer } }
const textHeader = 'PROXY TCP4 192.0.2.7 198.51.100.1 5000 25\r\n'
const binary = binaryHeader(0x21, 0x11, Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 0x13, 0x88, 0, 25]))

test.each([
  ['version 1', textHeader],
  ['version 2', binary],
])('%s: the address that it tells is who sends', async (_name, header) => {
  await using door = await openDoor({ ...behind, ...allowed })
  const client = await SmtpClient.open(door.address)
  for (const byte of Buffer.from(header)) await client.written(Uint8Array.of(byte))
  expect(await client.reply()).toMatch(/^220 /)
  expect(await client.command('EHLO client.example')).not.toContain('AUTH')
  expect(await client.message(wireForm('hello\r\n'), 'inbox@cenote.local')).toMatch(/^250 /)
  expect(door.objects()[0]?.origin).toMatchObject({ peer: '192.0.2.7:5000' })
})

test.each([
  ['TLS from the first byte on', 'implicit'],
  ['STARTTLS', 'offered'],
] as const)('%s comes after the header', async (_name, mode) => {
  await using door = await openDoor({ ...behind, ...allowed, tls: tlsOf(mode) })
  const client = await SmtpClient.open(door.address)
  client.write(binary)
  if (mode === 'implicit') await client.wrap()
  expect(await client.reply()).toMatch(/^220 /)
  await client.commands('EHLO client.example')
  if (mode === 'offered') {
    await client.startTls()
    await client.commands('EHLO client.example')
  }
  expect(await client.message(wireForm('hello\r\n'), 'inbox@cenote.local')).toMatch(/^250 /)
  expect(door.objects()[0]).toMatchObject({ facts: { secure: true }, origin: { peer: '192.0.2.7:5000' } })
})

/** A proxy that tells the address of its client in one packet with what the client says first. */
async function proxyTo(port: number): Promise<string> {
  const proxy = createServer(async (client) => {
    const [first] = await once(client, 'data')
    client.pause()
    const server = connect(port, '127.0.0.1')
    server.write(Buffer.concat([binary, first]))
    client.pipe(server).pipe(client)
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void proxy.close())
  return `127.0.0.1:${(proxy.address() as AddressInfo).port}`
}

test('a handshake of TLS may come in one packet with the header', async () => {
  await using door = await openDoor({ ...behind, ...allowed, tls: tlsOf('implicit') })
  const client = await SmtpClient.open(await proxyTo(door.port))
  await client.wrap()
  expect(await client.reply()).toMatch(/^220 /)
  await client.commands('EHLO client.example', 'QUIT')
  await client.closed()
})

test('connections are counted by the address that is told', async () => {
  await using door = await openDoor({ ...behind, guests: new Guests({ connectionsPerAddressMax: 1 }) })
  const replies = []
  for (const host of [7, 7, 8]) {
    const client = await SmtpClient.open(door.address)
    replies.push((await client.command(`PROXY TCP4 192.0.2.${host} 198.51.100.1 5000 25`)).slice(0, 3))
  }
  expect(replies).toEqual(['220', '421', '220'])
})

test.each([
  ['speaks for itself', 'PROXY UNKNOWN', /^220 /],
  ['says something else', 'EHLO client.example', /^$/],
])('a proxy that %s', async (_name, line, reply) => {
  await using door = await openDoor(behind)
  const client = await SmtpClient.open(door.address)
  expect(await client.command(line)).toMatch(reply)
})

test('a header from anybody else is no command', async () => {
  await using door = await openDoor({ proxyNetworks: ['192.0.2.0/24'] })
  const client = await SmtpClient.open(door.address)
  expect(await client.reply()).toMatch(/^220 /)
  expect(await client.command(textHeader.trimEnd())).toMatch(/^500 /)
})

test('a header that does not come: handshakeMsMax, and close does not wait for it', async () => {
  await using slow = await openDoor({ ...behind, limits: { handshakeMsMax: 50 } })
  await (await SmtpClient.open(slow.address)).closed()
  const door = await openDoor(behind)
  const client = await SmtpClient.open(door.address)
  await door.frontend.close()
  await client.closed()
})
