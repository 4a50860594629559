import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT, requireBuild, rootAuthorization, rootEnvironment, Server } from './server-process.ts'
import { type Cell, LAST_LINES, type RealClient, realClients } from './smtp-real-clients.ts'

/* Clients that others wrote come to one built server in the ways in which they can, many at once. */

const securities = ['clear', 'starttls', 'implicit', 'lmtp'] as const
const cells: readonly Cell[] = securities.flatMap((security) =>
  (['PLAIN', 'LOGIN', 'CRAM-MD5', 'none'] as const).map((login) => ({ security, login })),
)
const schemes = { clear: 'smtp', starttls: 'smtp', implicit: 'smtps', lmtp: 'lmtp' } as const
const mail = `From: Ada <ada@example.org>\r\nSubject: matrix\r\n\r\n${LAST_LINES}`

let folder: string
let server: Server

async function open(): Promise<void> {
  requireBuild()
  folder = mkdtempSync(join(tmpdir(), 'cenote-matrix-'))
  const listen = '127.0.0.1:0'
  const smtp = { tls: 'offered', implicitListen: listen, lmtpListen: listen, cramMd5: true, networks: ['127.0.0.1'] }
  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ smtp }))
  writeFileSync(join(folder, 'mail'), mail)
  server = await Server.start(folder, ['--config', 'cenote.json', '--smtp', listen], rootEnvironment)
  copyFileSync(join(folder, 'cenote-data/tls/certificate.pem'), join(folder, 'authority.pem'))
}

async function close(): Promise<void> {
  await server.kill()
  rmSync(folder, { recursive: true })
}

async function get(path: string): Promise<string> {
  const response = await fetch(`${server.address('http')}${path}`, { headers: { authorization: rootAuthorization } })
  expect(response.status).toBe(200)
  return response.text()
}

interface Found {
  readonly key: string
  readonly attributes: { readonly [name: string]: unknown }
}

async function found(tag: string): Promise<Found> {
  const { objects } = JSON.parse(await get(`/v1/query?q=${encodeURIComponent(`email.tag = ${tag}`)}`))
  expect(objects).toHaveLength(1)
  return objects[0]
}

async function visit(client: RealClient, cell: Cell): Promise<void> {
  const { security, login } = cell
  const port = Number(server.host(schemes[security]).split(':')[1])
  const tag = `${client.name}-${security}-${login}`.toLowerCase()
  await client.visit({ ...cell, port, folder, recipient: `inbox+${tag}@cenote.local` })
  const { key, attributes } = await found(tag)
  expect(attributes).toMatchObject({ 'email.mail-from': 'ada@example.org', 'email.tag': tag })
  expect(attributes['email.login']).toBe(login === 'none' ? undefined : ROOT.key)
  expect(attributes['email.secure']).toBe(security === 'starttls' || security === 'implicit')
  if (client.name === 'smtp-source') return
  const stored = await get(`/v1/objects/inbox/${key}`)
  expect(stored.trimEnd().endsWith(`\r\n\r\n${LAST_LINES.trimEnd()}`)).toBe(true) // swaks adds an empty line.
}

/** Tests of each client in those of its ways that `takes` takes. */
export function describeMatrix(takes: (client: RealClient, cell: Cell) => boolean): void {
  beforeAll(open)
  afterAll(close)
  describe.each(realClients)('$name', (client) => {
    const missing = client.needs.map((need) => need()).filter((reason) => reason !== undefined)
    if (missing.length > 0) console.log(`skipped: ${missing.join('; ')} (the e-mail door with ${client.name})`)
    for (const cell of cells.filter((each) => client.can(each) && takes(client, each))) {
      const name = `${cell.security}, ${cell.login}`
      test.skipIf(missing.length > 0)(name, { concurrent: true }, () => visit(client, cell))
    }
  })
}
