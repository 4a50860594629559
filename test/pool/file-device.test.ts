import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  createPool,
  FileDevice,
  type FileDeviceOptions,
  openPool,
  POOL_BYTES_MIN,
  type Pool,
} from '../../pool/index.ts'
import type { Stall } from '../../pool/stall-watch.ts'
import { alignedSharedBuffer } from '../../system/index.ts'
import { worker, workerThat } from '../support/file-device.ts'
import { cachedBytes } from '../support/loop-devices.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const MIB = 1 << 20

function zeroFile(bytes = MIB): string {
  const path = join(temporaryFolder(), 'device')
  writeFileSync(path, Buffer.alloc(bytes))
  return path
}

describe.each(['buffered', 'direct'] as const)('a file device, %s,', (io) => {
  const open = (path = zeroFile(), options: FileDeviceOptions = {}) => FileDevice.open(path, { worker, io, ...options })

  test('reads back what it wrote, from plain and from shared memory, aligned or not', async () => {
    const device = open()
    const plain = Buffer.alloc(4096, 'a')
    const shared = Buffer.from(new SharedArrayBuffer(1024)).fill('b')
    const aligned = alignedSharedBuffer(4096).fill('c')
    await device.write(8192, plain)
    await device.write(0, shared)
    await device.write(4096, aligned)
    await device.write(2048, aligned.subarray(512, 1024))
    await device.write(1024, aligned.subarray(1, 513))
    await device.flush()
    const target = Buffer.alloc(12_288)
    await device.read(0, target)
    expect(target.subarray(0, 1024)).toEqual(Buffer.alloc(1024, 'b'))
    expect(target.subarray(1024, 1536)).toEqual(Buffer.alloc(512, 'c'))
    expect(target.subarray(1536, 2048)).toEqual(Buffer.alloc(512))
    expect(target.subarray(2048, 2560)).toEqual(Buffer.alloc(512, 'c'))
    expect(target.subarray(4096, 8192)).toEqual(Buffer.from(aligned))
    expect(target.subarray(8192)).toEqual(plain)
    expect(device.io).toBe(io)
    await device.close()
  })

  test('reads and writes more than one request takes', async () => {
    const path = zeroFile(4 * MIB)
    const device = open(path)
    const bytes = Buffer.from(Uint32Array.from({ length: (3 * MIB) / 4 }, (_, i) => i).buffer)
    expect(device.limits.requestBytesMax).toBeLessThan(bytes.length)
    await device.write(512, bytes)
    const target = Buffer.alloc(bytes.length)
    await device.read(512, target)
    expect(target.equals(bytes)).toBe(true)
    await device.close()
    expect(
      readFileSync(path)
        .subarray(512, 512 + bytes.length)
        .equals(bytes),
    ).toBe(true)
  })

  test('keeps a write whole, or refuses it', async () => {
    const device = open(zeroFile(4 * MIB))
    const { requestBytesMax } = device.limits
    const bytes = Buffer.alloc(requestBytesMax, 'x')
    await device.write(4096, bytes, { unsplit: true })
    const target = Buffer.alloc(requestBytesMax)
    await device.read(4096, target)
    expect(target.equals(bytes)).toBe(true)
    const larger = Buffer.alloc(requestBytesMax + 512)
    await expect(device.write(0, larger, { unsplit: true })).rejects.toMatchObject({
      code: 'ERR_LIMITS',
      message: expect.stringMatching(/^R22_REQ_SHAPE: /),
    })
    await device.write(0, larger)
    await device.close()
  })

  test.each([
    ['off a block', 100, 512],
    ['part of a block', 0, 100],
    ['beyond the end', MIB, 512],
    ['across the end', MIB - 512, 1024],
    ['nothing', 0, 0],
  ])('refuses a request %s', async (_, offset, length) => {
    const device = open()
    await expect(device.write(offset, Buffer.alloc(length))).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    await expect(device.read(offset, Buffer.alloc(length))).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    await device.close()
  })

  test('is held by one opener at a time, and free again after close', async () => {
    const path = zeroFile()
    const device = open(path)
    expect(() => open(path)).toThrow(expect.objectContaining({ code: 'ERR_LOCKED' }))
    await device.close()
    await device.close()
    await open(path).close()
  })

  test('refuses everything after close', async () => {
    const device = open()
    await device.close()
    await expect(device.flush()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await expect(device.read(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  test('a file that has shrunk gives an error, not zeros', async () => {
    const path = zeroFile()
    const device = open(path)
    spawnSync('truncate', ['-s', '4096', path])
    await expect(device.read(8192, Buffer.alloc(512))).rejects.toMatchObject({
      code: 'ERR_IO',
      message: 'read of 512 bytes at 8192 failed: short read: only 0 bytes are there',
    })
    await device.close()
  })

  test('leaves no page in the cache that it did not bring there', async () => {
    const path = zeroFile()
    spawnSync('sync', [path])
    expect(cachedBytes(path)).toBe(MIB)
    const device = open(path)
    await device.flush() // The thread has begun.
    expect(cachedBytes(path)).toBe(0)
    await device.write(0, Buffer.alloc(8192, 'x'))
    await device.read(0, Buffer.alloc(8192))
    expect(cachedBytes(path)).toBe(io === 'direct' ? 0 : 8192)
    await device.close()
  })

  test('counts its flushes, and how long they took', async () => {
    const device = open()
    expect(device.figures.flushes.count).toBe(0)
    for (let i = 0; i < 3; i++) await device.flush()
    await device.write(0, Buffer.alloc(512))
    expect(device.figures.flushes.count).toBe(3)
    expect(device.figures.flushes.microsecondsMax).toBeGreaterThan(0)
    await device.close()
  })
})

describe('a file device', () => {
  test('is direct or buffered by itself, and says which', async () => {
    const path = zeroFile()
    const device = FileDevice.open(path, { worker })
    expect(['direct', 'buffered']).toContain(device.io)
    await device.close()
    expect(readdirSync(dirname(path))).toEqual(['device'])
    expect(readFileSync(path).equals(Buffer.alloc(MIB))).toBe(true)
  })

  test.each([
    ['nothing', () => join(temporaryFolder(), 'none'), 'ERR_NOT_FOUND'],
    ['a name below a file', () => join(zeroFile(), 'none'), 'ERR_NOT_FOUND'],
    ['a folder', temporaryFolder, 'ERR_LIMITS'],
    ['a terminal', () => '/dev/null', 'ERR_LIMITS'],
  ])('does not open %s', (_, path, code) => {
    expect(() => FileDevice.open(path(), { worker })).toThrow(expect.objectContaining({ code }))
  })

  test('is not taken by a pool when another process holds it', () => {
    const path = zeroFile()
    const { status } = spawnSync('flock', ['--exclusive', '--nonblock', path, process.execPath, '-e', ''])
    expect(status).toBe(0)
    const device = FileDevice.open(path, { worker })
    expect(spawnSync('flock', ['--exclusive', '--nonblock', path, 'true']).status).toBe(1)
    return device.close()
  })
})

describe('a file device whose thread answers as it is told', () => {
  const EIO = `{ code: 'ERR_IO', message: 'EIO' }`

  test('never writes or flushes again after a flush that failed, and reads on', async () => {
    const device = FileDevice.open(zeroFile(), { worker: workerThat(`request.kind === 'flush' ? ${EIO} : undefined`) })
    const flush = device.flush()
    const behind = device.write(0, Buffer.alloc(512))
    const read = device.read(0, Buffer.alloc(512))
    await expect(flush).rejects.toMatchObject({ code: 'ERR_IO', message: 'EIO' })
    await expect(behind).rejects.toMatchObject({ code: 'ERR_HALTED' })
    for (const request of [device.flush(), device.write(0, Buffer.alloc(512))]) {
      await expect(request).rejects.toMatchObject({ code: 'ERR_HALTED', cause: { code: 'ERR_IO' } })
    }
    await read
    await device.read(0, Buffer.alloc(512))
    await device.close()
    await expect(device.read(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  test('takes nothing any more once a read after a failed flush was given up', async () => {
    const clock = new ManualClock()
    const answer = `request.kind === 'flush' ? ${EIO} : 'silence'`
    const device = FileDevice.open(zeroFile(), { worker: workerThat(answer), clock, stallMs: 50, failMs: 200 })
    const flush = device.flush().catch((error: unknown) => error)
    const reads = [0, 512].map((offset) => device.read(offset, Buffer.alloc(512)).catch((error: unknown) => error))
    await flush
    clock.run(200)
    for (const read of reads) expect(await read).toMatchObject({ code: 'ERR_IO' })
    await expect(device.read(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_HALTED' })
    await device.close()
  })

  test('goes on after a read or a write that failed', async () => {
    const device = FileDevice.open(zeroFile(), { worker: workerThat(`request.kind === 'flush' ? undefined : ${EIO}`) })
    await expect(device.read(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_IO' })
    await expect(device.write(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_IO' })
    await device.flush()
    expect(device.figures.flushes).toMatchObject({ count: 1, microsecondsMax: 1500 })
    await device.close()
  })

  test('tells of a flush that does not end, gives it up at last, and is then of no use', async () => {
    const clock = new ManualClock()
    const stalls: Stall[] = []
    const path = zeroFile()
    const silent = workerThat(`request.kind === 'flush' ? 'silence' : undefined`)
    const onStall = (stall: Stall) => stalls.push(stall)
    const device = FileDevice.open(path, { worker: silent, clock, onStall })
    await device.write(0, Buffer.alloc(512))
    clock.run(100_000)
    expect(stalls).toEqual([])
    const flush = device.flush().catch((error: unknown) => error)
    const behind = device.write(0, Buffer.alloc(512)).catch((error: unknown) => error)
    clock.run(59_000)
    expect(stalls).toEqual([{ kind: 'flush', milliseconds: 10_000 }])
    expect(device.figures).toMatchObject({ stalls: 1, isStalled: true })
    clock.run(1_000)
    expect(await flush).toMatchObject({ code: 'ERR_IO', message: 'a flush has taken 60000 ms and is given up' })
    expect(await behind).toMatchObject({ code: 'ERR_IO' })
    await expect(device.write(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_HALTED' })
    await device.close()
    await FileDevice.open(path, { worker }).close()
  })

  test.each(['flush', 'write', 'read'])('gives up a %s as soon as it is told to', async (kind) => {
    const clock = new ManualClock()
    const stalls: Stall[] = []
    const options = { clock, stallMs: 50, failMs: 200, onStall: (stall: Stall) => stalls.push(stall) }
    const device = FileDevice.open(zeroFile(), { worker: workerThat(`'silence'`), ...options })
    const request = {
      flush: () => device.flush(),
      write: () => device.write(0, Buffer.alloc(512)),
      read: () => device.read(0, Buffer.alloc(512)),
    }[kind]!()
    const outcome = request.catch((error: unknown) => error)
    clock.run(199)
    expect(stalls).toEqual([{ kind, milliseconds: 50 }])
    clock.run(1)
    expect(await outcome).toMatchObject({ code: 'ERR_IO' })
    await device.close()
  })

  test.each([
    ['dies', `(() => { throw new Error('a defect') })()`],
    ['ends', `(parentPort.close(), 'silence')`],
  ])('whose thread %s fails what is underway', async (_, answer) => {
    const device = FileDevice.open(zeroFile(), { worker: workerThat(answer) })
    await expect(device.write(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_IO' })
    await expect(device.flush()).rejects.toMatchObject({ code: 'ERR_HALTED' })
    await device.close()
  })
})

async function commit(pool: Pool, bytes: Buffer): Promise<number> {
  const transaction = pool.begin()
  const payload = transaction.stage()
  for (let offset = 0; offset < bytes.length; offset += 65_536)
    await payload.write(bytes.subarray(offset, offset + 65_536))
  return await transaction.commit(() => ({
    records: [{ content: Buffer.from('x'), payloads: [payload] }],
    releases: [],
  }))
}

async function read(pool: Pool, sequence: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of pool.read(sequence, 0)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('a pool on a block file', () => {
  test.each(['direct', 'buffered'] as const)('keeps small and large payloads at real sizes, %s', async (io) => {
    const path = join(temporaryFolder(), 'pool')
    const steps: number[] = []
    await createPool(path, { members: [{ bytes: 64 * MIB }], io }, { worker, onProgress: (done) => steps.push(done) })
    expect(steps.at(-1)).toBe(64 * MIB)
    expect(statSync(join(path, '0000.block')).blocks * 512).toBeGreaterThanOrEqual(64 * MIB)
    const large = Buffer.alloc(9 * MIB + 12_345, 'large ')
    const small = Buffer.alloc(4096, 'small ')
    const pool = await openPool(path, { worker })
    expect(pool.status().members[0]!.figures).toMatchObject({ kind: 'file', io, stalls: 0, isStalled: false })
    const sequences = await Promise.all([commit(pool, large), commit(pool, small), commit(pool, Buffer.alloc(0))])
    await pool.close()
    const again = await openPool(path, { worker })
    expect(again.status().recovery.verdict).toBe('clean')
    expect((await read(again, sequences[0])).equals(large)).toBe(true)
    expect((await read(again, sequences[1])).equals(small)).toBe(true)
    expect(await read(again, sequences[2])).toHaveLength(0)
    expect(await again.check()).toMatchObject({ records: 3, findings: [] })
    await again.close()
  })

  test('is opened once at a time', async () => {
    const path = join(temporaryFolder(), 'pool')
    await createPool(path, { members: [{ bytes: POOL_BYTES_MIN }] }, { worker })
    const pool = await openPool(path, { worker })
    await expect(openPool(path, { worker })).rejects.toMatchObject({ code: 'ERR_LOCKED' })
    await pool.close()
    await (await openPool(path, { worker })).close()
  })
})
