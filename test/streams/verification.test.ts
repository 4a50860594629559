import { beforeAll, describe, expect, test } from 'vitest'
import { ObjectCheck } from '../../streams/custody/object-check.ts'
import { signed } from '../../streams/custody/signed-record.ts'
import {
  type CheckpointRecord,
  decodeRecord,
  type ObjectRecord,
  type PutRecord,
  verifyStream,
} from '../../streams/index.ts'
import {
  CopiedPool,
  type CustodyHarness,
  collect,
  openSigned,
  signedHistory,
  verifyPool,
} from '../support/custody-harness.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { keyNamed, MemoryChest } from '../support/signing.ts'
import { named, openHarness, origin, originOf, putText, refusal } from '../support/store-harness.ts'

let history: CustodyHarness
let sound: CopiedPool
beforeAll(async () => {
  history = await signedHistory()
  sound = await CopiedPool.of(history.pool)
})

describe('what is sound', () => {
  test('has no finding, and a summary that counts what there is', async () => {
    const { findings, summary } = await verifyPool(sound)
    expect(findings).toEqual([])
    const checkpoints = sound.records.filter(({ content }) => decodeRecord(content).operation === 'checkpoint')
    expect(summary).toMatchObject({
      sound: true,
      records: sound.records.length,
      objects: 8,
      payloads: 7,
      bytes: ['second', 'bytes of c', 'bytes of d', 'version one', 'version three', 'under a marker'].join('').length,
      released: 4,
      checkpoints: checkpoints.length,
      checkpoint: { sequence: checkpoints.at(-1)!.sequence },
      unsigned: 0,
    })
    const vouching = summary.keys.reduce((sum, key) => sum + key.checkpoints, 0)
    expect([summary.keys.length, vouching]).toEqual([2, checkpoints.length])
  })

  test.each([1, 2, 3, 100])('is found so in passes of %i objects', async (objectsMax) => {
    const { findings, summary } = await verifyPool(sound, {}, { objectsMax })
    expect(findings).toEqual([])
    expect(summary).toMatchObject({ objects: 8, payloads: 7, released: 4 })
  })

  test('stays so while it is written to, replaced and renamed over', async () => {
    const { store, custody, pool } = await openSigned()
    for (const key of ['a', 'b', 'c', 'd']) await putText(store, named(key), key)
    const source = { pool, settled: () => Promise.resolve() }
    let rounds = 0
    for await (const event of verifyStream(source, {}, { progressRecords: 1 })) {
      if (event.type === 'finding') expect.fail(event.detail)
      if (event.type !== 'progress' || rounds++ > 3) continue
      await putText(store, named('a'), `again ${rounds}`)
      await putText(store, named('x'), 'x')
      await store.rename(origin, named('x'), named('b'))
      await store.remove(origin, named('c'))
    }
    expect(rounds).toBeGreaterThan(4)
    await putText(store, named('late'), 'late')
    expect((await collect(await custody.verify(origin, {}))).findings).toEqual([])
  })

  test('what was replaced between the record and its bytes is no finding', async () => {
    const { store, pool } = await openSigned()
    await putText(store, named('a'), 'one')
    await putText(store, named('b'), 'two')
    const { position } = pool
    const source = { position, replay: pool.replay.bind(pool), read: pool.read.bind(pool) }
    await putText(store, named('a'), 'three')
    await putText(store, named('c'), 'four')
    await store.rename(origin, named('c'), named('b'))
    expect(await verifyPool(source)).toMatchObject({ codes: [], summary: { released: 2 } })
  })
})

