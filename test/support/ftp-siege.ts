import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Footprint, footprintOf } from './footprint.ts'
import type { Attack } from './ftp-attacks.ts'
import { FtpClient } from './ftp-client.ts'
import type { Random } from './random.ts'
import { requireBuild, rootEnvironment, Server } from './server-process.ts'

/** Attacks a server, and waits until it serves others and holds no more sockets than before: this ends, or the test's time does. */
export async function attack(server: Server, random: Random, play: Attack): Promise<Footprint> {
  const sockets = () => footprintOf(server.pid).sockets
  const address = server.host('ftp')
  const before = sockets()
  await play({ address, random, sockets })
  while (!(await isServed(address)) || sockets() > before);
  expect(server.hasEnded).toBe(false)
  return footprintOf(server.pid)
}

/** One round trip, in which a server does what is due. False for who is turned away. */
async function isServed(address: string): Promise<boolean> {
  const client = await FtpClient.open(address)
  const greeting = await client.reply()
  client.socket.end()
  await client.closed()
  return greeting.startsWith('220 ')
}

/** A server that offers TLS, in a folder of its own. All who come have one address here: the bound on all is to be met. */
export async function besieged(): Promise<{ readonly server: Server; end(): Promise<void> }> {
  requireBuild()
  const folder = mkdtempSync(join(tmpdir(), 'cenote-hostile-'))
  writeFileSync(
    join(folder, 'cenote.json'),
    JSON.stringify({ ftp: { tls: 'offered', connectionsPerAddressMax: 4096 } }),
  )
  const server = await Server.start(folder, ['--config', 'cenote.json'], rootEnvironment)
  const end = async () => {
    await server.kill()
    rmSync(folder, { recursive: true })
  }
  return { server, end }
}
