import { describe, expect, test } from 'vitest'
import { MemoryDevice, type Pool, type Sequence } from '../../pool/index.ts'
import { RELEASES_IN_FLIGHT_MAX } from '../../pool/releases.ts'
import { formatted, pattern, put, release, settled } from '../support/pool-client.ts'
import { openDevice } from '../support/single-device.ts'
import { tiny } from '../support/tiny-pool.ts'

/** Reads wait until they are let go, one by one. */
class CountingDevice extends MemoryDevice {
  isHolding = false
  waiting: (() => void)[] = []

  override async read(offset: number, target: Uint8Array): Promise<void> {
    if (this.isHolding) await new Promise<void>((resolve) => this.waiting.push(resolve))
    await super.read(offset, target)
  }
}

const PAYLOADS = 3 * RELEASES_IN_FLIGHT_MAX

async function filled(): Promise<{ device: CountingDevice; pool: Pool; sequences: Sequence[] }> {
  const formattedDevice = await formatted()
  const device = new CountingDevice(formattedDevice.limits.size)
  device.bytes.set(formattedDevice.bytes)
  const pool = await openDevice(device, tiny())
  const sequences = await Promise.all(Array.from({ length: PAYLOADS }, (_, i) => put(pool, pattern(40, i))))
  return { device, pool, sequences }
}

describe('what was let go', () => {
  test('is looked up RELEASES_IN_FLIGHT_MAX payloads at a time, and no more', async () => {
    const { device, pool, sequences } = await filled()
    device.isHolding = true
    await release(pool, ...sequences.map((sequence) => ({ sequence, payload: 0 })))
    const checkpoint = pool.checkpoint()
    let most = 0
    for (let looked = 0; looked < PAYLOADS; looked++) {
      await settled()
      most = Math.max(most, device.waiting.length)
      device.waiting.shift()!()
    }
    expect(most).toBe(RELEASES_IN_FLIGHT_MAX)
    device.isHolding = false
    for (const go of device.waiting) go()
    await checkpoint
    expect((await pool.check()).payloadBytes).toBe(0)
  })

  test('twice is freed once', async () => {
    const { pool } = await filled()
    const large = await put(pool, pattern(5000))
    const twice = { sequence: large, payload: 0 }
    await Promise.all([release(pool, twice, twice), release(pool, twice)])
    await pool.checkpoint()
    expect(pool.status()).toMatchObject({ state: 'open', extentBytes: 0, stagedBytes: 0 })
    expect((await pool.check()).findings).toEqual([])
  })
})
