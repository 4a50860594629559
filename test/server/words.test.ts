import { describe, expect, test } from 'vitest'
import { parseConfiguration } from '../../server/config.ts'
import { createLog } from '../../server/log.ts'
import { createMetrics } from '../../server/metrics.ts'
import { openDoorWarnings, reachable, welcome } from '../../server/welcome.ts'
import type { PoolStatus, SubscriptionSummary } from '../../streams/index.ts'

describe('the log', () => {
  const written = (isTTY: boolean) => {
    const lines: string[] = []
    return { lines, target: { isTTY, write: (text: string) => lines.push(text) } }
  }

  test('is JSON for machines', () => {
    const { lines, target } = written(false)
    createLog('info', target)
      .child({ door: 'ftp' })
      .warn({ err: new Error('why') }, 'what')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 40, door: 'ftp', msg: 'what', err: { message: 'why' } })
  })

  test('is a plain line on a terminal, which obeys nothing in it', () => {
    const { lines, target } = written(true)
    createLog('info', target)
      .child({ door: 'ftp' })
      .warn({ err: new Error('why'), user: '\u001b[2J\n', n: 3 }, 'what')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d warn {2}what {2}why {2}door=ftp {2}user=\\u\{1b\}\[2J\\u\{a\} {2}n=3\n$/)
  })

  test('leaves out what is below its level', () => {
    const { lines, target } = written(false)
    const log = createLog('warn', target)
    log.info('quiet')
    log.error('loud')
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['loud'])
  })
})

describe('the welcome', () => {
  const doors = [
    { protocol: 'http', scheme: 'http', address: '0.0.0.0:8480' },
    { protocol: 'ftp', scheme: 'ftp', address: '127.0.0.1:2121' },
    { protocol: 'smtp', scheme: 'smtp', address: '[::]:2525' },
  ] as const
  const folder = { path: '/srv/cenote', cli: '/srv/cenote/cli.json' }
  const root = { key: 'CNKEY', secret: 'the-secret' }
  const configuration = parseConfiguration({}, {}, { smtp: { domains: ['example.org'] } })

  test('shows the key and the secret once, and a line to paste for each door', () => {
    const words = welcome({ doors, folder, root, isRootNew: true, atomicity: 'enforced' }, configuration)
    expect(words).toContain('  key    CNKEY\n  secret the-secret\n')
    expect(words.match(/curl .*CNKEY:the-secret.*/g)).toEqual([
      expect.stringContaining(' http://127.0.0.1:8480/v1/objects/inbox/'),
      expect.stringContaining(' ftp://127.0.0.1:2121/inbox/'),
      expect.stringContaining(' smtp://[::1]:2525 --mail-from me@example.org --mail-rcpt inbox@example.org'),
    ])
  })

  test('shows no secret later, but where it is', () => {
    const words = welcome({ doors, folder, root, isRootNew: false, atomicity: 'enforced' }, configuration)
    expect(words).toContain('credentials from /srv/cenote/cli.json')
    expect(words).not.toMatch(/curl|the-secret/)
    const environment = welcome(
      { doors, folder, root: undefined, isRootNew: false, atomicity: 'enforced' },
      configuration,
    )
    expect(environment).toContain('credentials from CENOTE_KEY and CENOTE_SECRET')
  })

  test('says what the pool does not promise', () => {
    const words = welcome({ doors, folder, root, isRootNew: false, atomicity: 'none' }, configuration)
    expect(words).toContain('Beware: this pool promises no atomicity')
  })

  test('names addresses that can be connected to', () => {
    expect(['0.0.0.0:1', '[::]:1', '10.0.0.0:1'].map(reachable)).toEqual(['127.0.0.1:1', '[::1]:1', '10.0.0.0:1'])
  })

  test('a door that is open to a network is warned of, one on loopback is not', () => {
    const flags = { http: '0.0.0.0:1', ftp: 'off', smtp: '[::1]:1' }
    expect(openDoorWarnings(parseConfiguration(flags, {}))).toEqual([
      'http listens on 0.0.0.0 without TLS: secrets and content cross the network in clear',
    ])
    const legacy = { ftp: { legacyTls: '127.0.0.1:2991', legacyNetworks: ['10.0.0.0/8'] } }
    expect(openDoorWarnings(parseConfiguration({}, {}, legacy))).toEqual([
      'ftp speaks TLS 1.0 and 1.1 at port 2991, which protects little',
    ])
    expect(openDoorWarnings(parseConfiguration({ http: 'localhost:1' }, {}))).toEqual([])
  })
})

