import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cenote, type Environment, requireBuild, runDirectly, Server, shell } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

beforeAll(requireBuild)

const poolOf = (folder: string) => join(folder, 'cenote-data/pool/main/0000.block')
const lines = (text: string) => text.trim().split('\n')

/** What `cenote` prints with --json. */
async function values(folder: string, ...args: string[]): Promise<Array<{ [name: string]: unknown }>> {
  const { code, stdout, stderr } = await cenote(folder, [...args, '--json'])
  if (code !== 0) throw new Error(`cenote ${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout === '' ? [] : lines(stdout).map((line) => JSON.parse(line))
}

/** Overwrites the middle of a file. */
function spoil(path: string): void {
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(200, 0xa5), 0, 200, Math.floor(statSync(path).size / 3))
  closeSync(file)
}

/** The lines to paste of a first start, run as they stand. */
async function pasteWelcome(server: Server): Promise<void> {
  const pasted = server.stdout.match(/^ +(?:echo|printf) .*$/gm) ?? []
  expect(pasted).toHaveLength(3)
  for (const line of pasted) expect(await shell(server.folder, line)).toMatchObject({ code: 0, stderr: '' })
}

/** A PUT whose body is begun and not ended. */
async function beginUpload(server: Server, key: string, length: number): Promise<Socket> {
  const { url, key: id, secret } = server.cli
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname).on('error', () => undefined)
  const authorization = `authorization: Bearer ${id}:${secret}`
  const head = [`PUT /v1/objects/inbox/${key} HTTP/1.1`, 'host: cenote', authorization, 'expect: 100-continue']
  socket.write([...head, `content-length: ${length}`, '', ''].join('\r\n'))
  await new Promise((resolve) => socket.once('data', resolve))
  return socket
}

test('a first start shows lines that work as pasted; after a stop everything is read back and found', async () => {
  const folder = temporaryFolder()
  await using first = await Server.start(folder)
  await pasteWelcome(first)
  const bytes = randomBytes(5_000_000)
  writeFileSync(join(folder, 'large.bin'), bytes)
  const [receipt] = await values(folder, 'put', 'large.bin', 'inbox/deep/er')
  expect(receipt).toMatchObject({ key: 'deep/er/large.bin', size: bytes.length })
  const { secret } = first.cli
  expect(await first.stop()).toMatchObject({ code: 0 })

  await using second = await Server.start(folder)
  expect(second.stdout).toContain(join(folder, 'cenote-data/cli.json'))
  expect(second.stdout).not.toContain(secret)
  const keys = (await values(folder, 'ls', '-r', 'inbox')).map(({ key }) => key)
  expect(keys).toEqual([expect.stringMatching(/\.eml$/), 'deep/er/large.bin', 'hello-ftp.txt', 'hello-http.txt'])
  for (const name of ['hello-ftp.txt', 'hello-http.txt']) {
    expect((await cenote(folder, ['get', `inbox/${name}`, '-'])).stdout).toBe('hello\n')
  }
  expect((await cenote(folder, ['get', `inbox/${keys[0]}`, '-'])).stdout).toContain('Subject: hello\r\n')
  await cenote(folder, ['get', 'inbox/deep/er/large.bin', 'back.bin'])
  expect(readFileSync(join(folder, 'back.bin')).equals(bytes)).toBe(true)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  expect((await values(folder, 'query', `checksum.sha256:${sha256}`))[0]).toMatchObject({ key: 'deep/er/large.bin' })
  expect((await values(folder, 'query', 'email.subject:hello'))[0]).toMatchObject({ key: keys[0] })
  expect(await values(folder, 'query', 'object.size=6')).toHaveLength(2)
  expect((await second.stop('SIGINT')).code).toBe(0)
})

test('after kill -9, and without its catalog, everything that was acknowledged is there', async () => {
  const folder = temporaryFolder()
  await using first = await Server.start(folder)
  await pasteWelcome(first)
  const before = await values(folder, 'ls', '-r', 'inbox')
  const underway = await beginUpload(first, 'underway', 10)
  underway.write('five.')
  await first.kill()
  rmSync(join(folder, 'cenote-data/catalog'), { recursive: true })
  await using _second = await Server.start(folder)
  expect(await values(folder, 'ls', '-r', 'inbox')).toEqual(before)
  expect(before).toHaveLength(3)
  expect(await values(folder, 'pool', 'check')).toEqual([expect.objectContaining({ findings: [] })])
})

test('a stop lets uploads end, for so long and no longer; a second signal does not wait', async () => {
  const folder = temporaryFolder()
  await using patient = await Server.start(folder)
  const late = await beginUpload(patient, 'late', 10)
  // As npm and a terminal do together.
  patient.signal('SIGINT')
  patient.signal('SIGINT')
  await patient.logged('"stopping"')
  const answered = new Promise<string>((resolve) => late.once('data', (data) => resolve(String(data))))
  late.write('ten bytes.')
  expect(await answered).toMatch(/^HTTP\/1.1 201 /)
  expect((await patient.ended()).code).toBe(0)

  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ limits: { drainMsMax: 50 } }))
  await using hasty = await Server.start(folder, ['--config', 'cenote.json'])
  const cut = await beginUpload(hasty, 'cut', 10)
  const closed = new Promise((resolve) => cut.once('close', resolve))
  expect((await hasty.stop()).code).toBe(0)
  await closed

  await using third = await Server.start(folder)
  expect(await values(folder, 'ls', '-r', 'inbox')).toMatchObject([{ key: 'late', size: 10 }])
  await beginUpload(third, 'never', 10)
  expect((await third.insist('SIGTERM')).code).toBe(143)
})

test('a pool that halts refuses everything, says so, and ends the process', async () => {
  const folder = temporaryFolder()
  await using server = await Server.start(folder)
  writeFileSync(join(folder, 'file'), 'content')
  await values(folder, 'put', 'file', 'inbox/before')
  // From now on each write beyond the first block of a file fails: the disk is gone.
  expect((await shell(folder, `prlimit --pid ${server.pid} --fsize=4096`)).code).toBe(0)
  expect((await cenote(folder, ['put', 'file', 'inbox/after'])).code).toBe(1)
  const { url } = server.cli
  expect((await fetch(`${url}/readyz`)).status).toBe(503)
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  const { code, stderr } = await server.ended()
  expect(stderr).toContain('the pool has halted')
  expect(code).toBe(1)
  await using _next = await Server.start(folder)
  expect((await cenote(folder, ['get', 'inbox/before/file', '-'])).stdout).toBe('content')
})

test('a catalog that is damaged while it serves ends the process, and the next start makes it again', async () => {
  const folder = temporaryFolder()
  const files = Array.from({ length: 40 }, (_, index) => `file-${index}`)
  for (const file of files) writeFileSync(join(folder, file), 'content')
  const first = await Server.start(folder)
  await values(folder, 'put', ...files, 'inbox')
  await first.stop()
  const catalog = join(folder, 'cenote-data/catalog/main')
  await (await Server.start(folder)).stop() // Its log becomes a table.
  rmSync(join(catalog, 'TABLES')) // As when it was never closed: nothing is known of the table.
  await using server = await Server.start(folder)
  for (const table of readdirSync(catalog).filter((name) => name.endsWith('.ldb'))) spoil(join(catalog, table))
  expect((await cenote(folder, ['ls', '-r', 'inbox'])).code).not.toBe(0)
  const { code, stderr } = await server.ended()
  expect(stderr).toContain('the catalog has failed (the catalog is damaged')
  expect(code).toBe(1)
  await using _next = await Server.start(folder)
  expect(await values(folder, 'ls', '-r', 'inbox')).toHaveLength(40)
})

test('a start with the root application of the environment writes it to no file; a door that is off stays shut', async () => {
  const folder = temporaryFolder()
  const environment = { CENOTE_ROOT_KEY: 'boss', CENOTE_ROOT_SECRET: 'a root secret' }
  await using server = await Server.start(folder, ['--ftp', 'off'], environment)
  expect(server.address('ftp')).toBe('')
  expect(server.stdout).not.toContain('a root secret')
  expect(readFileSync(join(folder, 'cenote-data/cli.json'), 'utf8')).not.toContain('a root secret')
  expect((await cenote(folder, ['ls'])).code).toBe(2)
  const shown = { CENOTE_KEY: 'boss', CENOTE_SECRET: 'a root secret' }
  expect((await cenote(folder, ['app', 'list', '--json'], shown)).stdout).toMatch(/^\{"id":"boss",/)
})

test('a start that cannot be is refused in one line, and leaves the data as it was', async () => {
  const folder = temporaryFolder()
  const nonsense = await Server.fail(folder, ['--http', 'nonsense'])
  expect(nonsense).toMatchObject({ code: 2, stdout: '' })
  expect(nonsense.stderr).toBe('cenote: --http must be host:port, [address]:port or "off", not "nonsense"\n')

  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ ftp: { passiveHost: 'ftp.example.org' } }))
  for (const [flag, value] of [
    ['--pool-bytes', '16MiB'],
    ['--config', 'cenote.json'],
  ] as const) {
    const small = await Server.fail(folder, [flag, value])
    expect(small).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^cenote: .* must be .*\n$/) })
  }
  const nowhere = await Server.fail(folder, ['--data', '/proc/foo'])
  expect(nowhere).toMatchObject({ code: 1, stdout: '' })
  expect(nowhere.stderr).toMatch(/^cenote: the data folder cannot be made: .*\n$/)
  expect(readdirSync(folder)).toEqual(['cenote.json'])

  const full = await Server.fail(folder, ['--pool-bytes', '4000TiB'])
  expect(full.code).toBe(1)
  expect(lines(full.stderr).at(-1)).toMatch(/^cenote: .* does not fit: .*--pool-bytes/)
  expect(existsSync(poolOf(folder))).toBe(false)

  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const taken = await Server.fail(folder, ['--smtp', `127.0.0.1:${port}`])
  other.close()
  expect(taken.code).toBe(1)
  expect(lines(taken.stderr).at(-1)).toContain(`EADDRINUSE: address already in use 127.0.0.1:${port}`)

  await using server = await Server.start(folder, ['--ftp', '0.0.0.0:0'])
  await server.logged('ftp listens on 0.0.0.0 without TLS')
  expect(server.address('ftp')).toMatch(/^ftp:\/\/127\.0\.0\.1:\d+$/)
  // The start that found its port taken had made the root application, and told nobody.
  expect(server.stdout).toContain(server.cli.secret)
  await server.stop()

  writeFileSync(poolOf(folder), Buffer.alloc(1 << 20))
  const noPool = await Server.fail(folder)
  expect(noPool.code).toBe(1)
  expect(lines(noPool.stderr).at(-1)).toMatch(/^cenote: .*no pool/)
})

test('a closed pool is checked by itself, and a byte that changed is found', async () => {
  const folder = temporaryFolder()
  await using server = await Server.start(folder)
  const bytes = randomBytes(5_000_000)
  writeFileSync(join(folder, 'file'), bytes)
  await values(folder, 'put', 'file', 'inbox')
  await server.stop()
  expect((await cenote(folder, ['pool', 'check'])).code).toBe(0)
  const at = readFileSync(poolOf(folder)).indexOf(bytes.subarray(4_500_000, 4_500_064))
  expect(at).toBeGreaterThan(0)
  const descriptor = openSync(poolOf(folder), 'r+')
  writeSync(descriptor, Buffer.of(bytes[4_500_000]! ^ 1), 0, 1, at)
  closeSync(descriptor)
  const damaged = await cenote(folder, ['pool', 'check'])
  expect(damaged.code).toBe(6)
  expect(damaged.stderr).toContain('cenote: the pool is damaged')

  await using _again = await Server.start(folder)
  const broken = await cenote(folder, ['get', 'inbox/file', 'back'])
  expect(broken).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^cenote: the server broke its answer off: .*\n$/),
  })
  expect(readdirSync(folder).sort()).toEqual(['cenote-data', 'file'])
})

describe('beside a running server', () => {
  let folder: string
  let server: Server
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cenote-serve-'))
    server = await Server.start(folder)
  })
  afterAll(async () => {
    await server.kill()
    rmSync(folder, { recursive: true })
  })

  test('files with secrets are for their owner alone', () => {
    const mode = (name: string) => statSync(join(folder, 'cenote-data', name)).mode & 0o777
    expect(['.', 'master.key', 'cli.json'].map(mode)).toEqual([0o700, 0o600, 0o600])
  })

  test('a second start on the same data is refused in one line, and writes nothing', async () => {
    const { cli } = server
    const listing = () => readdirSync(join(folder, 'cenote-data'), { recursive: true }).sort()
    const before = listing()
    const refused = await Server.fail(folder)
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toBe(`cenote: ${join(folder, 'cenote-data')} is served by another process\n`)
    expect(listing()).toEqual(before)
    expect(server.cli).toEqual(cli)
    expect(await values(folder, 'ls')).toEqual([{ bucket: 'inbox' }])
  })

  test('a command tells by its exit code what went wrong, and says it in one line', async () => {
    const { url, key } = server.cli
    const wrong = { CENOTE_URL: url, CENOTE_KEY: key, CENOTE_SECRET: 'wrong' }
    const absent = { ...wrong, CENOTE_URL: 'http://127.0.0.1:1' }
    const cases: ReadonlyArray<readonly [number, string, Environment, string]> = [
      [3, 'get inbox/nothing', {}, 'cenote: there is no object inbox/nothing'],
      [3, 'app remove nobody', {}, 'cenote: there is no application nobody'],
      [4, 'ls', wrong, 'cenote: unknown key or wrong secret'],
      [5, 'ls', absent, 'cenote: no server answers at http://127.0.0.1:1'],
      [2, 'frobnicate', {}, "cenote: unknown command 'frobnicate'"],
      [2, 'put file', {}, "cenote: missing required argument 'target'"],
      [2, 'query a:b --limit 0', {}, "cenote: option '--limit <n>' argument '0' is invalid"],
      [2, 'ls --data nowhere', {}, 'cenote: no server: set CENOTE_URL'],
      [2, 'ls', { ...wrong, CENOTE_URL: 'ftp://127.0.0.1:1' }, 'cenote: CENOTE_URL must be http://host:port or https:'],
      [2, 'app add bad --types nope', {}, 'cenote: --types must be some of http, ftp, email, not "nope"'],
      [1, 'query a:', {}, 'cenote: '],
    ]
    for (const [code, line, environment, words] of cases) {
      const ended = await cenote(folder, line.split(' '), environment)
      expect([ended.code, line]).toEqual([code, line])
      expect(lines(ended.stderr)).toEqual([expect.stringContaining(words)])
    }
  })

  test('a refusal does not wait for the end of standard input', async () => {
    const line = 'mkfifo pipe; sleep 60 > pipe & cenote put - inbox/x < pipe; code=$?; kill %1; exit $code'
    const refused = await shell(folder, `CENOTE_KEY=nobody; export CENOTE_KEY; ${line}`)
    expect(refused).toMatchObject({ code: 4, stderr: 'cenote: unknown key or wrong secret\n' })
  })

  test('the help documents the exit codes, and where a server is looked for; the version is the package’s', async () => {
    const { code, stdout } = await cenote(folder, ['--help'])
    expect(code).toBe(0)
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect((await cenote(folder, ['--version'])).stdout).toBe(`${version}\n`)
    for (const word of ['Exit codes:', '6  damage found', 'CENOTE_URL', 'put <file...> <target>']) {
      expect(stdout).toContain(word)
    }
  })

  test('the built file runs by itself, as npx runs it', async () => {
    expect(await runDirectly(folder, ['--version'])).toMatchObject({ code: 0, stderr: '' })
  })

  test('a command is quiet when nobody reads on', async () => {
    writeFileSync(join(folder, 'file'), Buffer.alloc(4_000_000))
    expect((await shell(folder, 'cenote put file inbox')).code).toBe(0)
    const line = 'set -o pipefail; cenote get inbox/file - | head -c 1 > /dev/null'
    expect(await shell(folder, line)).toMatchObject({ code: 0, stderr: '' })
  })

  test('an application may use what it was given, and nothing else', async () => {
    const [shown] = await values(folder, 'app', 'add', 'camera', '--types', 'ftp')
    const credentials = `camera:${shown?.secret}`
    const ftp = `echo hello | curl -sS -u ${credentials} -T - ${server.address('ftp')}/inbox/a.txt`
    expect((await shell(folder, ftp)).code).toBe(0)
    const http = `curl -s -o /dev/null -w '%{http_code}' -u ${credentials} ${server.address('http')}/v1/buckets`
    expect((await shell(folder, http)).stdout).toBe('403')
    await cenote(folder, ['app', 'remove', 'camera'])
    expect((await shell(folder, ftp)).code).not.toBe(0)
  })

  test('a scanner that may only write uploads with what curl does of itself, and sees nothing', async () => {
    const args = ['--types', 'ftp', '--permissions', 'object:write']
    const [shown] = await values(folder, 'app', 'add', 'scanner', ...args)
    const curl = (path: string, ...options: string[]) =>
      shell(
        folder,
        `echo hello | curl -sS -u scanner:${shown?.secret} ${options.join(' ')} ${server.address('ftp')}${path}`,
      )
    expect(await curl('/inbox/scans/a.txt', '-T -')).toMatchObject({ code: 0, stderr: '' })
    expect((await cenote(folder, ['get', 'inbox/scans/a.txt', '-'])).stdout).toBe('hello\n')
    expect((await curl('/nowhere/a.txt', '-T -')).stderr).toContain('550')
    for (const path of ['/', '/inbox/', '/inbox/scans/a.txt']) {
      expect((await curl(path)).code, path).not.toBe(0)
      expect((await curl(path)).stdout, path).toBe('')
    }
  })

  test('a password that a person chose comes from standard input, and is not repeated', async () => {
    const added = await shell(folder, `echo 'correct horse' | cenote app add ann --types http --password-stdin`)
    expect(added).toMatchObject({ code: 0, stdout: 'key     ann\nsecret  the password as given\n' })
    const { url, key, secret } = server.cli
    const headers = { authorization: `Bearer ${key}:${secret}`, 'content-type': 'application/json' }
    const content = { id: 'bob', types: ['http'], permissions: [], password: 'battery staple' }
    const answer = await fetch(`${url}/v1/applications`, { method: 'POST', headers, body: JSON.stringify(content) })
    expect([answer.status, await answer.json()]).toEqual([201, { key: 'bob' }])
    expect((await cenote(folder, ['ls'], { CENOTE_KEY: 'ann', CENOTE_SECRET: 'correct horse' })).stdout).toBe('inbox\n')
  })
})
