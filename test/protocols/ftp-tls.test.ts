import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, type SecureContext, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { promisify } from 'node:util'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { selfSigned } from '../../server/self-signed.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { cameraSecret, type Door, openDoor } from '../support/ftp-door.ts'

type Mode = 'offered' | 'required' | 'implicit'

const fiveMegabytes = randomBytes(5 << 20)
let directory: string
let context: SecureContext
let certificate: string
let door: Door

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ftp-tls-'))
  const pair = await selfSigned(Date.now())
  certificate = pair.certificate
  context = createSecureContext({ cert: pair.certificate, key: pair.key, minVersion: 'TLSv1.2' })
  writeFileSync(join(directory, 'authority.pem'), pair.certificate)
  writeFileSync(join(directory, 'five'), fiveMegabytes)
  return () => rmSync(directory, { recursive: true })
})

afterEach(() => door.frontend.close())

async function open(mode: Mode, { reuseRequired = false, handshakeMsMax = 10_000 } = {}): Promise<FtpClient> {
  const tls = { mode, reuseRequired, context: () => context }
  door = await openDoor({ tls, limits: { handshakeMsMax, closeMsMax: 500 } })
  return FtpClient.open(door.address)
}

/** A client that says what it must for TLS on both connections, and has logged in. */
async function secured(mode: 'offered' | 'required', options = {}): Promise<FtpClient> {
  const client = await open(mode, options)
  await client.reply()
  expect(await client.command('AUTH TLS')).toBe('234 Go on with TLS')
  await client.startTls({ ca: certificate, servername: 'localhost' })
  await client.commands('PBSZ 0', 'PROT P', 'USER camera', `PASS ${cameraSecret}`, 'CWD inbox')
  return client
}

const stored = (key: string) => Buffer.from(door.store.bytesOf('inbox', key) ?? '').toString()

