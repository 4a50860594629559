import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { FtpClient } from '../support/ftp-client.ts'
import { ROOT, requireBuild, rootAuthorization, rootEnvironment, Server } from '../support/server-process.ts'
import { plainToken, SmtpClient, wireForm } from '../support/smtp-client.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/* Bytes of every size come back as they were sent, whichever door they came through. */

const KIB = 1024
/** Around what travels inline, a unit, a socket's buffers, a large write, and what a record names without a manifest. */
const SIZES = [
  0,
  1,
  32 * KIB,
  64 * KIB,
  128 * KIB,
  200_000,
  256 * KIB,
  400_000,
  512 * KIB,
  700_000,
  4096 * KIB,
].flatMap((size) => [size - 1, size, size + 1].filter((around) => around >= 0))
const run = promisify(execFile)

test('a whole upload of any size is taken and comes back', async () => {
  requireBuild()
  const folder = temporaryFolder()
  await using server = await Server.start(folder, ['--pool-bytes', '256MiB'], rootEnvironment)
  const ftp = await FtpClient.loggedIn(server.host('ftp'), ROOT.key, ROOT.secret)
  const url = (key: string) => `${server.address('http')}/v1/objects/inbox/${key}`
  const headers = { authorization: rootAuthorization }
  const read = async (key: string) => Buffer.from(await (await fetch(url(key), { headers })).arrayBuffer())
  for (const size of new Set(SIZES)) {
    const bytes = randomBytes(size)
    const file = join(folder, 'upload')
    writeFileSync(file, bytes)
    const fetched = await fetch(url(`fetch/${size}`), { method: 'PUT', headers, body: bytes })
    expect([size, fetched.status]).toEqual([size, 201])
    await run('curl', ['-sS', '-f', '-H', `authorization: ${rootAuthorization}`, '-T', file, url(`curl/${size}`)])
    expect(await ftp.upload(`/inbox/ftp/${size}`, bytes)).toMatch(/^226 /)
    for (const client of ['fetch', 'curl', 'ftp']) expect((await read(`${client}/${size}`)).equals(bytes)).toBe(true)
  }
})

test('a mail of any size is taken and comes back', async () => {
  requireBuild()
  await using server = await Server.start(temporaryFolder(), [], rootEnvironment)
  const client = await SmtpClient.greeted(server.host('smtp'))
  await client.commands(`AUTH PLAIN ${plainToken(ROOT.key, ROOT.secret)}`)
  const headers = { authorization: rootAuthorization }
  for (const size of [200, 32 * KIB, 128 * KIB, 200_000, 700_000, 4096 * KIB]) {
    const message = `Subject: ${size}\r\n\r\n${`${randomBytes(30).toString('hex')}\r\n`.repeat(Math.ceil(size / 62))}`
    expect(await client.message(wireForm(message), 'inbox@cenote.local')).toMatch(/^250 /)
    const found = await fetch(`${server.address('http')}/v1/query?q=email.subject=${size}`, { headers })
    const { objects } = (await found.json()) as { objects: { key: string }[] }
    const stored = await fetch(`${server.address('http')}/v1/objects/inbox/${objects[0]!.key}`, { headers })
    expect((await stored.text()) === message).toBe(true)
  }
})
