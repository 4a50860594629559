import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { FtpClient } from '../support/ftp-client.ts'
import {
  rootAuthorization as authorization,
  ROOT,
  requireBuild,
  rootEnvironment,
  Server,
} from '../support/server-process.ts'
import { plainToken, SmtpClient } from '../support/smtp-client.ts'

/* What a client began and did not end, or did not send as it said it would, is shown to nobody and keeps no space. */

/** More than travels inside the journal, so that the pool holds some of it when the client goes. */
const HALF = Buffer.alloc(300_000, 'half of it\r\n')
const STAGED_POLL_MS = 10

let server: Server
beforeAll(async () => {
  requireBuild()
  const folder = mkdtempSync(join(tmpdir(), 'cenote-truncated-'))
  server = await Server.start(folder, [], rootEnvironment)
  return async () => {
    await server.kill()
    rmSync(folder, { recursive: true })
  }
})

async function get(path: string): Promise<{ readonly [name: string]: unknown }> {
  const response = await fetch(`${server.address('http')}${path}`, {
    headers: { authorization },
  })
  expect(response.status).toBe(200)
  return (await response.json()) as { readonly [name: string]: unknown }
}

const stagedBytes = async () => (await get('/v1/pools/main')).stagedBytes as number

async function untilStaged(isEnough: (bytes: number) => boolean): Promise<void> {
  while (!isEnough(await stagedBytes())) await new Promise((resolve) => setTimeout(resolve, STAGED_POLL_MS))
}

/** An upload that was begun and sent in part; `cut` leaves it at that. */
interface Upload {
  cut(): void
  readonly gone?: Promise<unknown>
}

async function http(headers: readonly string[], body: Buffer, cut: 'FIN' | 'RST'): Promise<Upload> {
  const url = new URL(server.address('http'))
  const socket = connect(Number(url.port), url.hostname).on('error', () => undefined)
  socket.write(
    ['PUT /v1/objects/inbox/cut HTTP/1.1', 'Host: cenote', `Authorization: ${authorization}`, ...headers, '', ''].join(
      '\r\n',
    ),
  )
  socket.write(body)
  return { cut: () => void (cut === 'FIN' ? socket.end() : socket.resetAndDestroy()) }
}

async function ftp(cut: 'data reset' | 'control gone'): Promise<Upload> {
  const client = await FtpClient.loggedIn(server.host('ftp'), ROOT.key, ROOT.secret)
  // What is kept to be gone on with is let go by the next upload of that name, and its space comes back with a checkpoint.
  const data = await client.transfer(`STOR /inbox/${cut.replace(' ', '-')}`)
  data.on('error', () => undefined)
  data.write(HALF)
  if (cut === 'data reset') return { cut: () => void data.resetAndDestroy() }
  return { cut: () => void client.socket.destroy(), gone: new Promise((resolve) => data.once('close', resolve)) }
}

async function smtp(cut: 'FIN' | 'RST'): Promise<Upload> {
  const client = await SmtpClient.greeted(server.host('smtp'))
  await client.commands(`AUTH PLAIN ${plainToken(ROOT.key, ROOT.secret)}`)
  await client.envelope('inbox@cenote.local')
  client.write(HALF)
  return { cut: () => (cut === 'FIN' ? client.end() : client.reset()) }
}

const chunk = Buffer.concat([Buffer.from(`${HALF.length.toString(16)}\r\n`), HALF])
const cuts: readonly (readonly [name: string, begin: () => Promise<Upload>])[] = [
  ['HTTP: FIN before the declared length', () => http(['Content-Length: 1000000'], HALF, 'FIN')],
  ['HTTP: reset before the declared length', () => http(['Content-Length: 1000000'], HALF, 'RST')],
  ['HTTP: FIN within a chunk', () => http(['Transfer-Encoding: chunked'], chunk.subarray(0, -1000), 'FIN')],
  ['HTTP: FIN after a chunk that is not the last', () => http(['Transfer-Encoding: chunked'], chunk, 'FIN')],
  ['FTP: data connection reset', () => ftp('data reset')],
  ['FTP: control connection gone', () => ftp('control gone')],
  ['SMTP: FIN before the final dot', () => smtp('FIN')],
  ['SMTP: reset before the final dot', () => smtp('RST')],
]

test.each(cuts)('%s', async (_, begin) => {
  const upload = await begin()
  await untilStaged((bytes) => bytes > 0)
  upload.cut()
  await upload.gone
  await untilStaged((bytes) => bytes === 0)
  expect(await get('/v1/objects/inbox')).toMatchObject({ objects: [] })
})

const declared = (text: string) => `sha-256=:${createHash('sha256').update(text).digest('base64')}:`

test.each([
  ['a digest that differs', { 'Content-Digest': declared('other bytes') }, 'ERR_DIGEST_MISMATCH'],
  ['an MD5 that differs', { 'Content-MD5': createHash('md5').update('other').digest('base64') }, 'ERR_DIGEST_MISMATCH'],
])('HTTP: %s', async (_, headers, code) => {
  const response = await fetch(`${server.address('http')}/v1/objects/inbox/cut`, {
    method: 'PUT',
    headers: { authorization, ...headers },
    body: HALF,
  })
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([400, code])
  await untilStaged((bytes) => bytes === 0)
  expect(await get('/v1/objects/inbox')).toMatchObject({ objects: [] })
})

test('the pool is sound after all that', async () => {
  const response = await fetch(`${server.address('http')}/v1/pools/main/check`, {
    method: 'POST',
    headers: { authorization },
  })
  expect(await response.json()).toMatchObject({ findings: [] })
})