test('metrics show figures as they are when asked', async () => {
  const status: { -readonly [Name in keyof PoolStatus]: PoolStatus[Name] } = {
    state: 'open',
    position: { pool: 'p', epoch: 1, sequence: 7 },
    atomicity: 'enforced',
    layout: 'concat',
    members: [],
    mended: 0,
    health: 'ok',
    bytes: 1000,
    freeBytes: 900,
    historyBytes: 50,
    extentBytes: 40,
    stagedBytes: 10,
    promisedBytes: 12,
    retiredBytes: 11,
    segments: 2,
    commits: 3,
    batches: 2,
    flushes: 5,
    checkpoints: 1,
    recovery: { verdict: 'clean', batchesReplayed: 0, batchesDropped: 0, unreadable: 0 },
  }
  const summary = { application: 'ann', url: '', query: '', format: 'json', created: 0, after: 5, lastDelivery: null }
  const counts = { lag: 2, delivered: 9, failed: 4, deadLetters: 1, lastFailure: null, retiringSecrets: [] }
  const summaries: SubscriptionSummary[] = [{ ...summary, ...counts, id: 'SBA', health: 'failing' }]
  const registry = createMetrics({
    pool: { status: () => status },
    store: {
      status: {
        sequence: 7,
        catalogSequence: 6,
        catalogFailure: undefined,
        index: { phase: 'building', built: 40, objects: 90 },
        uploadsOpen: 2,
        buckets: 1,
        expired: { objects: 3, versions: 5, markers: 2 },
      },
    },
    scrubbing: { totals: { bytes: 4096, repaired: 2, damaged: 1 }, finishedSeconds: 1_800_000_000 },
    subscriptions: { summaries },
  })
  expect(await registry.metrics()).toMatch(
    /cenote_scrub_finished_timestamp_seconds 1800000000[\s\S]*cenote_scrub_bytes_total 4096[\s\S]*repaired_total 2[\s\S]*damaged_total 1/,
  )
  expect(await registry.metrics()).toMatch(
    /cenote_expired_objects_total 3[\s\S]*expired_versions_total 5[\s\S]*expired_markers_total 2/,
  )
  expect(await registry.metrics()).toMatch(
    /cenote_pool_open 1[\s\S]*cenote_catalog_sequence 6[\s\S]*cenote_pool_commits_total 3[\s\S]*process_cpu/,
  )
  expect(await registry.metrics()).toContain('cenote_pool_info{atomicity="enforced",layout="concat",health="ok"} 1')
  const flushes = { count: 3, microseconds: 2500, buckets: [0, 1, 0, ...Array(8).fill(0), 1, ...Array(15).fill(0), 1] }
  const figures = { kind: 'file', io: 'direct', flushMicrosecondsP50: 2048, flushes, stalls: 1, isStalled: true }
  const members = [
    { device: '/a "b"', state: 'in-sync', bytes: 1, figures },
    { state: 'missing', bytes: 1 },
  ]
  Object.assign(status, { members, mended: 2, health: 'degraded' })
  const text = await registry.metrics()
  for (const line of [
    'cenote_pool_info{atomicity="enforced",layout="concat",health="degraded"} 1',
    'cenote_pool_flush_seconds_bucket{le="0.000001",device="/a \\"b\\""} 0',
    'cenote_pool_flush_seconds_bucket{le="0.000002",device="/a \\"b\\""} 1',
    'cenote_pool_flush_seconds_bucket{le="0.002048",device="/a \\"b\\""} 2',
    'cenote_pool_flush_seconds_bucket{le="+Inf",device="/a \\"b\\""} 3',
    'cenote_pool_flush_seconds_sum{device="/a \\"b\\""} 0.0025',
    'cenote_pool_members 2',
    'cenote_pool_members_in_sync 1',
    'cenote_pool_members_stalled 1',
    'cenote_pool_mended_total 2',
    'cenote_pool_retired_bytes 11',
    'cenote_subscription_lag{subscription="SBA"} 2',
    'cenote_subscription_dead_letters{subscription="SBA"} 1',
    'cenote_subscription_failing{subscription="SBA"} 1',
    'cenote_subscription_delivered_total{subscription="SBA"} 9',
    'cenote_subscription_attempts_failed_total{subscription="SBA"} 4',
  ]) {
    expect(text).toContain(line)
  }
  Object.assign(status, { state: 'halted', commits: 4 })
  summaries.pop()
  expect(await registry.metrics()).not.toContain('SBA')
  expect(await registry.metrics()).toMatch(/cenote_pool_open 0[\s\S]*cenote_pool_commits_total 4\n/)
})
