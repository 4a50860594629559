import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { VerifyEvent, VerifySummary } from '../../streams/index.ts'
import { cenote, requireBuild, Server } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

beforeAll(requireBuild)

/** Checkpoints come soon, so that a test need not wait for one. */
async function start(folder: string, ...args: string[]): Promise<Server> {
  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ limits: { checkpointRecordsMax: 4 } }))
  return Server.start(folder, ['--config', 'cenote.json', '--pool-bytes', '24MiB', ...args])
}

async function put({ cli }: Server, key: string, body: string | Buffer): Promise<void> {
  const headers = { authorization: `Bearer ${cli.key}:${cli.secret}` }
  const { status } = await fetch(`${cli.url}/v1/objects/inbox/${key}`, { method: 'PUT', headers, body })
  if (status !== 201) throw new Error(`a put was answered with ${status}`)
}

/** What `cenote verify --json` says. */
async function verify(folder: string, ...args: string[]) {
  const ended = await cenote(folder, ['verify', ...args, '--json'])
  const events = ended.stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as VerifyEvent]))
  const summary = events.find((event): event is VerifySummary => event.type === 'summary')
  const codes = [...new Set(events.flatMap((event) => (event.type === 'finding' ? [event.code] : [])))]
  return { ...ended, codes, summary }
}

const keysOf = async (folder: string): Promise<{ id: string; state: string }[]> =>
  (await cenote(folder, ['key', 'list', '--json'])).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('what is stored is verified on the server, in the closed folder, and as evidence where there is neither', async () => {
  const folder = temporaryFolder()
  const large = Buffer.alloc(300_000, 'large ')
  await using server = await start(folder)
  await put(server, 'docs/file', 'hello\n')
  await put(server, 'deep/file', large)
  expect(await verify(folder)).toMatchObject({ code: 0, codes: [], summary: { sound: true, payloads: 2 } })
  expect(await verify(folder, 'inbox/deep/file')).toMatchObject({ code: 0, summary: { bytes: large.length } })
  expect((await cenote(folder, ['export', '--evidence', 'inbox/deep/file'])).code).toBe(0)
  expect((await cenote(folder, ['key', 'rotate'])).code).toBe(0)
  await put(server, 'later/file', 'later\n')
  expect((await cenote(folder, ['export', '--evidence', 'inbox/later/file', '--output', 'later.tar'])).code).toBe(0)
  const [first, second] = await keysOf(folder)
  expect([first!.state, second!.state]).toEqual(['retired', 'active'])
  const published = await (await fetch(`${server.cli.url}/v1/keys`)).text()
  expect((await server.stop()).code).toBe(0)

  const closed = await verify(folder, '--trust', first!.id)
  expect(closed).toMatchObject({ code: 0, codes: [], summary: { payloads: 3, unsigned: 0 } })
  expect(closed.summary!.keys.map(({ id }) => id)).toEqual([first!.id, second!.id])
  expect(await verify(folder, '--trust', second!.id)).toMatchObject({ code: 1, codes: ['KEY_UNTRUSTED'] })

  // Another machine: no data folder, no server, no word of either.
  const elsewhere = temporaryFolder()
  for (const file of ['file.evidence.tar', 'later.tar']) copyFileSync(join(folder, file), join(elsewhere, file))
  writeFileSync(join(elsewhere, 'keys.json'), published)
  expect(await verify(elsewhere, 'file.evidence.tar')).toMatchObject({ code: 0, summary: { bytes: large.length } })
  expect(await verify(elsewhere, 'later.tar', '--trust', 'keys.json')).toMatchObject({ code: 0 })
  expect(await verify(elsewhere, 'later.tar', '--trust', first!.id)).toMatchObject({ code: 0 })
  expect(await verify(elsewhere, 'file.evidence.tar', '--trust', second!.id)).toMatchObject({ code: 1 })
  expect(await verify(elsewhere, 'no-such-file.tar')).toMatchObject({ code: 2, stdout: '' })
  expect(await verify(elsewhere, 'later.tar', '--trust', 'no-such-file')).toMatchObject({ code: 2, stdout: '' })
  const listed = spawnSync('tar', ['tf', join(elsewhere, 'later.tar')], { encoding: 'utf8' })
  if (!listed.error) expect(listed.stdout.trim().split('\n').at(-1)).toMatch(/^payloads\/\d{16}$/)
})

