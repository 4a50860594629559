import { stat } from 'node:fs/promises'
import { chooseFormat, chooseTuning } from '../pool/index.ts'
import { aim } from './aims.ts'
import { CountingDevice } from './counting-device.ts'
import { median, rateOf, SCALE, secondsOf } from './loops.ts'
import { type CountedPool, drop, freshPool, NO_TIMERS, reopened, store } from './pools.ts'
import { printTable } from './table.ts'

const ROUNDS = 3
const JOURNAL_BYTES = 256 * 2 ** 20 * SCALE
const RECORDS = 1_000_000 * SCALE
const RECORDS_PER_TRANSACTION = 500
const IN_FLIGHT = 64
const OBJECT = Buffer.alloc(4096, 4)
const SMALL = Buffer.alloc(64, 4)
const content = Buffer.alloc(400, 'a')
/** Checkpoints come when they are called, and none because the journal has grown. */
const NEVER = Number.MAX_SAFE_INTEGER
const MANUAL = { ...NO_TIMERS, tuning: { checkpointBytesMax: NEVER, checkpointRecordsMax: NEVER } }

const journalBytes = ({ pool }: CountedPool): number => pool.atomicity().journal.sinceCheckpointBytes

interface Opening {
  readonly milliseconds: number
  readonly processorMilliseconds: number
  readonly batches: number
  readonly mebibytesRead: number
}

async function readThrough(device: CountingDevice): Promise<void> {
  const target = Buffer.alloc(1 << 20)
  for (let offset = 0; offset + target.length <= device.limits.size; offset += target.length) {
    await device.read(offset, target)
  }
  device.bytesRead = 0
}

/** Opens the pool and leaves it as a kill would, so that it can be opened again just so. */
async function opening(path: string, warm: boolean): Promise<Opening> {
  const device = new CountingDevice(path) // It drops what the page cache holds of the file.
  if (warm) await readThrough(device)
  let counted: CountedPool | undefined
  const cpu = process.cpuUsage()
  const seconds = await secondsOf(async () => {
    counted = await reopened(device, MANUAL)
  })
  const { user, system } = process.cpuUsage(cpu)
  const { batchesReplayed: batches } = counted!.pool.status().recovery
  await drop(counted!)
  const processorMilliseconds = (user + system) / 1000
  return { milliseconds: seconds * 1000, processorMilliseconds, batches, mebibytesRead: device.bytesRead / 2 ** 20 }
}

/** A row of the table, and the slower of the medians. */
async function openings(path: string, name: string): Promise<{ row: string[]; milliseconds: number }> {
  const cold: Opening[] = []
  const warm: Opening[] = []
  for (let round = 0; round < ROUNDS; round++) {
    cold.push(await opening(path, false))
    warm.push(await opening(path, true))
  }
  const of = (openings: readonly Opening[]) => median(openings.map(({ milliseconds }) => milliseconds))
  const { batches, mebibytesRead } = cold[0]!
  const cpu = median([...cold, ...warm].map(({ processorMilliseconds }) => processorMilliseconds))
  const row = [name, String(batches), ...[mebibytesRead, of(cold), of(warm), cpu].map((value) => value.toFixed(0))]
  return { row, milliseconds: Math.max(of(cold), of(warm)) }
}

/** Commits records of the size that an upload's has, each with a small payload, many in one transaction. */
async function addRecords({ pool }: CountedPool, records: number): Promise<void> {
  await rateOf(IN_FLIGHT, records / RECORDS_PER_TRANSACTION, async () => {
    const transaction = pool.begin()
    const payloads = Array.from({ length: RECORDS_PER_TRANSACTION }, () => transaction.stage())
    for (const payload of payloads) await payload.write(SMALL)
    await transaction.commit(() => ({
      records: payloads.map((payload) => ({ content, payloads: [payload] })),
      releases: [],
    }))
  })
}

async function recoveryOfObjects(path: string): Promise<{ row: string[]; milliseconds: number }> {
  const counted = await freshPool([path], MANUAL)
  let objects = 0
  while (journalBytes(counted) < JOURNAL_BYTES) {
    await rateOf(IN_FLIGHT, 1024, () => store(counted, OBJECT, OBJECT.length))
    objects += 1024
  }
  const name = `${mebibytes(journalBytes(counted))} MiB of journal, ${objects} objects of 4 KiB, killed`
  await drop(counted)
  return await openings(path, name)
}

/** All of them after a clean close; then with as much journal since the last checkpoint as there ever is. */
async function openOfMany(path: string): Promise<{ clean: Opened; killed: Opened }> {
  const counted = await freshPool([path], MANUAL)
  const { checkpointRecordsMax } = chooseTuning(chooseFormat((await stat(path)).size))
  const inJournal = Math.min(RECORDS, checkpointRecordsMax - (checkpointRecordsMax % RECORDS_PER_TRANSACTION))
  await addRecords(counted, RECORDS - inJournal)
  await counted.pool.checkpoint()
  await addRecords(counted, inJournal)
  const { sequence } = counted.pool.position
  const name = `${sequence} records, ${mebibytes(journalBytes(counted))} MiB of journal, killed`
  await drop(counted)
  const killed = await openings(path, name)
  const last = await reopened(new CountingDevice(path), MANUAL)
  await last.pool.close()
  return { clean: await openings(path, `${sequence} records, closed`), killed }
}

type Opened = Awaited<ReturnType<typeof openings>>

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)

/** How long it takes until a pool that was killed, or closed, is open. */
export async function measureRecovery(path: string): Promise<void> {
  const recovery = await recoveryOfObjects(path)
  const { clean, killed } = await openOfMany(path)
  console.log(`\nOpening; medians of ${ROUNDS}; cold: nothing of the file in the page cache; warm: all of it`)
  printTable(['', 'batches', 'MiB read', 'cold ms', 'warm ms', 'processor ms'], [recovery.row, clean.row, killed.row])
  const name = mebibytes(JOURNAL_BYTES)
  const seconds = ({ milliseconds }: Opened) => `${(milliseconds / 1000).toFixed(2)} s`
  aim(`recovery of ${name} MiB of journal: < 1 s`, seconds(recovery), recovery.milliseconds < 1000)
  aim(`open of ${RECORDS} records, closed: < 2 s`, seconds(clean), clean.milliseconds < 2000)
  aim(`open of ${RECORDS} records, killed: < 2 s`, seconds(killed), killed.milliseconds < 2000)
}
