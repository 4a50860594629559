import { expect, test } from 'vitest'
import { Growth, growableBytes } from '../../server/growth.ts'
import { createLog } from '../../server/log.ts'
import type { MemberRequest, PoolStatus } from '../../streams/index.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30

/** A pool that can be filled, and what was asked of it and said of it. */
function growing(bytesMax: number, { bytes = GIB, layout = 'concat' } = {}) {
  const status = { state: 'open', layout, bytes, freeBytes: bytes, promisedBytes: 0 }
  const asked: MemberRequest[] = []
  const said: string[] = []
  const world = { now: 0, failure: undefined as Error | undefined }
  const growth = new Growth({
    pool: {
      status: () => status as PoolStatus,
      async addDevice(member) {
        asked.push(member)
        if (world.failure) throw world.failure
        Object.assign(status, { bytes: status.bytes + member.bytes!, freeBytes: status.freeBytes + member.bytes! })
      },
    },
    bytesMax,
    log: createLog('info', { write: (line) => said.push(JSON.parse(line).reason) }),
    every: () => () => {},
    now: () => world.now,
  })
  const look = async (taken: number, minutes = 0) => {
    world.now += minutes * 60_000
    status.freeBytes = status.bytes - taken
    growth.look()
    await growth.close()
  }
  return { look, asked, said, world, status }
}

test('a file of 1 GiB is added before 80 % are taken, and a last one up to the bound', async () => {
  const { look, asked, said, status } = growing(2.5 * GIB)
  await look(0.69 * GIB)
  expect(asked).toEqual([])
  await look(0.75 * GIB)
  await look(0.75 * GIB)
  expect(asked).toEqual([{ bytes: GIB }])
  await look(1.5 * GIB)
  expect(asked).toEqual([{ bytes: GIB }, { bytes: GIB / 2 }])
  expect(status.bytes).toBe(2.5 * GIB)
  await look(2.4 * GIB)
  expect(asked).toHaveLength(2)
  expect(said).toEqual([expect.stringMatching(/--pool-max/)])
})

test('what is promised is as good as taken', async () => {
  const { look, asked, status } = growing(4 * GIB)
  status.promisedBytes = 0.5 * GIB
  await look(0.1 * GIB)
  expect(asked).toEqual([])
  await look(0.3 * GIB)
  expect(asked).toEqual([{ bytes: GIB }])
})

test('it may grow by what it would grow by', () => {
  const at = (bytes: number, layout: PoolStatus['layout'] = 'concat') => growableBytes({ layout, bytes }, 2.5 * GIB)
  expect([at(GIB), at(2 * GIB), at(2.5 * GIB - 24 * MIB)]).toEqual([1.5 * GIB, 0.5 * GIB, 24 * MIB])
  expect([at(2.5 * GIB - 23 * MIB), at(3 * GIB), at(GIB, 'mirror')]).toEqual([0, 0, 0])
})

test('what keeps it from growing is said once, and tried again later', async () => {
  const { look, asked, said, world } = growing(4 * GIB)
  world.failure = new Error('a block file does not fit')
  await look(0.9 * GIB)
  await look(0.9 * GIB)
  expect(asked).toHaveLength(1)
  await look(0.9 * GIB, 2)
  expect([asked.length, said]).toEqual([2, ['a block file does not fit']])
  world.failure = undefined
  await look(0.9 * GIB, 2)
  expect(asked).toHaveLength(3)
})

test('no other layout grows, nor one that has halted', async () => {
  const mirror = growing(4 * GIB, { layout: 'mirror' })
  await mirror.look(0.9 * GIB)
  expect([mirror.asked, mirror.said]).toEqual([[], [expect.stringMatching(/this one is a mirror/)]])
  const halted = growing(4 * GIB, { bytes: 64 * MIB })
  Object.assign(halted.status, { state: 'halted' })
  await halted.look(63 * MIB)
  expect([halted.asked, halted.said]).toEqual([[], []])
})
