import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cell, realClients, type Visit } from '../support/ftp-real-clients.ts'
import { requireBuild, rootAuthorization, rootEnvironment, Server } from '../support/server-process.ts'
import { isThere, loopbackOfIPv6 } from '../support/system-tools.ts'

/* Clients that others wrote come to the built server in every way in which they can: each uploads, lists, reads back. */

const families = [4, 6] as const
const cells: readonly Cell[] = families.flatMap((family) =>
  (['clear', 'explicit', 'implicit'] as const).flatMap((security) =>
    (['passive', 'active'] as const).map((mode) => ({ security, mode, family })),
  ),
)

const up = randomBytes(300_000)
const branch = randomBytes(30_000)
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

interface MatrixDoor {
  readonly server: Server
  readonly folder: string
}

const doors = new Map<string, MatrixDoor>()
const doorKey = ({ mode, family }: Cell): string => `${mode} ${family}`
let taken: NetServer

/** One server for each family; and for active mode others, on which passive mode fails: some clients fall back to it. */
beforeAll(async () => {
  requireBuild()
  taken = createServer().listen(0)
  await once(taken, 'listening')
  const kinds = new Map(
    cells.filter(({ family }) => family === 4 || isThere([loopbackOfIPv6])).map((cell) => [doorKey(cell), cell]),
  )
  await Promise.all([...kinds].map(async ([key, cell]) => doors.set(key, await open(cell))))
})

async function open({ mode, family }: Cell): Promise<MatrixDoor> {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-matrix-'))
  const listen = family === 4 ? '127.0.0.1:0' : '[::1]:0'
  const { port } = taken.address() as AddressInfo
  const passivePorts = mode === 'active' ? `${port}-${port}` : 'any'
  writeFileSync(
    join(folder, 'cenote.json'),
    JSON.stringify({ ftp: { tls: 'offered', implicitListen: listen, passivePorts } }),
  )
  writeFileSync(join(folder, 'up'), up)
  mkdirSync(join(folder, 'tree/deep'), { recursive: true })
  writeFileSync(join(folder, 'tree/deep/branch'), branch)
  const server = await Server.start(folder, ['--config', 'cenote.json', '--ftp', listen], rootEnvironment)
  copyFileSync(join(folder, 'cenote-data/tls/certificate.pem'), join(folder, 'authority.pem'))
  return { server, folder }
}

afterAll(async () => {
  taken.close()
  for (const { server, folder } of doors.values()) {
    await server.kill()
    rmSync(folder, { recursive: true })
  }
})

const nameOf = ({ security, mode, family }: Cell): string => `${security}, ${mode}, IPv${family}`

async function get(server: Server, what: string, name: string): Promise<Response> {
  const url = `${server.address('http')}/v1/${what}/inbox/${name.split('/').map(encodeURIComponent).join('/')}`
  const response = await fetch(url, { headers: { authorization: rootAuthorization } })
  expect(response.status).toBe(200)
  return response
}

async function stored(server: Server, name: string): Promise<string> {
  return sha256(new Uint8Array(await (await get(server, 'objects', name)).arrayBuffer()))
}

/** What the record says of TLS: a client that fell back to clear text would pass all else. */
async function isSecure(server: Server, name: string): Promise<unknown> {
  const { records } = JSON.parse(await (await get(server, 'attributes', name)).text())
  return records[0].attributes['ftp.secure']
}

describe.each(realClients)('$name', (client) => {
  const missing = client.needs.map((need) => need()).filter((reason) => reason !== undefined)
  if (missing.length > 0) console.log(`skipped: ${missing.join('; ')} (the FTP door with ${client.name})`)
  for (const cell of cells.filter((each) => client.can(each))) {
    const isHere = missing.length === 0 && (cell.family === 4 || isThere([loopbackOfIPv6]))
    test.skipIf(!isHere)(nameOf(cell), { concurrent: true }, async () => {
      const { server, folder } = doors.get(doorKey(cell))!
      const port = Number(new URL(server.address(cell.security === 'implicit' ? 'ftps' : 'ftp')).port)
      const name = `${client.name}, ${nameOf(cell)}`
      const visit: Visit = { ...cell, port, folder, name }
      expect(await client.visit(visit)).toMatch(new RegExp(`^.*300000.* ${name}\\r?$`, 'm'))
      expect(sha256(readFileSync(join(folder, name)))).toBe(sha256(up))
      expect(await stored(server, name)).toBe(sha256(up))
      expect(await isSecure(server, name)).toBe(cell.security !== 'clear')
      if (!client.mirrors) return
      expect(sha256(readFileSync(join(folder, `tree of ${name}/deep/branch`)))).toBe(sha256(branch))
      expect(await stored(server, `tree of ${name}/deep/branch`)).toBe(sha256(branch))
    })
  }
})
