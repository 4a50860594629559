import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Random, seededRandom } from './random.ts'
import { rootEnvironment, Server } from './server-process.ts'
import { DOORS, type Door, Ledger } from './upload-ledger.ts'

const SIZES = [0, 1, 4096, 33_000, 200_000, 3_000_000]
const KILL_AFTER_MS_MAX = 60
/** How long clients may still hear answers that were on their way: lftp alone would try again for minutes. */
const PATIENCE_MS = 500

/**
 * Uploads through all doors at once until the server is killed, again and again on the same data. After each start
 * the ledger is held against what the server shows. Resolves with the number of acknowledged uploads.
 */
export async function killAndVerify(folder: string, rounds: number, seed: number): Promise<number> {
  const random = seededRandom(seed)
  const start = () => Server.start(folder, ['--pool-bytes', '256MiB'], rootEnvironment)
  mkdirSync(join(folder, 'files'))
  const ledger = new Ledger(join(folder, 'files'))
  for (let round = 0; round < rounds; round++) {
    await using server = await start()
    await ledger.verify(server)
    await uploadUntilKilled(server, ledger, random)
  }
  await using server = await start()
  await ledger.verify(server)
  await server.stop()
  return ledger.acknowledged
}

async function uploadUntilKilled(server: Server, ledger: Ledger, random: Random): Promise<void> {
  const acknowledgementsMax = 1 + random.below(8)
  let acknowledgements = 0
  let killed = false
  const patience = new AbortController()
  const kill = async () => {
    killed = true
    await wait(random.below(KILL_AFTER_MS_MAX))
    await server.kill()
    await wait(PATIENCE_MS)
    patience.abort()
  }
  let killing: Promise<void> | undefined
  const client = async (door: Door) => {
    while (!killed) {
      const size = random.pick(SIZES)
      if (await ledger.upload(server, door, size, patience.signal)) acknowledgements++
      if (acknowledgements >= acknowledgementsMax) killing ??= kill()
    }
  }
  // Two of each: while one is acknowledged another is on its way.
  await Promise.all([...DOORS, ...DOORS].map(client))
  await killing
}
