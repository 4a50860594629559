import { beforeAll, expect, test } from 'vitest'
import { attacks } from '../support/ftp-attacks.ts'
import { attack, besieged } from '../support/ftp-siege.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import type { Server } from '../support/server-process.ts'

const SEED = seedOf(Date.now() % 1_000_000)
const ROUNDS = 200
const WARM_UP_ROUNDS = 10
/** Without a budget all rounds are played. */
const MILLISECONDS = Number(process.env.CENOTE_LONG_SECONDS ?? Number.POSITIVE_INFINITY) * 1000
/** Beyond what the server holds once it has seen some attacks; 48 MiB of it may be kept to be read into again (system/spare-memory). */
const growthBytesMax = 144 << 20

let server: Server
beforeAll(async () => {
  const siege = await besieged()
  server = siege.server
  return siege.end
})

test(`a server under up to ${ROUNDS} rounds of attacks holds no more from round to round (seed ${SEED})`, async () => {
  const random = seededRandom(SEED)
  const end = performance.now() + MILLISECONDS
  let warm = 0
  let rounds = 0
  for (; rounds < ROUNDS && (rounds <= WARM_UP_ROUNDS || performance.now() < end); rounds++) {
    const [name, play] = random.pick(Object.entries(attacks))
    const { memoryBytes } = await attack(server, random, play)
    if (rounds <= WARM_UP_ROUNDS) warm = Math.max(warm, memoryBytes)
    else expect(memoryBytes - warm, `round ${rounds}, ${name}`).toBeLessThan(growthBytesMax)
  }
  console.log(`${rounds} rounds of attacks on the FTP door`)
})
