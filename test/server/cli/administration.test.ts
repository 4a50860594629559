import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { add, list, remove } from '../../../server/cli/app.ts'
import { attributes } from '../../../server/cli/attributes.ts'
import { findConnection } from '../../../server/cli/client.ts'
import { set, show } from '../../../server/cli/policy.ts'
import { check, report } from '../../../server/cli/pool.ts'
import { add as addDevice, replace, status } from '../../../server/cli/pool-devices.ts'
import { scrub, report as scrubReport } from '../../../server/cli/scrub.ts'
import { humanSize, printable } from '../../../server/cli/table.ts'
import type { CheckReport, PoolStatus, ScrubReport } from '../../../streams/index.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { FakeServer, json } from './fake-server.ts'

const exit = (exit: number) => expect.objectContaining({ exit })

let server: FakeServer
beforeEach(async () => {
  server = new FakeServer()
  await server.listen()
})
afterEach(() => server.close())

describe('app', () => {
  const options = { types: 'ftp, email', permissions: 'object:write' }

  test('adds an application and shows its secret', async () => {
    server.answer = json({ key: 'camera', secret: 'generated' }, 201)
    const { shell, said } = server.shell()
    await add(shell, 'camera', options)
    const [{ method, url, body, headers } = expect.fail()] = server.exchanges
    expect(`${method} ${url} ${headers['content-type']}`).toBe('POST /v1/applications application/json')
    expect(JSON.parse(body.toString())).toEqual({
      id: 'camera',
      types: ['ftp', 'email'],
      permissions: ['object:write'],
    })
    expect(said()).toBe('key     camera\nsecret  generated   (shown this once)\n')
  })

  test('takes a password from standard input, and does not repeat it', async () => {
    server.answer = json({ key: 'ann' }, 201)
    const people = server.shell({ input: 'correct horse\r\nrest' })
    await add(people.shell, 'ann', { ...options, passwordStdin: true })
    expect(JSON.parse(String(server.exchanges[0]?.body)).password).toBe('correct horse')
    expect(people.said()).toBe('key     ann\nsecret  the password as given\n')
    const program = server.shell({ input: 'correct horse', json: true })
    await add(program.shell, 'ann', { ...options, passwordStdin: true })
    expect(program.said()).toBe('{"key":"ann"}\n')
  })

  test('refuses an empty password, and a partition that is not served', async () => {
    await expect(add(server.shell().shell, 'a', { ...options, passwordStdin: true })).rejects.toEqual(exit(2))
    await expect(add(server.shell().shell, 'a', { ...options, partition: 'west' })).rejects.toEqual(exit(2))
    expect(server.exchanges).toEqual([])
  })

  const types = '--types must be some of http, ftp, email, not'
  const permissions =
    '--permissions must be some of object:read, object:write, object:retain, object:hold, object:quarantine, ' +
    'bucket:create, ' +
    'bucket:manage, pool:inspect, pool:manage,'
  test.each([
    [{ types: 'http,nope' }, `${types} "nope"`],
    [{ types: ' , ' }, `${types} " , "`],
    [
      { permissions: 'object:read,object:Write' },
      `${permissions} subscription:manage, application:manage, not "object:Write"`,
    ],
  ])('refuses %j, and names what there is', async (change, message) => {
    const { shell } = server.shell({ input: 'correct horse' })
    const refused = add(shell, 'a', { ...options, ...change, passwordStdin: true })
    await expect(refused).rejects.toMatchObject({ exit: 2, message })
    expect(server.exchanges).toEqual([])
  })

  test('adds and sets what an application is held to, and shows it with what it has stored', async () => {
    const detail = {
      id: 'camera',
      types: ['ftp'],
      permissions: [],
      policy: { quotaBytes: 1024, names: ['*.pdf', 'a\u0007'] },
      usage: { bytes: 7, objects: 2 },
    }
    server.answer = json(detail)
    const { shell, said } = server.shell()
    await set(shell, 'camera', {
      quotaBytes: '1KiB',
      names: ' *.pdf , inbox/** ',
      contentTypes: 'none',
      quotaObjects: '0',
      objectBytesMax: '0',
      controlLost: 'keep',
      scan: 'refuse',
    })
    expect(JSON.parse(String(server.exchanges[0]?.body))).toEqual({
      policy: {
        quotaBytes: 1024,
        names: ['*.pdf', 'inbox/**'],
        contentTypes: null,
        quotaObjects: 0,
        objectBytesMax: 0,
        controlLost: 'keep',
        scan: 'refuse',
      },
    })
    await show(shell, 'camera')
    expect(`${server.exchanges[1]?.method} ${server.exchanges[1]?.url}`).toBe('GET /v1/applications/camera')
    const words = said()
    expect(words).toContain('quota bytes  1024\n')
    expect(words).toContain('names        *.pdf,a\\u{7}\n')
    expect(words).toContain('stored       7 bytes, 2 objects\n')
    await add(shell, 'camera', { ...options, quotaObjects: '3' })
    expect(JSON.parse(String(server.exchanges[2]?.body)).policy).toEqual({ quotaObjects: 3 })
    for (const wrong of [{}, { quotaBytes: 'much' }, { quotaObjects: '-1' }, { objectBytesMax: '1 KB' }])
      await expect(set(shell, 'camera', wrong)).rejects.toEqual(exit(2))
    expect(server.exchanges.length).toBe(3)
  })

  test('lists applications in a table', async () => {
    const applications = [
      { id: 'ann', types: ['http'], permissions: [] },
      { id: 'camera', types: ['ftp', 'email'], permissions: ['object:write'] },
    ]
    server.answer = json({ applications })
    const people = server.shell()
    await list(people.shell)
    expect(people.said().split('\n')).toEqual([
      'ID      TYPES      PERMISSIONS',
      'ann     http       -',
      'camera  ftp,email  object:write',
      '',
    ])
    const program = server.shell({ json: true })
    await list(program.shell)
    expect(
      program
        .said()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(applications)
  })

  test('removes an application', async () => {
    server.answer = (response) => response.writeHead(204).end()
    await remove(server.shell().shell, 'camera')
    expect(`${server.exchanges[0]?.method} ${server.exchanges[0]?.url}`).toBe('DELETE /v1/applications/camera')
  })
})

describe('pool', () => {
  const healthy: CheckReport = { records: 3, payloadBytes: 2048, findings: [] }

  test('shows how it is', async () => {
    const pool: PoolStatus = {
      state: 'open',
      position: { pool: 'a-pool', epoch: 2, sequence: 7 },
      atomicity: 'enforced',
      layout: 'concat',
      members: [
        { device: '/dev/a\u001b', state: 'in-sync', bytes: 2 ** 30 },
        { state: 'missing', bytes: 2 ** 30 },
      ],
      mended: 0,
      health: 'ok',
      bytes: 2 ** 30,
      freeBytes: 2 ** 29,
      historyBytes: 2 ** 24,
      extentBytes: 0,
      stagedBytes: 2 ** 21,
      promisedBytes: 2 ** 28,
      retiredBytes: 2 ** 20,
      segments: 1,
      commits: 5,
      batches: 4,
      flushes: 9,
      checkpoints: 1,
      recovery: { verdict: 'torn-tail', batchesReplayed: 3, batchesDropped: 1, unreadable: 0 },
    }
    server.answer = json(pool)
    const { shell, said } = server.shell()
    await status(shell, { data: '/nowhere', degraded: false, client: async () => shell.client })
    expect(server.exchanges[0]?.url).toBe('/v1/pools/main')
    const words = said()
    expect(words).toContain('member 0   in-sync  /dev/a\\u{1b}  1.0 GiB')
    expect(words).toContain('free       512.0 MiB, of which uploads underway were promised 256.0 MiB')
    expect(words).toContain('retired    1.0 MiB to which writes have failed, since the start')
    expect(words).toContain('staged     2.0 MiB of uploads underway, and deleted since the last checkpoint')
    expect(words).toContain('torn-tail, 3 batches replayed, 1 dropped')
  })

  test('gets devices from the server, by absolute paths', async () => {
    server.answer = json({
      layout: 'mirror',
      bytes: 1024,
      members: [{ device: '/dev/b', state: 'in-sync', bytes: 1024 }],
    })
    const { shell, said } = server.shell()
    const place = { data: '/nowhere', degraded: false, client: async () => shell.client }
    await addDevice(shell, place, { bytes: 5 })
    await replace(shell, place, 1, { path: '/dev/b', overwrite: true })
    expect(server.exchanges.map(({ method, url, body }) => `${method} ${url} ${body}`)).toEqual([
      'POST /v1/pools/main/devices {"bytes":5}',
      'PUT /v1/pools/main/devices/1 {"path":"/dev/b","overwrite":true}',
    ])
    expect(said()).toContain('1.0 KiB, mirror:\nmember 0  in-sync  /dev/b  1.0 KiB\n')
  })

  test('is checked by the server', async () => {
    server.answer = json(healthy)
    const { shell, said } = server.shell()
    report(shell, await check(shell))
    expect(`${server.exchanges[0]?.method} ${server.exchanges[0]?.url}`).toBe('POST /v1/pools/main/check')
    expect(said()).toBe('3 records and 2.0 KiB verified, 0 problems found\n')
  })

  test('that is damaged has an exit code of its own', () => {
    const { shell, said } = server.shell()
    const findings = [{ sequence: 2, problem: 'payload 0 is torn' }, { problem: 'a unit is owned twice' }]
    expect(() => report(shell, { ...healthy, findings })).toThrow(exit(6))
    expect(said().split('\n').slice(0, 2)).toEqual(['record 2: payload 0 is torn', 'a unit is owned twice'])
  })
})

describe('pool scrub', () => {
  const whole: ScrubReport = {
    finished: true,
    cursor: null,
    records: 3,
    bytesVerified: 4096,
    copiesVerified: 6,
    repaired: [],
    damaged: [],
    repairedCount: 0,
    damagedCount: 0,
  }
  const finding = { subject: 'payload', kind: 'checksum', member: 1, sequence: 2, offset: 0, length: 65_536 } as const

  test('is done by the server', async () => {
    server.answer = json(whole)
    const { shell, said } = server.shell()
    scrubReport(shell, await scrub(shell, { bytesPerSecond: 1024, resume: true }))
    const [exchange] = server.exchanges
    expect(`${exchange?.method} ${exchange?.url}`).toBe('POST /v1/pools/main/scrub')
    expect(JSON.parse(String(exchange?.body))).toEqual({ bytesPerSecond: 1024, resume: true })
    expect(said()).toBe('3 records and 4.0 KiB verified in all copies, 0 repaired, 0 damaged\n')
  })

  test('tells of what was repaired, which is no failure, and of where to go on', () => {
    const { shell, said } = server.shell()
    const cursor = { stage: 'members', member: 1 } as const
    scrubReport(shell, { ...whole, repaired: [finding], repairedCount: 1, finished: false, cursor })
    expect(said().split('\n')).toEqual([
      'repaired: record 2: payload: checksum on member 1, bytes 0 to 65535',
      '3 records and 4.0 KiB verified in all copies, 1 repaired, 0 damaged',
      'stopped before the end: --resume goes on from here',
      '',
    ])
  })

  test('that finds damage has an exit code of its own', () => {
    const { shell, said } = server.shell()
    const batch = { subject: 'batch', kind: 'stale', sequence: 5, records: 3, note: 'so it is' } as const
    const damaged = { ...whole, damaged: [finding, batch], damagedCount: 2 }
    expect(() => scrubReport(shell, damaged)).toThrow(exit(6))
    expect(said()).toContain('damaged: records 5 to 7: batch: stale (so it is)\n')
  })
})

test('attributes shows the records of an object', async () => {
  const base = { partition: 'main', application: 'ann', protocol: 'http', time: 0, bucket: 'inbox', key: 'a' }
  const records = [
    { ...base, sequence: 1, operation: 'put', attributes: { 'user.n': 1 } },
    { ...base, sequence: 2, operation: 'attributes', set: { 'user.m': ['x', '\u0007'] }, unset: ['user.n'] },
    { ...base, sequence: 3, operation: 'rename', key: 'b', from: { bucket: 'inbox', key: 'a' } },
    { ...base, sequence: 4, operation: 'delete' },
  ]
  server.answer = json({ records })
  const { shell, said } = server.shell()
  await attributes(shell, 'inbox/a')
  expect(server.exchanges[0]?.url).toBe('/v1/attributes/inbox/a')
  expect(said().split('\n')).toEqual([
    '1  1970-01-01 00:00:00Z  put by ann over http',
    '    user.n: 1',
    '2  1970-01-01 00:00:00Z  attributes by ann over http',
    '    user.n: (removed)',
    '    user.m: x,\\u{7}',
    '3  1970-01-01 00:00:00Z  rename by ann over http',
    '    from: inbox/a',
    '    to: inbox/b',
    '4  1970-01-01 00:00:00Z  delete by ann over http',
    '',
  ])
})

describe('the connection', () => {
  const cliFile = (content: object) => {
    const path = join(temporaryFolder(), 'cli.json')
    writeFileSync(path, JSON.stringify(content))
    return path
  }
  const local = { url: 'http://127.0.0.1:1', key: 'root', secret: 'local' }
  const environment = { CENOTE_URL: 'http://far:1', CENOTE_KEY: 'k', CENOTE_SECRET: 's' }

  test('comes from cli.json, or the environment', async () => {
    expect(await findConnection({}, cliFile(local))).toEqual(local)
    expect(await findConnection(environment, '/nowhere')).toEqual({ url: 'http://far:1', key: 'k', secret: 's' })
    const other = { CENOTE_KEY: 'k', CENOTE_SECRET: 's' }
    expect(await findConnection(other, cliFile(local))).toEqual({ ...local, key: 'k', secret: 's' })
  })

  test('never takes the local secret to another server', async () => {
    const { CENOTE_URL } = environment
    await expect(findConnection({ CENOTE_URL }, cliFile(local))).rejects.toThrow('set CENOTE_KEY and CENOTE_SECRET')
    await expect(findConnection({}, '/nowhere')).rejects.toEqual(exit(2))
  })

  test('tells a server that does not answer from one that refuses', async () => {
    const closed = new FakeServer()
    await closed.listen()
    const { shell } = closed.shell()
    await closed.close()
    await expect(list(shell)).rejects.toEqual(exit(5))
    server.answer = json({ detail: 'application camera may not' }, 403)
    await expect(list(server.shell().shell)).rejects.toMatchObject({ exit: 4, message: 'application camera may not' })
    server.answer = (response) => response.writeHead(502).end('<html>')
    await expect(list(server.shell().shell)).rejects.toMatchObject({
      exit: 1,
      message: 'the server answered 502 Bad Gateway',
    })
  })

  test.each([
    'nonsense',
    'ftp://far:1',
    'far:1',
    'http://far/path',
    'http://far/?a',
    'http://far/#a',
    'http://k:s@far',
  ])('is none to %s: only a server is named there', async (url) => {
    const message = 'must be http://host:port or https://host:port, with no path and no credentials in it'
    const refused = findConnection({ ...environment, CENOTE_URL: url }, '/nowhere')
    await expect(refused).rejects.toMatchObject({ exit: 2, message: `CENOTE_URL ${message}` })
    const path = cliFile({ ...local, url })
    await expect(findConnection({}, path)).rejects.toMatchObject({ exit: 2, message: `the url in ${path} ${message}` })
  })
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1.5 * 2 ** 40, '1.5 TiB'],
  [2 ** 53, '8.0 PiB'],
])('%d bytes are %s for people', (bytes, text) => {
  expect(humanSize(bytes)).toBe(text)
})

test('what a terminal would obey is shown as an escape', () => {
  expect(printable('a\u001b]0;x\u0007\n\u009b\u202eb é 水')).toBe('a\\u{1b}]0;x\\u{7}\\u{a}\\u{9b}\\u{202e}b é 水')
})
