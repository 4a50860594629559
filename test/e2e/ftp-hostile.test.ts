import { beforeAll, expect, test } from 'vitest'
import { type Footprint, footprintOf } from '../support/footprint.ts'
import { attacks } from '../support/ftp-attacks.ts'
import { attack, besieged } from '../support/ftp-siege.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import type { Server } from '../support/server-process.ts'

/* Clients that mean no good come to the built server. It answers, serves others, and holds no more afterwards. */

const SEED = seedOf(Date.now() % 1_000_000)
const random = seededRandom(SEED)
/** What a JavaScript heap may grow to before it is collected; a hundred clients that were kept would take more. */
const heldBytesMax = 128 << 20

let server: Server
let start: Footprint
beforeAll(async () => {
  const siege = await besieged()
  server = siege.server
  start = footprintOf(server.pid)
  return siege.end
})

test.each(Object.entries(attacks))(`%s (seed ${SEED})`, async (_, play) => {
  const { sockets, memoryBytes } = await attack(server, random, play)
  expect(sockets).toBe(start.sockets)
  expect(memoryBytes - start.memoryBytes).toBeLessThan(heldBytesMax)
})

test('of all this the log tells nothing worse than logins that were refused', async () => {
  const { stderr } = await server.stop()
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly level: number })
  expect(lines.filter(({ level }) => level > 40)).toEqual([])
})