test('older versions are evidence, too: one by its id, or all that are kept', async () => {
  const folder = temporaryFolder()
  await using server = await start(folder)
  await cenote(folder, ['bucket', 'set', 'inbox', '--versioning', 'enabled'])
  for (const text of ['first\n', 'second\n']) await put(server, 'a', text)
  const listed = (await cenote(folder, ['versions', 'inbox/a', '--json'])).stdout.trim().split('\n')
  const { version } = JSON.parse(listed.at(-1)!) as { version: string }
  const [one, all] = [
    ['--version', version, '--output', 'one.tar'],
    ['--versions', 'all', '--output', 'all.tar'],
  ] as const
  for (const which of [one, all])
    expect((await cenote(folder, ['export', '--evidence', 'inbox/a', ...which])).code).toBe(0)
  expect((await cenote(folder, ['export', '--evidence', 'inbox/a', '--version', '0000000000000001'])).code).toBe(3)
  await server.stop()
  expect(await verify(folder, 'one.tar')).toMatchObject({ code: 0, summary: { payloads: 1, bytes: 6 } })
  expect(await verify(folder, 'all.tar')).toMatchObject({ code: 0, summary: { payloads: 2, bytes: 13 } })
})

test('a bundle is verified without opening a socket, a data folder or any file but its own', async () => {
  const traced = spawnSync('strace', ['-V'])
  if (traced.error) return console.log('skipped: there is no strace')
  const folder = temporaryFolder()
  await using server = await start(folder)
  await put(server, 'a/file', 'hello\n')
  await cenote(folder, ['export', '--evidence', 'inbox/a/file', '--output', 'a.tar'])
  await server.stop()
  const main = join(import.meta.dirname, '../../dist/server/main.js')
  const trace = ['-f', '-qq', '-e', 'trace=socket,connect,open,openat', '-o', join(folder, 'trace')]
  const { status } = spawnSync('strace', [...trace, process.execPath, main, 'verify', 'a.tar'], { cwd: folder })
  const calls = readFileSync(join(folder, 'trace'), 'utf8')
  expect([status, calls.includes('a.tar')]).toEqual([0, true])
  expect(calls).not.toMatch(/AF_INET|cenote-data/)
})

test('after kill -9, before a checkpoint or after it, the chain goes on and every record is covered', async () => {
  const folder = temporaryFolder()
  for (let life = 0; life < 3; life++) {
    await using server = await start(folder)
    // One more record each time: of three lives, each ends at another place between two checkpoints.
    for (let count = 0; count <= life; count++) await put(server, `life-${life}-${count}`, 'text')
    await server.kill()
  }
  expect(await verify(folder)).toMatchObject({ code: 0, codes: [] })
  await using server = await start(folder)
  await server.stop()
  const { summary } = await verify(folder)
  expect(summary).toMatchObject({ sound: true, unsigned: 0, payloads: 6 })
  expect(summary!.keys).toHaveLength(1)
})

test('a signing key that is lost is told, and is replaced only when that is asked for', async () => {
  const folder = temporaryFolder()
  await using first = await start(folder)
  await put(first, 'a', 'text')
  await first.stop()
  const path = join(folder, 'cenote-data/signing-keys.json')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  rmSync(path)
  const refused = await Server.fail(folder, ['--pool-bytes', '24MiB'])
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/the signing key [0-9a-f]{64} is lost: put it back from a backup/)
  await using second = await start(folder, '--replace-signing-key')
  await second.stop()
  expect(await verify(folder)).toMatchObject({ code: 1, codes: ['KEY_SIGNATURE'] })
})
