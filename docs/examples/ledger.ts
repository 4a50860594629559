/*
 * A double-entry ledger on a volume: a program that keeps its accounts in blocks, and has no journal of its own.
 *
 *   node dist/docs/examples/ledger.js <pool file> [audit]
 *
 * It says what it finds, and then moves money to and fro until it is killed, saying how many transfers are durable.
 */
import { existsSync } from 'node:fs'
import { createPool, openPool, openVolumes, PoolError, type Volume } from '../../pool/index.ts'

const BLOCK = 4096
const ACCOUNTS = 50
const OPENING_CENTS = 1000n
const CLERKS = 16

interface Account {
  readonly cents: bigint
  /** How often it gave or took. */
  readonly transfers: bigint
}

const blockOf = (number: number, { cents, transfers }: Account) => {
  const bytes = Buffer.alloc(BLOCK)
  bytes.writeBigInt64LE(cents, 0)
  bytes.writeBigUInt64LE(transfers, 8)
  return { offset: number * BLOCK, bytes }
}

const accountIn = (bytes: Buffer): Account => ({ cents: bytes.readBigInt64LE(0), transfers: bytes.readBigUInt64LE(8) })

async function readAccount(volume: Volume, number: number): Promise<Account> {
  return accountIn(await volume.read(number * BLOCK, 16))
}

/** Moves money between two blocks, in one write. False when the source has too little. */
async function transfer(volume: Volume, from: number, to: number, cents: bigint): Promise<boolean> {
  for (;;) {
    const unchangedSince = volume.sequence
    const [source, target] = await Promise.all([readAccount(volume, from), readAccount(volume, to)])
    if (source.cents < cents) return false
    const [less, more] = [source.cents - cents, target.cents + cents]
    const extents = [
      blockOf(from, { cents: less, transfers: source.transfers + 1n }),
      blockOf(to, { cents: more, transfers: target.transfers + 1n }),
    ]
    try {
      await volume.write(extents, { unchangedSince })
      return true
    } catch (error) {
      // Another clerk was faster with one of the two accounts: look again.
      if (!(error instanceof PoolError && error.code === 'ERR_CONFLICT')) throw error
    }
  }
}

async function openLedger(path: string) {
  if (!existsSync(path)) await createPool(path, { members: [{ bytes: 64 << 20 }] })
  const pool = await openPool(path)
  const volumes = await openVolumes(pool)
  const isNew = !volumes.list().some(({ name }) => name === 'ledger')
  const volume = isNew ? await volumes.create('ledger', ACCOUNTS * BLOCK) : volumes.open('ledger')
  // The opening balances are one write, too; and if power fails before it, the next start finds all of them missing.
  const opening = Array.from({ length: ACCOUNTS }, (_, i) => blockOf(i, { cents: OPENING_CENTS, transfers: 0n }))
  if ((await totals(volume)).cents === 0n) await volume.write(opening)
  return { pool, volumes, volume }
}

/** All accounts at one moment. */
async function totals(volume: Volume): Promise<Account> {
  const bytes = await volume.read(0, ACCOUNTS * BLOCK)
  const accounts = Array.from({ length: ACCOUNTS }, (_, i) => accountIn(bytes.subarray(i * BLOCK)))
  const sum = (of: (account: Account) => bigint) => accounts.reduce((total, account) => total + of(account), 0n)
  return { cents: sum(({ cents }) => cents), transfers: sum(({ transfers }) => transfers) / 2n }
}

const below = (bound: number): number => Math.floor(Math.random() * bound)

async function work(volume: Volume): Promise<void> {
  let durable = 0
  const clerk = async () => {
    for (;;) {
      const from = below(ACCOUNTS)
      const to = (from + 1 + below(ACCOUNTS - 1)) % ACCOUNTS
      if (await transfer(volume, from, to, BigInt(1 + below(200)))) console.log(`durable ${++durable}`)
    }
  }
  await Promise.all(Array.from({ length: CLERKS }, clerk))
}

const [path, command] = process.argv.slice(2)
if (path === undefined) throw new Error('usage: ledger <pool file> [audit]')
const { pool, volumes, volume } = await openLedger(path)
const { cents, transfers } = await totals(volume)
console.log(`${cents} cents in ${ACCOUNTS} accounts after ${transfers} transfers`)
if (command !== 'audit') await work(volume)
await volumes.close()
await pool.close()
