import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import type { PoolStatus } from '../../pool/index.ts'
import { loopFor, loopTest, zeroFile } from '../support/loop-devices.ts'
import { cenote, requireBuild, rootAuthorization, rootEnvironment, Server } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

beforeAll(requireBuild)

const run = promisify(execFile)
const MIB = 1 << 20
const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)

const disk = (bytes = 32 * MIB) => loopFor(zeroFile(bytes))

/** What curl uploaded and was told yes to. */
class Uploads {
  readonly #folder = temporaryFolder()
  readonly #digests = new Map<string, string>()
  #count = 0

  get count(): number {
    return this.#digests.size
  }

  /** False when the server did not say yes. */
  async upload(server: Server, bytes = 300_000): Promise<boolean> {
    const name = `upload-${++this.#count}`
    const content = Buffer.alloc(bytes, `${name} of ${SEED}, `)
    const file = join(this.#folder, name)
    writeFileSync(file, content)
    const target = `${server.address('http')}/v1/objects/inbox/${name}`
    const options = ['--silent', '--show-error', '--fail', '--header', `authorization: ${rootAuthorization}`]
    const said = await run('curl', [...options, '--upload-file', file, target]).catch(() => undefined)
    if (said) this.#digests.set(name, createHash('sha256').update(content).digest('hex'))
    return said !== undefined
  }

  /** Uploads until `work` is done, or the server is gone. */
  async meanwhile<T>(server: Server, work: Promise<T>): Promise<T> {
    let isDone = false
    const done = work.finally(() => {
      isDone = true
    })
    while (!isDone && (await this.upload(server))) {}
    return await done
  }

  async expectAll(server: Server): Promise<void> {
    for (const [name, digest] of this.#digests) {
      const answer = await fetch(`${server.address('http')}/v1/objects/inbox/${name}`, { headers })
      const bytes = Buffer.from(await answer.arrayBuffer())
      expect([name, createHash('sha256').update(bytes).digest('hex')]).toEqual([name, digest])
    }
  }
}

const headers = { authorization: rootAuthorization }
const start = (folder: string, ...flags: string[]) => Server.start(folder, flags, rootEnvironment)
const client = (server: Server) => ({
  CENOTE_URL: server.address('http'),
  CENOTE_KEY: 'root',
  CENOTE_SECRET: rootEnvironment.CENOTE_ROOT_SECRET!,
})

/** A command of `cenote pool` that succeeds, on the closed pool or through `server`. */
async function pool(folder: string, args: readonly string[], server?: Server): Promise<PoolStatus> {
  const { code, stdout, stderr } = await cenote(folder, ['pool', ...args, '--json'], server ? client(server) : {})
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

/** As a server tells it. */
async function statusOf(server: Server): Promise<PoolStatus> {
  const answer = await fetch(`${server.address('http')}/v1/pools/main`, { headers })
  return (await answer.json()) as PoolStatus
}

const states = ({ members }: PoolStatus) => members.map(({ state }) => state)
const names = (folder: string) => readdirSync(join(folder, 'cenote-data/pool/main')).sort()

loopTest('a mirror loses a leg, goes on, and gets another while it is written to and killed', [], async () => {
  const folder = temporaryFolder()
  const [one, two, three] = [disk(), disk(), disk()]
  const mirror = ['create', '--layout', 'mirror', '--device', one.path, two.path]
  const refused = await cenote(folder, ['pool', ...mirror])
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/^cenote: R16_SAME_DISK: .* on the disk /)
  await pool(folder, [...mirror, '--accept', 'R16_SAME_DISK'])
  const uploads = new Uploads()
  {
    await using server = await start(folder)
    for (let n = 0; n < 3; n++) expect(await uploads.upload(server)).toBe(true)
    await server.stop()
  }
  two.detach()
  const missing = await Server.fail(folder, [], rootEnvironment)
  expect(missing.code).toBe(1)
  expect(missing.stderr).toMatch(new RegExp(`--degraded.*; 0001.block .*${two.path}`))
  {
    await using server = await start(folder, '--degraded')
    await server.logged('the pool is degraded')
    expect(await (await fetch(`${server.address('http')}/readyz`)).json()).toEqual({ status: 'degraded' })
    expect(await (await fetch(`${server.address('http')}/metrics`)).text()).toContain('cenote_pool_members_in_sync 1')
    expect(states(await statusOf(server))).toEqual(['in-sync', 'missing'])
    const replacing = cenote(folder, ['pool', 'replace-device', '1', three.path], client(server))
    void server
      .logged('member 1 of the pool is replaced: begun')
      .then(() => setTimeout(() => server.signal('SIGKILL'), SEED % 300))
    await uploads.meanwhile(server, replacing)
    await server.ended()
  }
  const before = uploads.count
  {
    await using server = await start(folder, '--degraded')
    await uploads.expectAll(server)
    // It was replaced before the kill, or not: then it is now.
    if (states(await statusOf(server)).includes('missing')) {
      const done = await uploads.meanwhile(server, pool(folder, ['replace-device', '1', three.path], server))
      expect(states(done)).toEqual(['in-sync', 'in-sync'])
      expect(uploads.count).toBeGreaterThan(before)
    }
    await uploads.expectAll(server)
    await server.stop()
  }
  one.detach()
  {
    await using server = await start(folder, '--degraded')
    await uploads.expectAll(server)
    await server.stop()
  }
  expect(await pool(folder, ['check', '--degraded'])).toMatchObject({ findings: [] })
})

loopTest('a concat grows by a device while it is written to, and of a mistake nothing is left', [], async () => {
  const folder = temporaryFolder()
  const [one, two] = [disk(), disk()]
  await pool(folder, ['create', '--device', one.path])
  const uploads = new Uploads()
  {
    await using server = await start(folder)
    const before = await statusOf(server)
    const shared = await cenote(folder, ['pool', 'add-device', one.path], client(server))
    expect(shared).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^cenote: R17_NOT_EXCLUSIVE.*R16_SAME_DISK/),
    })
    const parity = await cenote(folder, ['pool', 'replace-device', '0', two.path], client(server))
    expect(parity.stderr).toMatch(/R24_RESHAPE: nothing stands in for member 0/)
    for (const command of [['add-device'], ['replace-device', '0']]) {
      const nothing = await cenote(folder, ['pool', ...command], client(server))
      expect(nothing).toMatchObject({ code: 2, stderr: expect.stringMatching(/^cenote: name the device, or say/) })
    }
    expect(names(folder)).toEqual(['0000.block'])
    const after = await uploads.meanwhile(server, pool(folder, ['add-device', two.path], server))
    expect(after.bytes).toBe(2 * before.bytes)
    while (await uploads.upload(server, 8 * MIB)) {}
    expect(uploads.count).toBeGreaterThan(4)
    await server.kill()
  }
  await using server = await start(folder)
  await uploads.expectAll(server)
  const { members } = await statusOf(server)
  expect(members.map(({ device }) => device)).toEqual([one.path, two.path])
})