describe('a scope says whose bytes are read', () => {
  test.each([
    [{ bucket: 'other' }, 4],
    [{ bucket: 'inbox', key: 'a' }, 1],
    [{ bucket: 'inbox', key: 'c' }, 1],
    [{ bucket: 'inbox' }, 3],
  ])('%j', async (scope, payloads) => {
    const { findings, summary } = await verifyPool(sound, scope)
    expect(findings).toEqual([])
    expect(summary).toMatchObject({ payloads, records: sound.records.length })
  })

  test.each([{ bucket: 'nowhere' }, { bucket: 'inbox', key: 'mistyped' }, { bucket: 'other', key: 'a' }])(
    '%j is of nothing, and not called sound',
    async (scope) => {
      await expect(verifyPool(sound, scope)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
      const [first] = sound.records
      const damaged = sound.copy()
      damaged.lost.add(first!.sequence)
      expect((await verifyPool(damaged, scope)).codes).toContain('RECORD_UNREADABLE')
      const forged = sound.copy()
      forged.put(first!.sequence, Buffer.from('no record'))
      expect((await verifyPool(forged, scope)).codes).toContain('RECORD_MALFORMED')
    },
  )

  test('a bucket without an object is sound', async () => {
    const { pool, store } = await openHarness({ pool: memoryPool() })
    await store.createBucket(origin, 'empty')
    expect((await verifyPool(pool, { bucket: 'empty' })).summary).toMatchObject({ sound: true, payloads: 0 })
  })

  test('and damage elsewhere is passed over, but that of records never', async () => {
    const damaged = sound.copy()
    damaged.payloads.set(damaged.last('put'), Buffer.from('other'))
    expect((await verifyPool(damaged, { bucket: 'inbox' })).codes).toEqual([])
    expect((await verifyPool(damaged, { bucket: 'other' })).codes).toEqual(['BYTES_DIGEST', 'BYTES_SIZE'])
  })
})

describe('bytes', () => {
  test('that differ are found, with the version, what was expected and what is there', async () => {
    const damaged = sound.copy()
    const sequence = damaged.last('put')
    const { digests } = decodeRecord(damaged.at(sequence).content) as PutRecord
    damaged.payloads.set(sequence, Buffer.from('Bytes of d'))
    const { findings } = await verifyPool(damaged)
    expect(findings).toMatchObject([
      {
        code: 'BYTES_DIGEST',
        sequence,
        bucket: 'other',
        key: 'd',
        version: String(sequence).padStart(16, '0'),
        expected: digests.sha256,
        found: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ])
  })

  test('that are gone are found where no record says why', async () => {
    for (const sequence of sound.payloads.keys()) {
      const damaged = sound.copy()
      damaged.payloads.delete(sequence)
      expect((await verifyPool(damaged)).codes).toEqual(['BYTES_MISSING'])
    }
  })
})

test('thousands of versions of one object that were removed late are accounted for, one by one', () => {
  const versions = 20_000
  const found: string[] = []
  const check = new ObjectCheck(0, 1, ({ code, sequence }) => found.push(`${code} ${sequence}`))
  const put = decodeRecord(sound.at(sound.last('put')).content) as PutRecord
  const base = { ...put, object: '1'.padStart(16, '0'), versioning: 'enabled' } as const
  const previous = (sequence: number) => ({ partition: '', object: sequence === 1 ? '' : `${sequence - 1}` })
  const take = (record: ObjectRecord, isGone: boolean) =>
    check.take({ ...record, previous: previous(record.sequence) }, `${record.sequence}`, isGone)
  for (let sequence = 1; sequence <= versions; sequence++) take({ ...base, sequence }, true)
  for (let version = 2; version <= versions; version++) {
    const { digests: _, attributes: __, size: ___, versioning: ____, ...name } = base
    take({ ...name, operation: 'delete', sequence: versions + version - 1, version }, false)
  }
  expect(found).toEqual([])
  check.reportMissing()
  expect(found).toEqual(['BYTES_MISSING 1'])
})

describe('records', () => {
  test('that cannot be read are named, and what follows is verified all the same', async () => {
    const damaged = sound.copy()
    damaged.lost.add(4)
    damaged.lost.add(5)
    damaged.payloads.set(damaged.last('put'), Buffer.from('Bytes of d'))
    const { findings, codes } = await verifyPool(damaged)
    expect(codes).toEqual(['BYTES_DIGEST', 'RECORD_UNREADABLE'])
    expect(findings.filter(({ code }) => code === 'RECORD_UNREADABLE')).toMatchObject([
      { sequence: 4, through: 4 },
      { sequence: 5, through: 5 },
    ])
  })

  test('that are left out, or taken twice, break the chain', async () => {
    for (const { sequence } of sound.records.slice(0, -1)) {
      const shorter = sound.copy()
      shorter.records.splice(sequence - 1, 1)
      expect((await verifyPool(shorter)).codes).toContain('PARTITION_CHAIN')
    }
  })

  test('that are changed, and everything after them made to fit, are not what was signed', async () => {
    const rewritten = sound.copy()
    rewritten.change(4, (record) => ({ ...record, application: 'somebody-else' }))
    rewritten.rechain()
    const { codes } = await verifyPool(rewritten)
    expect(codes).toEqual([
      'CHECKPOINT_BEFORE',
      'CHECKPOINT_DIGEST',
      'CHECKPOINT_ROOT',
      'CHECKPOINT_SIGNATURE',
      'KEY_SIGNATURE',
    ])
  })

  test('that say the same in another form are found, though every signature is right', async () => {
    const damaged = sound.copy()
    const last = damaged.at(damaged.last('checkpoint'))
    damaged.put(last.sequence, Buffer.from(Buffer.from(last.content).toString('latin1').replace('{', '{ '), 'latin1'))
    expect((await verifyPool(damaged)).codes).toEqual(['RECORD_MALFORMED'])
  })

  test('that do not follow in the stream of their object are found, though the chain of the partition is right', async () => {
    const { store, pool } = await openHarness({ pool: memoryPool() })
    for (const text of ['one', 'two', 'three']) await putText(store, named('a'), text)
    const unlinked = await CopiedPool.of(pool)
    unlinked.change(3, (record) => ({ ...record, previous: { ...record.previous, object: '' } }))
    unlinked.rechain({ keepsObjects: true })
    const { findings } = await verifyPool(unlinked)
    expect(findings.map(({ code, sequence }) => [code, sequence])).toEqual([
      ['OBJECT_CHAIN', 3],
      ['OBJECT_CHAIN', 4],
    ])
  })

  test('older than the one before are found', async () => {
    const damaged = sound.copy()
    damaged.change(5, (record) => ({ ...record, time: 1 }))
    expect((await verifyPool(damaged)).codes).toContain('RECORD_TIME')
  })
})

describe('checkpoints and keys', () => {
  const forged = (by: string, change: (record: CheckpointRecord) => Partial<CheckpointRecord> = () => ({})) => {
    const pool = sound.copy()
    pool.change(pool.last('checkpoint'), (record) => {
      const { signature: _, ...unsigned } = record as CheckpointRecord
      return signed({ ...unsigned, signer: keyNamed(by).id, ...change(record as CheckpointRecord) }, keyNamed(by))
    })
    return pool
  }

  test('a checkpoint by nobody, and by a key that is retired, is found; by the right one it is sound', async () => {
    expect((await verifyPool(forged('nobody'))).codes).toEqual(['KEY_UNKNOWN'])
    expect((await verifyPool(forged('key 1'))).codes).toEqual(['KEY_RETIRED'])
    expect((await verifyPool(forged('key 2'))).codes).toEqual([])
  })

  test.each([
    ['CHECKPOINT_POOL', () => ({ pool: 'another' })],
    ['CHECKPOINT_BEFORE', () => ({ before: { sequence: 0, digest: '' } })],
    ['CHECKPOINT_COVERAGE', ({ covers }: CheckpointRecord) => ({ covers: { ...covers, first: covers.first + 1 } })],
    ['CHECKPOINT_COVERAGE', ({ covers }: CheckpointRecord) => ({ covers: { ...covers, records: covers.records + 1 } })],
    ['CHECKPOINT_COVERAGE', ({ covers }: CheckpointRecord) => ({ covers: { ...covers, records: 65_537 } })],
    ['CHECKPOINT_DIGEST', ({ covers }: CheckpointRecord) => ({ covers: { ...covers, digest: '0'.repeat(64) } })],
    ['CHECKPOINT_ROOT', ({ covers }: CheckpointRecord) => ({ covers: { ...covers, root: '0'.repeat(64) } })],
  ])('%s is found though the signature is right', async (code, change) => {
    expect((await verifyPool(forged('key 2', change))).codes).toEqual([code])
  })

  test('one who puts a history of its own in place is told by a pinned key alone', async () => {
    const { pool } = await signedHistory({ chest: new MemoryChest('mallory') })
    expect((await verifyPool(pool)).codes).toEqual([])
    const { codes, summary } = await verifyPool(pool, { trust: [keyNamed('key 1').id] })
    expect([codes, summary.findings]).toEqual([['KEY_UNTRUSTED'], summary.checkpoints])
  })

  test('a history from which every signature was taken is told by a pinned key', async () => {
    const { store, pool } = await openHarness({ pool: memoryPool() })
    await putText(store, named('a'), 'nobody has signed it')
    expect((await verifyPool(pool)).summary).toMatchObject({ sound: true, checkpoints: 0, unsigned: 2 })
    const { codes, summary } = await verifyPool(pool, { trust: [keyNamed('key 1').id] })
    expect([codes, summary.sound, summary.findings]).toEqual([['KEY_UNTRUSTED'], false, 1])
  })

  test('a pinned key vouches for those that it introduced, and not for those before it', async () => {
    const [first, second] = await history.custody.keys()
    expect((await verifyPool(sound, { trust: [first!.id] })).codes).toEqual([])
    const { findings, codes } = await verifyPool(sound, { trust: [second!.id] })
    expect(codes).toEqual(['KEY_UNTRUSTED'])
    expect(new Set(findings.map(({ found }) => found))).toEqual(new Set([first!.id]))
    const { summary } = await verifyPool(sound, { trust: ['0'.repeat(64)] })
    expect(summary.findings).toBe(summary.checkpoints)
  })

  test('records after the last checkpoint are counted: of them the chain alone speaks', async () => {
    const { store, pool } = await openSigned()
    await putText(store, named('a'), 'a')
    const { summary, codes } = await verifyPool(pool)
    expect([codes, summary.unsigned, summary.checkpoint]).toEqual([[], 3, null])
  })
})

const SEED = seedOf(1)
const POSITIONS = 700

/* Some of them; test/long/tampering.test.ts has as many as there is time for. */
test(`no byte of any record can change without a finding (seed ${SEED})`, async () => {
  const random = seededRandom(SEED)
  const places = sound.places()
  for (let count = 0; count < POSITIONS; count++) {
    const place = random.pick(places)
    const { summary } = await verifyPool(sound.tampered(place, random.below(8)))
    expect(summary.sound, `byte ${place.at} of record ${place.sequence}`).toBe(false)
  }
})

test('is asked for with object:read, and one at a time', async () => {
  const { custody, store } = await openSigned()
  await putText(store, named('a'), 'a')
  await expect(custody.verify(originOf(['object:write']), {})).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
  const first = (await custody.verify(origin, {}))[Symbol.asyncIterator]()
  await first.next()
  await expect(collect(await custody.verify(origin, {}))).rejects.toMatchObject(refusal('ERR_BUSY'))
  await first.return?.()
  expect((await collect(await custody.verify(origin, {}))).summary.sound).toBe(true)
})
