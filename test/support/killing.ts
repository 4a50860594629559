import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Served, serve } from './served.ts'
import { DOORS, type Door, Ledger } from './upload-ledger.ts'

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const SIZES = [0, 1, 4096, 33_000, 200_000, 3_000_000]
const KILL_AFTER_MS_MAX = 60

/**
 * Uploads through all doors at once until the server is killed, again and again on the same data. After each start
 * the ledger is held against what the server shows. Resolves with the number of acknowledged uploads.
 */
export async function killAndVerify(folder: string, rounds: number, seed: number): Promise<number> {
  const random = seeded(seed)
  const data = join(folder, 'data')
  mkdirSync(join(folder, 'files'))
  const ledger = new Ledger(join(folder, 'files'))
  for (let round = 0; round < rounds; round++) {
    const server = await serve(data)
    await ledger.verify(server)
    await uploadUntilKilled(server, ledger, random)
  }
  const server = await serve(data)
  await ledger.verify(server)
  await server.stop()
  return ledger.acknowledged
}

async function uploadUntilKilled(server: Served, ledger: Ledger, random: () => number): Promise<void> {
  const acknowledgementsMax = 1 + Math.floor(random() * 8)
  let acknowledgements = 0
  let killed = false
  const kill = async () => {
    killed = true
    await new Promise((resolve) => setTimeout(resolve, random() * KILL_AFTER_MS_MAX))
    await server.kill()
  }
  let killing: Promise<void> | undefined
  const client = async (door: Door) => {
    while (!killed) {
      const size = SIZES[Math.floor(random() * SIZES.length)]!
      if (await ledger.upload(server, door, size)) acknowledgements++
      if (acknowledgements >= acknowledgementsMax) killing ??= kill()
    }
  }
  // Two of each: while one is acknowledged another is on its way.
  await Promise.all([...DOORS, ...DOORS].map(client))
  await killing
}