test('a pool grows by itself, up to its bound, and says why no further', async () => {
  const folder = temporaryFolder()
  await using server = await Server.start(folder, ['--pool-bytes', '32MiB', '--pool-max', '64MiB'], rootEnvironment)
  const uploads = new Uploads()
  for (let n = 0; n < 6; n++) await uploads.upload(server, 4 * MIB)
  await server.logged('a device is added to the pool: done')
  expect(names(folder)).toEqual(['0000.block', '0001.block'])
  while (await uploads.upload(server, 4 * MIB)) {}
  await server.logged('the pool fills up and cannot grow')
  expect((await statusOf(server)).bytes).toBeLessThanOrEqual(64 * MIB)
  await uploads.expectAll(server)
})

test('a pool without atomicity says so wherever it is shown', async () => {
  const folder = temporaryFolder()
  const memory = join(temporaryFolder('/dev/shm'), 'disk')
  const create = ['pool', 'create', '--device', memory, '--device-bytes', '32MiB']
  const refused = await cenote(folder, create)
  expect(refused.stderr).toMatch(/^cenote: R10_NO_FLUSH: .* on tmpfs: .*\n$/)
  expect(existsSync(memory)).toBe(false)
  const made = await cenote(folder, [...create, '--atomicity', 'none'])
  expect(made.stdout).toContain('atomicity none\nbeware: ')
  const shown = await cenote(folder, ['pool', 'status'])
  expect(shown.stdout).toMatch(/atomicity +none: what was acknowledged may be torn or lost/)
  const asked = await cenote(folder, ['pool', 'atomicity'])
  expect(asked.stdout).toMatch(/atomicity +none: [\s\S]*durability +not promised[\s\S]*fault model +none/)
  await using server = await start(folder)
  await server.logged('this pool promises no atomicity')
  expect(server.stdout).toContain('Beware: this pool promises no atomicity')
  expect(await (await fetch(`${server.address('http')}/metrics`)).text()).toContain('cenote_pool_info{atomicity="none"')
  const again = await cenote(folder, create)
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is served by another process') })
})

test('pool create says all that is refused, and makes nothing', async () => {
  const refusals: [flags: string[], message: RegExp][] = [
    [['--acknowledge', 'after-write', '--native', '16KiB', '--io', 'mixed'], /R09_.*R11_ASYNC_ACK.*R23_MIXED_IO/],
    [['--layout', 'raid5', '--files', '3'], /R12_PARITY/],
    [
      ['--layout', 'mirror', '--files', '2', '--mirror-acknowledge', 'one', '--journal-copies', '1', '--discard'],
      /R13_WRITE_BEHIND.*R19_JOURNAL_COPIES.*R16_SAME_DISK/,
    ],
    [['--accept', 'R01_STRIPE_LT_UNIT'], /cannot|is not a refusal that can be accepted/],
  ]
  await Promise.all(
    refusals.map(async ([flags, message]) => {
      const folder = temporaryFolder()
      const { code, stderr } = await cenote(folder, ['pool', 'create', ...flags])
      expect([code, stderr]).toEqual([1, expect.stringMatching(message)])
      expect(readdirSync(join(folder, 'cenote-data/pool'))).toEqual([])
    }),
  )
})
