import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { FtpClient } from '../support/ftp-client.ts'
import { cenote, requireBuild, Server } from '../support/server-process.ts'

/* That what the configuration says of who comes over FTP reaches the door. */

let folder: string
const clients: FtpClient[] = []

beforeAll(() => {
  requireBuild()
  folder = mkdtempSync(join(tmpdir(), 'cenote-bounds-'))
})
afterEach(() => {
  for (const client of clients.splice(0)) client.socket.destroy()
})
afterAll(() => rmSync(folder, { recursive: true }))

async function serve(ftp: object): Promise<Server> {
  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ data: 'cenote-data', ftp }))
  return Server.start(folder, ['--config', 'cenote.json'])
}

async function come(server: Server): Promise<FtpClient> {
  const client = await FtpClient.open(server.host('ftp'))
  clients.push(client)
  return client
}

async function logIn(server: Server, { key, secret }: { key: string; secret: string }): Promise<string> {
  const client = await come(server)
  await client.reply()
  await client.command(`USER ${key}`)
  return client.command(`PASS ${secret}`)
}

test('connections, by address and in all', async () => {
  await using server = await serve({ connectionsPerAddressMax: 1, connectionsMax: 9 })
  expect(await (await come(server)).reply()).toBe('220 Cenote')
  expect(await (await come(server)).reply()).toBe('421 Too many connections from your address')
  await server.kill()
  await using other = await serve({ connectionsMax: 1 })
  expect(await (await come(other)).reply()).toBe('220 Cenote')
  expect(await (await come(other)).reply()).toBe('421 Too many connections')
})

test('networks', async () => {
  await using server = await serve({ networks: ['192.0.2.0/24'] })
  expect(await (await come(server)).reply()).toBe('421 Connections from your address are not taken')
})

test('failures, by address and by user name', async () => {
  await using server = await serve({ failuresPerAddressMax: 1, failuresWindowMs: 86_400_000 })
  expect(await logIn(server, { key: 'nobody', secret: 'x' })).toBe('530 unknown key or wrong secret')
  expect(await logIn(server, server.cli)).toMatch(/^530 Too many failed logins: try again in 86\d\d\d s$/)
  await server.kill()
  await using other = await serve({ failuresPerUserMax: 1 })
  expect(await logIn(other, { ...other.cli, secret: 'x' })).toBe('530 unknown key or wrong secret')
  expect(await logIn(other, other.cli)).toMatch(/^530 Too many failed logins/)
})

test('times to log in, between commands and between bytes', async () => {
  await using server = await serve({ loginMsMax: 100, idleMsMax: 150, dataIdleMsMax: 100 })
  const silent = await come(server)
  await silent.reply()
  expect(await silent.reply()).toBe('421 No login in time')
  const { key, secret } = server.cli
  const client = await FtpClient.loggedIn(server.host('ftp'), key, secret)
  clients.push(client)
  await client.transfer('STOR /inbox/a')
  expect(await client.reply()).toMatch(/^426 The data connection was idle/)
  expect(await client.reply()).toBe('421 No command for too long')
})

test('rates, of a session and of an application', async () => {
  await using server = await serve({ bytesPerSecond: 1024 })
  await cenote(folder, ['app', 'set', server.cli.key, '--bytes-per-second', '64KiB', '--quota-objects', '1'])
  const { key, secret } = server.cli
  const client = await FtpClient.loggedIn(server.host('ftp'), key, secret)
  clients.push(client)
  const data = await client.transfer('STOR /inbox/slow')
  data.on('error', () => {}) // It is cut below.
  data.end(Buffer.alloc(1024 * 1024)) // At this rate it would take a quarter of an hour.
  client.write('STAT\r\n')
  expect(await client.reply()).toMatch(/^213 /)
  client.write('ABOR\r\n')
  expect(await client.reply()).toMatch(/^426 /)
  expect(await client.reply()).toMatch(/^226 /)
  const another = await FtpClient.loggedIn(server.host('ftp'), key, secret) // The first one pays for what it took.
  clients.push(another)
  expect(await another.upload('/inbox/small', 'x')).toMatch(/^226 /)
  const shown = JSON.parse((await cenote(folder, ['app', 'show', key, '--json'])).stdout)
  expect(shown).toMatchObject({ policy: { bytesPerSecond: 65_536, quotaObjects: 1 }, usage: { bytes: 1, objects: 1 } })
})
