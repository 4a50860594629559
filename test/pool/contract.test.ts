import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  chooseFormat,
  MemoryDevice,
  type Pool,
  PoolError,
  type Release,
  type Sequence,
  type Staging,
} from '../../pool/index.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { formatDevice, openDevice } from '../support/single-device.ts'

const DEVICE_BYTES = 64 << 20

async function blockPool(): Promise<Pool> {
  const device = new MemoryDevice(DEVICE_BYTES, 4096)
  await formatDevice(device, chooseFormat(DEVICE_BYTES), { pool: randomBytes(16), member: randomBytes(16) })
  return openDevice(device, { tuning: { sealIdleMs: 0, checkpointMsMax: 0 } })
}

const bytesOf = (text: string) => Buffer.from(text)
const refusal = (code: string) => ({ name: 'PoolError', code })

/** Commits one record with a payload for each text, and releases. */
async function put(pool: Pool, content: string, texts: readonly string[] = [], releases: readonly Release[] = []) {
  const transaction = pool.begin()
  const payloads = texts.map(() => transaction.stage())
  for (const [index, text] of texts.entries()) await payloads[index]!.write(bytesOf(text))
  return transaction.commit(() => ({ records: [{ content: bytesOf(content), payloads }], releases }))
}

async function read(pool: Pool, sequence: Sequence, payload = 0, range?: { offset: number; length: number }) {
  const chunks: Uint8Array[] = []
  for await (const chunk of pool.read(sequence, payload, range)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function replay(pool: Pool, from: Sequence) {
  const records = []
  for await (const { sequence, content, payloads } of pool.replay(from))
    records.push([sequence, Buffer.from(content).toString(), payloads])
  return records
}

describe.each([
  ['in memory', async () => memoryPool({ bytesMax: DEVICE_BYTES, transactionBytesMax: 1 << 18 })],
  ['on blocks', blockPool],
])('a pool %s', (_where, open) => {
  test('drops a payload, and sheds another from memory: the rest is committed', async () => {
    const pool = await open()
    const transaction = pool.begin()
    const [kept, dropped, large, shed] = [1, 2, 3, 4].map(() => transaction.stage()) as [Staging, ...Staging[]]
    await kept.write(bytesOf('kept'))
    await dropped!.write(bytesOf('dropped'))
    await large!.write(Buffer.alloc(1 << 20))
    await shed!.write(bytesOf('she'))
    await shed!.shed()
    await shed!.write(bytesOf('d'))
    await shed!.shed()
    await transaction.drop(dropped!)
    await transaction.drop(large!)
    const sequence = await transaction.commit(() => ({
      records: [{ content: bytesOf('two'), payloads: [shed!, kept] }],
      releases: [],
    }))
    expect([await read(pool, sequence), await read(pool, sequence, 1)]).toEqual(['shed', 'kept'])
    expect((await pool.check()).findings).toEqual([])
    expect(pool.status()).toMatchObject({ stagedBytes: 0 })
  })

  test('keeps records in sequence, with payloads that are read by parts', async () => {
    const pool = await open()
    expect(await put(pool, 'one', ['hello', ''])).toBe(1)
    expect(await put(pool, 'two')).toBe(2)
    expect(pool.position.sequence).toBe(2)
    expect(await read(pool, 1)).toBe('hello')
    expect(await read(pool, 1, 1)).toBe('')
    expect(await read(pool, 1, 0, { offset: 1, length: 3 })).toBe('ell')
    expect(await read(pool, 1, 0, { offset: 4, length: 9 })).toBe('o')
    expect(await pool.record(1)).toMatchObject({ sequence: 1, payloads: [5, 0] })
    expect(await replay(pool, 1)).toEqual([
      [1, 'one', [5, 0]],
      [2, 'two', []],
    ])
    expect(await replay(pool, 2)).toHaveLength(1)
    expect(await replay(pool, 3)).toEqual([])
    await expect(pool.record(3)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    await expect(read(pool, 1, 2)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  })

  test('gives transactions of one turn their places in the order of their commits, and several records in a row', async () => {
    const pool = await open()
    const places: Sequence[] = []
    const commit = (contents: string[]) =>
      pool.begin().commit((first) => {
        places.push(first)
        return { records: contents.map((content) => ({ content: bytesOf(content), payloads: [] })), releases: [] }
      })
    expect(await Promise.all([commit(['a', 'b']), commit(['c']), commit(['d'])])).toEqual([1, 3, 4])
    expect(places).toEqual([1, 3, 4])
  })

  test('gives the place of what drafting refuses to the next, and takes the bytes back', async () => {
    const pool = await open()
    const { freeBytes } = pool.status()
    const transaction = pool.begin()
    await transaction.stage().write(Buffer.alloc(1 << 20, 'x'))
    expect(pool.status().freeBytes).toBeLessThan(freeBytes)
    const refused = transaction.commit(() => {
      throw new Error('not now')
    })
    const outcomes = await Promise.allSettled([refused, put(pool, 'one')])
    expect(outcomes).toMatchObject([{ reason: { message: 'not now' } }, { value: 1 }])
    expect(pool.status().stagedBytes).toBe(0)
    await expect(transaction.commit(() => ({ records: [], releases: [] }))).rejects.toMatchObject(refusal('ERR_CLOSED'))
  })

  test('says that it refuses what was drafted, before it drafts the next', async () => {
    const pool = await open()
    const said: string[] = []
    const commit = (name: string, bytes: number) =>
      pool.begin().commit((first) => {
        said.push(`${name} drafted at ${first}`)
        const refused = () => said.push(`${name} refused`)
        return { records: [{ content: Buffer.alloc(bytes), payloads: [] }], releases: [], refused }
      })
    const large = commit('large', pool.limits.transactionBytesMax + 1)
    const [outcome, small] = await Promise.allSettled([large, commit('small', 1)])
    expect(outcome).toMatchObject({ status: 'rejected', reason: refusal('ERR_LIMITS') })
    expect(small).toEqual({ status: 'fulfilled', value: 1 })
    expect(said).toEqual(['large drafted at 1', 'large refused', 'small drafted at 1'])
  })

  test('lets a payload go and keeps the record; a read begun before goes on', async () => {
    const pool = await open()
    const text = 'x'.repeat(200_000)
    await put(pool, 'one', [text, 'other'])
    const reading = pool.read(1, 0)[Symbol.asyncIterator]()
    const first = await reading.next()
    await put(pool, 'two', [], [{ sequence: 1, payload: 0 }])
    await pool.checkpoint()
    await put(pool, 'three', ['y'.repeat(200_000)])
    let length = first.value!.length
    for (let next = await reading.next(); !next.done; next = await reading.next()) {
      expect(Buffer.from(next.value).every((byte) => byte === 0x78)).toBe(true)
      length += next.value.length
    }
    expect(length).toBe(200_000)
    await expect(read(pool, 1)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    expect(await read(pool, 1, 1)).toBe('other')
    expect(await pool.record(1)).toMatchObject({ payloads: [200_000, 5] })
  })

  test('refuses bytes that it has no room for, and the commit of them; aborting makes room', async () => {
    const pool = await open()
    const transaction = pool.begin()
    const staging = transaction.stage()
    const chunk = Buffer.alloc(1 << 20)
    const fill = async () => {
      for (let bytes = 0; bytes <= DEVICE_BYTES; bytes += chunk.length) await staging.write(chunk)
    }
    await expect(fill()).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
    const content = bytesOf('one')
    const committing = transaction.commit(() => ({ records: [{ content, payloads: [staging] }], releases: [] }))
    await expect(committing).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
    expect(pool.position.sequence).toBe(0)
    expect(pool.status().stagedBytes).toBe(0)

    const other = pool.begin()
    await other.stage().write(chunk)
    await other.abort()
    await other.abort()
    expect(pool.status().stagedBytes).toBe(0)
    expect(() => other.stage()).toThrow(PoolError)
    expect(await put(pool, 'one', ['x'.repeat(1 << 20)])).toBe(1)
  })

  test.each([10, 200_000])(
    'what is written once it is sealed is not of what is prepared, of %d bytes',
    async (length) => {
      const pool = await open()
      const transaction = pool.begin()
      const staging = transaction.stage()
      await staging.write(Buffer.alloc(length, 'a'))
      const draft = () => ({ records: [{ content: bytesOf('prepared'), payloads: [staging] }], releases: [] })
      let later: Promise<void> | undefined
      const prepared = await transaction.prepare(draft, () => {
        later = staging.write(Buffer.alloc(length, 'b'))
      })
      await later
      expect(await read(pool, prepared)).toBe('a'.repeat(length))
      const sequence = await transaction.commit(draft)
      expect(await read(pool, sequence)).toBe('a'.repeat(length) + 'b'.repeat(length))
      expect(pool.status().stagedBytes).toBe(0)
    },
  )

  test('what is prepared is one record, which may let go of another', async () => {
    const pool = await open()
    const first = await put(pool, 'one', ['x'])
    const transaction = pool.begin()
    const staging = transaction.stage()
    await staging.write(bytesOf('y'))
    const record = { content: bytesOf('two'), payloads: [staging] }
    const none = { content: bytesOf('three'), payloads: [] }
    const two = () => ({ records: [record, none], releases: [] })
    await expect(transaction.prepare(two)).rejects.toThrow('one record')
    const releases = [{ sequence: first, payload: 0 }]
    const second = await transaction.prepare(() => ({ records: [record], releases }))
    await expect(read(pool, first)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    expect(await read(pool, second)).toBe('y')
  })

  test.each([10, 200_000])(
    'goes on with %d bytes that were prepared, and their record lets go of them',
    async (length) => {
      const pool = await open()
      const transaction = pool.begin()
      const staging = transaction.stage()
      await staging.write(Buffer.alloc(length, 'a'))
      const prepared = await transaction.prepare((sequence) => ({
        records: [{ content: bytesOf(`prepared at ${sequence}`), payloads: [staging] }],
        releases: [],
      }))
      expect(await replay(pool, 1)).toEqual([[1, 'prepared at 1', [length]]])
      await staging.write(Buffer.alloc(length, 'b'))
      await expect(pool.resume(prepared)).rejects.toMatchObject(refusal('ERR_BUSY'))
      const busy = put(pool, 'two', [], [{ sequence: prepared, payload: 0 }])
      await expect(busy).rejects.toMatchObject(refusal('ERR_BUSY'))
      await transaction.abort()

      const resumed = await pool.resume(prepared)
      expect(resumed.payloads.map((payload) => payload.length)).toEqual([length])
      await resumed.payloads[0]!.write(Buffer.alloc(3, 'c'))
      const draft = { records: [{ content: bytesOf('done'), payloads: resumed.payloads }], releases: [] }
      const sequence = await resumed.transaction.commit(() => draft)
      expect(await read(pool, sequence)).toBe(`${'a'.repeat(length)}ccc`)
      await expect(read(pool, prepared)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
      await expect(pool.resume(prepared)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
      expect(pool.status().stagedBytes).toBe(0)
      expect((await pool.check()).findings).toEqual([])
    },
  )

  test('gives the space of everything back that is let go', async () => {
    const pool = await open()
    const live = () => pool.status().extentBytes
    await put(pool, 'one', ['x'.repeat(200_000)])
    expect(live()).toBeGreaterThanOrEqual(200_000)
    await put(pool, 'two', ['y'.repeat(100_000)], [{ sequence: 1, payload: 0 }])
    await put(pool, 'three', [], [{ sequence: 2, payload: 0 }])
    await pool.checkpoint()
    expect(live()).toBe(0)
    expect(await pool.check()).toMatchObject({ records: 3, payloadBytes: 0, findings: [] })
  })

  test('is closed once commits underway are done, and says so then', async () => {
    const pool = await open()
    const committing = put(pool, 'one')
    await pool.close()
    const [outcome] = await Promise.allSettled([committing])
    expect(outcome!.status === 'fulfilled' || (outcome as PromiseRejectedResult).reason instanceof PoolError).toBe(true)
    expect(() => pool.begin()).toThrow(expect.objectContaining(refusal('ERR_CLOSED')))
    await expect(pool.record(1)).rejects.toMatchObject(refusal('ERR_CLOSED'))
    expect(pool.status().state).toBe('closed')
    await pool.close()
  })
})

describe('a pool in memory', () => {
  test('takes nobody who has lost count of what is let go', async () => {
    const pool = memoryPool()
    await put(pool, 'one', ['x'])
    await put(pool, 'two', [], [{ sequence: 1, payload: 0 }])
    await expect(put(pool, 'three', [], [{ sequence: 1, payload: 0 }])).rejects.toThrow('is not there')
    await expect(put(pool, 'three', ['x'], [{ sequence: 3, payload: 0 }])).rejects.toThrow('is not earlier')
    const stray = pool.begin()
    stray.stage()
    const content = bytesOf('four')
    const committing = stray.commit(() => ({ records: [{ content, payloads: [] }], releases: [] }))
    await expect(committing).rejects.toThrow('a record owns each payload')
    expect(pool.position.sequence).toBe(2)
  })

  test('has a bounded queue, and halts for good when a flush fails', async () => {
    let fails = false
    const flush = async () => {
      if (fails) throw new Error('the device is gone')
    }
    const pool = memoryPool({ queueTransactionsMax: 1, flush })
    const outcomes = await Promise.allSettled([put(pool, 'one'), put(pool, 'two')])
    expect(outcomes).toMatchObject([{ value: 1 }, { reason: refusal('ERR_BUSY') }])
    fails = true
    await expect(put(pool, 'three')).rejects.toMatchObject(refusal('ERR_OUTCOME_UNKNOWN'))
    fails = false
    expect(() => pool.begin()).toThrow(expect.objectContaining(refusal('ERR_HALTED')))
    expect(await replay(pool, 1)).toHaveLength(1)
  })
})
