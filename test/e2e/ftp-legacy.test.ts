import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { cenote, requireBuild, Server } from '../support/server-process.ts'
import { command, curl, testWith } from '../support/system-tools.ts'

/* Devices that know no TLS but 1.0: at a listener of their own, and at no other. */

const openssl = command('openssl', 'openssl')

let folder: string
let server: Server
const ports = { old: 0, implicit: 0 }

beforeAll(async () => {
  requireBuild()
  folder = mkdtempSync(join(tmpdir(), 'cenote-legacy-'))
  for (const name of ['old', 'implicit'] as const) ports[name] = await freePort()
  const ftp = {
    tls: 'offered',
    implicitListen: `127.0.0.1:${ports.implicit}`,
    legacyTls: `127.0.0.1:${ports.old}`,
    legacyTlsMode: 'implicit',
    legacyNetworks: ['127.0.0.0/8'],
    anonymous: 'public',
  }
  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ data: 'cenote-data', ftp }))
  server = await Server.start(folder, ['--config', 'cenote.json'])
})

afterAll(async () => {
  await server.kill()
  rmSync(folder, { recursive: true })
})

function run(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(file, args, (_error, stdout, stderr) => resolve(stdout + stderr))
    child.stdin?.end('QUIT\r\n')
  })
}

/** By an alert, or by the end of the connection where that comes first. */
const refused = /^(?!.*220 Cenote).*(?:alert protocol version|unexpected eof)/s

const shake = (port: number, ...flags: string[]) =>
  run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-cipher', 'DEFAULT@SECLEVEL=0', '-quiet', ...flags])

describe('TLS of before', () => {
  testWith([openssl], 'is spoken at its listener, and TLS of today there, too', async () => {
    for (const version of ['-tls1', '-tls1_1', '-tls1_2', '-tls1_3'])
      expect([version, await shake(ports.old, version)]).toEqual([version, expect.stringContaining('220 Cenote')])
  })

  testWith([openssl], 'is refused at every other listener', async () => {
    const port = server.host('ftp').split(':')[1]!
    for (const version of ['-tls1', '-tls1_1']) {
      expect(await shake(ports.implicit, version)).toMatch(refused)
      expect(await shake(Number(port), '-starttls', 'ftp', version)).toMatch(refused)
    }
    expect(await shake(ports.implicit, '-tls1_2')).toContain('220 Cenote')
  })

  testWith([curl], 'uploads with curl that knows nothing newer, data connections included', async () => {
    const { key, secret } = server.cli
    writeFileSync(join(folder, 'scan'), 'by an old device')
    const said = await run('curl', [
      ...['--tlsv1.0', '--tls-max', '1.0', '--ciphers', 'DEFAULT@SECLEVEL=0', '-sS', '-v'],
      ...['--cacert', join(folder, 'cenote-data/tls/certificate.pem'), '-u', `${key}:${secret}`],
      ...['-T', join(folder, 'scan'), `ftps://localhost:${ports.old}/inbox/scan`],
    ])
    expect(said).toMatch(/SSL connection using TLSv1\b(?!\.)/)
    expect(said).toMatch(/< 226 Stored 16 bytes/)
    const got = await cenote(folder, ['get', 'inbox/scan', '-'])
    expect(got.stdout).toBe('by an old device')
  })
})

testWith([curl], 'an application may be named for whoever comes, and is bounded by its policy', async () => {
  const from = (...args: string[]) => run('curl', ['-sS', '-v', ...args, `ftp://${server.host('ftp')}/`])
  await server.logged('ftp.anonymous names public, which is no application yet')
  expect(await from('-u', 'anonymous:me@example.org')).toContain('530')
  const added = ['app', 'add', 'public', '--types', 'ftp', '--permissions', 'object:read', '--home', 'inbox']
  expect((await cenote(folder, [...added, '--networks', '127.0.0.0/8'])).code).toBe(0)
  const listed = await from('-u', 'anonymous:me@example.org')
  expect(listed).toContain('< 230 ')
  expect(listed).toMatch(/ scan\r?\n/)
  expect((await cenote(folder, ['app', 'set', 'public', '--networks', '192.0.2.0/24'])).code).toBe(0)
  expect(await from('-u', 'anonymous:me@example.org')).toContain('530 application public may not come from 127.0.0.1')
})
