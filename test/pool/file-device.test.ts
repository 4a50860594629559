import { spawnSync } from 'node:child_process'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createPool, FileDevice, openPool, POOL_BYTES_MIN, type Pool } from '../../pool/index.ts'
import { worker } from '../support/file-device.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const MIB = 1 << 20

function zeroFile(bytes = MIB): string {
  const path = join(temporaryFolder(), 'device')
  writeFileSync(path, Buffer.alloc(bytes))
  return path
}

describe('a file device', () => {
  test('reads back what it wrote, from plain and from shared memory', async () => {
    const device = FileDevice.open(zeroFile(), { worker })
    const plain = Buffer.alloc(4096, 'a')
    const shared = Buffer.from(new SharedArrayBuffer(1024)).fill('b')
    await device.write(8192, plain)
    await device.write(0, shared)
    await device.flush()
    const target = Buffer.alloc(12_288)
    await device.read(0, target)
    expect(target.subarray(0, 1024)).toEqual(Buffer.alloc(1024, 'b'))
    expect(target.subarray(1024, 8192)).toEqual(Buffer.alloc(7168))
    expect(target.subarray(8192)).toEqual(plain)
    await device.close()
  })

  test.each([
    ['off a block', 100, 512],
    ['part of a block', 0, 100],
    ['beyond the end', MIB, 512],
    ['across the end', MIB - 512, 1024],
    ['nothing', 0, 0],
  ])('refuses a request %s', async (_, offset, length) => {
    const device = FileDevice.open(zeroFile(), { worker })
    await expect(device.write(offset, Buffer.alloc(length))).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    await expect(device.read(offset, Buffer.alloc(length))).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    await device.close()
  })

  test('is held by one opener at a time, and free again after close', async () => {
    const path = zeroFile()
    const device = FileDevice.open(path, { worker })
    expect(() => FileDevice.open(path, { worker })).toThrow(expect.objectContaining({ code: 'ERR_LOCKED' }))
    await device.close()
    await FileDevice.open(path, { worker }).close()
  })

  test('refuses everything after close', async () => {
    const device = FileDevice.open(zeroFile(), { worker })
    await device.close()
    await expect(device.flush()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await expect(device.read(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  test('a file that has shrunk gives an error, not zeros', async () => {
    const path = zeroFile()
    const device = FileDevice.open(path, { worker })
    spawnSync('truncate', ['-s', '4096', path])
    await expect(device.read(8192, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_IO', message: /short read/ })
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
  test('keeps small and large payloads at real sizes', async () => {
    const path = join(temporaryFolder(), 'pool', '0000.block')
    const steps: number[] = []
    await createPool(path, { bytes: 64 * MIB, worker, onProgress: (done) => steps.push(done) })
    expect(steps.at(-1)).toBe(64 * MIB)
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(64 * MIB)
    const large = Buffer.alloc(9 * MIB + 12_345, 'large ')
    const small = Buffer.alloc(4096, 'small ')
    const pool = await openPool(path, { worker })
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

  test('refuses a size that holds no pool, and leaves nothing behind', async () => {
    const folder = temporaryFolder()
    const path = join(folder, '0000.block')
    await expect(createPool(path, { bytes: POOL_BYTES_MIN - MIB - 1, worker })).rejects.toMatchObject({
      code: 'ERR_LIMITS',
    })
    await expect(createPool(path, { bytes: 2 ** 50, worker })).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    expect(readdirSync(folder)).toEqual([])
    await createPool(path, { bytes: POOL_BYTES_MIN, worker })
  })

  test('is opened once at a time', async () => {
    const path = join(temporaryFolder(), '0000.block')
    await createPool(path, { bytes: POOL_BYTES_MIN, worker })
    const pool = await openPool(path, { worker })
    await expect(openPool(path, { worker })).rejects.toMatchObject({ code: 'ERR_LOCKED' })
    await pool.close()
    await (await openPool(path, { worker })).close()
  })

  test('a file that holds no pool is refused as it is', async () => {
    await expect(openPool(zeroFile(), { worker })).rejects.toMatchObject({ code: 'ERR_FORMAT' })
    await expect(openPool(join(temporaryFolder(), 'none'), { worker })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  })
})
