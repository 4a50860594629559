import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { seededRandom, seedOf } from '../support/random.ts'
import { requireBuild } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const LEDGER = fileURLToPath(new URL('../../dist/docs/examples/ledger.js', import.meta.url))
const SEED = seedOf(Date.now() % 1_000_000)
const ROUNDS = 6
/** Clerks, each with a transfer that may be durable and not said so. */
const UNDERWAY_MAX = 16

interface Run {
  readonly process: ChildProcess
  readonly lines: AsyncIterator<string>
  readonly cents: number
  readonly transfers: number
}

async function start(pool: string, ...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [LEDGER, pool, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { value } = await lines.next()
  const [, cents, transfers] = /^(\d+) cents in 50 accounts after (\d+) transfers$/.exec(value) ?? []
  return { process: child, lines, cents: Number(cents), transfers: Number(transfers) }
}

/** Transfers that it said to be durable before it was killed. */
async function workUntilKilled({ process, lines }: Run, milliseconds: number): Promise<number> {
  const killed = wait(milliseconds).then(() => process.kill('SIGKILL'))
  let durable = 0
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const [, count] = /^durable (\d+)$/.exec(line.value) ?? []
    if (count !== undefined) durable = Number(count)
  }
  await killed
  return durable
}

test(`a ledger on a volume adds up whenever it is killed (seed ${SEED})`, { timeout: 60_000 }, async () => {
  requireBuild()
  expect(existsSync(LEDGER)).toBe(true)
  const random = seededRandom(SEED)
  const pool = join(temporaryFolder(), 'ledger.block')
  let transfers = 0
  let durable = 0
  for (let round = 0; round < ROUNDS; round++) {
    const run = await start(pool)
    expect(run.cents).toBe(50_000)
    expect(run.transfers).toBeGreaterThanOrEqual(transfers + durable)
    expect(run.transfers).toBeLessThanOrEqual(transfers + durable + UNDERWAY_MAX)
    transfers = run.transfers
    durable = await workUntilKilled(run, 50 + random.below(400))
  }
  const audit = await start(pool, 'audit')
  await once(audit.process, 'exit')
  expect(audit.cents).toBe(50_000)
  expect(audit.transfers).toBeGreaterThanOrEqual(transfers + durable)
  expect(audit.transfers).toBeGreaterThan(0)
})