async function overTls(data: ReturnType<typeof connect>, session?: Buffer): Promise<TLSSocket> {
  const options = { ca: certificate, servername: 'localhost', ...(session && { session }) }
  const socket = tlsConnect({ socket: data, ...options })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

describe('what is said', () => {
  test('FEAT tells of it, and only where it is offered', async () => {
    const client = await open('offered')
    await client.reply()
    const features = await client.command('FEAT')
    for (const feature of ['AUTH TLS', 'PBSZ', 'PROT']) expect(features).toContain(`\r\n ${feature}\r\n`)
    await using plain = await openDoor()
    const other = await FtpClient.greeted(plain.address)
    expect(await other.command('FEAT')).not.toContain('AUTH TLS')
    expect(await other.command('AUTH TLS')).toBe('502 TLS is not offered')
  })

  test.each([
    ['AUTH', '504 The mechanism is TLS'],
    ['AUTH GSSAPI', '504 The mechanism is TLS'],
    ['PBSZ 0', '503 Say AUTH TLS first'],
    ['PROT P', '503 Say AUTH TLS first'],
    ['CCC', '503 Say AUTH TLS first'],
  ])('in clear: %s', async (line, reply) => {
    const client = await open('offered')
    await client.reply()
    expect(await client.command(line)).toBe(reply)
  })

  test.each([
    ['AUTH TLS', '503 TLS is up already'],
    ['PBSZ x', '501 PBSZ needs a number'],
    ['PBSZ 0', '200 PBSZ=0'],
    ['PROT', '504 The levels are C and P'],
    ['PROT S', '536 The levels are C and P'],
    ['PROT X', '504 The levels are C and P'],
    ['PROT C', '534 Data connections must be protected: say PROT P'],
    ['PROT P', '200 The protection level is P'],
    ['CCC', '534 What is said stays protected'],
  ])('under TLS: %s', async (line, reply) => {
    const client = await secured('required')
    expect(await client.command(line)).toBe(reply)
  })

  test('PROT comes after PBSZ', async () => {
    const client = await open('offered')
    await client.reply()
    await client.command('AUTH TLS')
    await client.startTls({ ca: certificate, servername: 'localhost' })
    expect(await client.command('PROT P')).toBe('503 Say PBSZ first')
  })

  test('who logged in before is logged out: it may have been somebody else', async () => {
    const client = await open('offered')
    await client.reply()
    await client.commands('USER camera', `PASS ${cameraSecret}`, 'AUTH TLS')
    await client.startTls({ ca: certificate, servername: 'localhost' })
    expect(await client.command('PWD')).toBe('530 Log in first')
    expect(await client.command(`PASS ${cameraSecret}`)).toBe('503 Say USER first')
  })

  test('where TLS is required nobody logs in, and nothing moves, in clear', async () => {
    const client = await open('required')
    await client.reply()
    expect(await client.command('USER camera')).toBe('530 Say AUTH TLS first')
    expect(await client.command(`PASS ${cameraSecret}`)).toBe('503 Say USER first')
    await client.command('AUTH TLS')
    await client.startTls({ ca: certificate, servername: 'localhost' })
    await client.commands('USER camera', `PASS ${cameraSecret}`)
    await client.data()
    expect(await client.command('STOR /inbox/a')).toBe('521 Data connections must be protected: say PROT P')
  })
})

test('where TLS is there from the first byte on nothing moves in clear', async () => {
  const client = await open('implicit')
  await client.startTls({ ca: certificate, servername: 'localhost' })
  await client.reply()
  await client.commands('PBSZ 0', 'USER camera', `PASS ${cameraSecret}`, 'CWD inbox')
  expect(await client.command('PROT C')).toBe('534 Data connections must be protected: say PROT P')
  const upload = await overTls(await client.transfer('STOR a'))
  upload.end('hello')
  expect(await client.reply()).toMatch(/^226 /)
})

describe('nobody puts words under TLS that were said in clear', () => {
  test.each(['AUTH TLS\r\nUSER injected\r\n', 'AUTH TLS\r\nUSER inj'])('%j ends the connection', async (text) => {
    const client = await open('offered')
    await client.reply()
    client.write(text)
    expect(await client.reply()).toBe('421 Nothing may follow AUTH TLS in clear')
    expect(await client.reply()).toBe('')
    await client.closed()
  })

  test('a hundred clients whose hello comes as fast as it can are understood', async () => {
    await open('offered')
    for (let round = 0; round < 100; round++) {
      const client = await FtpClient.greeted(door.address)
      expect(await client.command('AUTH TLS')).toMatch(/^234 /)
      await client.startTls({ ca: certificate, servername: 'localhost' })
      expect(await client.command('NOOP')).toMatch(/^200 /)
      client.socket.destroy()
    }
  })

  test('a client that says no hello is cut off after a time', async () => {
    const client = await open('offered', { handshakeMsMax: 50 })
    await client.reply()
    await client.command('AUTH TLS')
    await client.closed()
  })

  test('and so is one that says something else', async () => {
    const client = await open('offered')
    await client.reply()
    await client.command('AUTH TLS')
    client.write('USER camera\r\n')
    await client.closed()
    expect(door.store.size).toBe(0)
  })
})

describe('what is moved', () => {
  test('goes through TLS in both directions, and the record says so', async () => {
    const client = await secured('offered')
    const upload = await overTls(await client.transfer('STOR a'))
    upload.end('hello')
    expect(await client.reply()).toMatch(/^226 Stored 5 bytes as version 0000000000000001, SHA-256 [0-9a-f]{64}$/)
    expect(door.store.begun[0]?.facts).toMatchObject({ type: 'ftp', secure: true })
    const download = await overTls(await client.transfer('RETR a'))
    const chunks: Buffer[] = []
    for await (const chunk of download) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe('hello')
    expect(await client.reply()).toBe('226 Sent 5 bytes')
  })

  test('goes in clear after PROT C, where that is allowed', async () => {
    const client = await secured('offered')
    await client.commands('PROT C')
    expect(await client.upload('a', 'hello')).toMatch(/^226 /)
  })

  test('a data connection that is reset under TLS stores nothing', async () => {
    const client = await secured('offered')
    const connection = await client.transfer('STOR a')
    const data = await overTls(connection)
    await new Promise((written) => data.write('half', written))
    connection.resetAndDestroy()
    expect(await client.reply()).toMatch(/^426 /)
    expect(door.store.size).toBe(0)
  })

  test('ABOR stops an upload under TLS', async () => {
    const client = await secured('offered')
    const data = await overTls(await client.transfer('STOR a'))
    data.write('half')
    expect(await client.command('ABOR')).toBe('426 The transfer was aborted')
    expect(await client.reply()).toBe('226 ABOR done')
    expect(door.store.size).toBe(0)
  })

  test('a data connection on which TLS does not come up is refused, and the session goes on', async () => {
    const client = await secured('offered')
    const data = await client.transfer('STOR a')
    data.on('error', () => {}).end('in clear')
    expect(await client.reply()).toBe('425 TLS did not come up on the data connection')
    expect(await client.command('NOOP')).toMatch(/^200 /)
    expect(door.store.size).toBe(0)
  })

  test('and so is one that stays silent', async () => {
    const client = await secured('offered', { handshakeMsMax: 200 })
    await client.transfer('STOR a')
    expect(await client.reply()).toBe('425 TLS did not come up on the data connection')
  })

  test('where reuse is required a data connection goes on with the session of the control connection', async () => {
    const client = await secured('required', { reuseRequired: true })
    const stranger = await overTls(await client.transfer('STOR a'))
    stranger.end('hello')
    expect(await client.reply()).toMatch(/^522 /)
    const data = await overTls(await client.transfer('STOR a'), client.tlsSession)
    data.end('hello')
    expect(await client.reply()).toMatch(/^226 /)
    expect(stored('a')).toBe('hello')
  })
})

/** Whether the tests of a client can run; says so in one line when they cannot. */
function has(client: string): boolean {
  try {
    execFileSync(client, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.log(`skipped: FTP under TLS with ${client}, which is not installed`)
    return false
  }
}

/** What a client prints; it runs in the temporary directory. */
async function run(client: string, ...args: string[]): Promise<string> {
  const options = { cwd: directory, maxBuffer: 64 << 20, timeout: 60_000 }
  return (await promisify(execFile)(client, args, options)).stdout
}

/** Clients know the certificate by the name localhost, which they resolve to the address of the door. */
const host = () => `localhost:${door.port}`
const schemes: readonly (readonly [mode: Mode, scheme: string])[] = [
  ['required', 'ftp'],
  ['implicit', 'ftps'],
]

describe.each(schemes)('clients, TLS %s', (mode, scheme) => {
  test.skipIf(!has('curl'))('curl', async () => {
    await open(mode)
    const curl = (...args: string[]) =>
      run('curl', '-4sS', '--ssl-reqd', '--cacert', 'authority.pem', '-u', `camera:${cameraSecret}`, ...args)
    await curl('-T', 'five', `${scheme}://${host()}/inbox/five`)
    await curl('-o', 'curl.back', `${scheme}://${host()}/inbox/five`)
    expect(readFileSync(join(directory, 'curl.back')).equals(fiveMegabytes)).toBe(true)
    expect(await curl('-l', `${scheme}://${host()}/inbox/`)).toBe('five\n')
  })

  test.skipIf(!has('lftp')).each(['true', 'false'])('lftp, passive %s', async (passive) => {
    await open(mode)
    const settings = [
      'set cmd:fail-exit yes',
      'set net:max-retries 1',
      'set net:timeout 10',
      'set dns:order inet',
      'set xfer:clobber yes',
      'set ssl:ca-file authority.pem',
      'set ftp:ssl-force true',
      'set ftp:ssl-protect-data true',
      `set ftp:passive-mode ${passive}`,
      `open -p ${door.port} -u camera,'${cameraSecret}' ${scheme}://localhost/inbox`,
    ]
    const lines = await run('lftp', '-c', [...settings, 'put five', 'get five -o lftp.back', 'cls --size'].join('\n'))
    expect(lines.trim()).toBe('5120 five')
    expect(readFileSync(join(directory, 'lftp.back')).equals(fiveMegabytes)).toBe(true)
  })

  test.skipIf(!has('python3'))("Python's ftplib", async () => {
    await open(mode)
    const implicit = `
class Implicit(ftplib.FTP_TLS):
  @property
  def sock(self): return self._sock
  @sock.setter
  def sock(self, value):
    wrap = value is not None and not isinstance(value, ssl.SSLSocket)
    self._sock = self.context.wrap_socket(value, server_hostname='localhost') if wrap else value
`
    const lines = await run(
      'python3',
      '-c',
      `
import ftplib, io, ssl
${mode === 'implicit' ? implicit : ''}
context = ssl.create_default_context(cafile='authority.pem')
ftp = ${mode === 'implicit' ? 'Implicit' : 'ftplib.FTP_TLS'}(context=context)
ftp.connect('localhost', ${door.port}, timeout=10)
ftp.login('camera', '${cameraSecret}')
ftp.prot_p()
ftp.cwd('inbox')
five = open('five', 'rb').read()
print(ftp.storbinary('STOR five', io.BytesIO(five)))
back = io.BytesIO()
ftp.retrbinary('RETR five', back.write)
print(back.getvalue() == five, ftp.size('five'), ftp.nlst())
print(ftp.quit())
`,
    )
    expect(lines.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(/^226 Stored 5242880 bytes as version 0000000000000001, SHA-256 [0-9a-f]{64}$/),
      "True 5242880 ['five']",
    ])
  })
})
