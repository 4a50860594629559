import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { type DurableRecord, openCatalog } from '../streams/index.ts'

/*
 * How fast the catalog folds, beside a chained batch of `level` with as many keys of such lengths and no fold.
 * Usage: node dist/bench/catalog.js [records]
 */
const RECORDS = Number(process.argv[2] ?? 100_000)
/** As many records as one commit's group brings. */
const GROUP = 64
const PARTS = 10
/** The current entry, the stream, the name, 7 fields of the record and 6 attributes. */
const KEYS_PER_RECORD = 16
const BATCH_RECORDS = 256

function record(sequence: number, overwritten = sequence): DurableRecord {
  const digest = sequence.toString(16).padStart(64, '0')
  const object = overwritten.toString().padStart(16, '0')
  return {
    digest,
    record: {
      operation: 'put',
      sequence,
      time: 1_790_000_000_000 + sequence,
      partition: 'main',
      application: 'scanner',
      protocol: 'http',
      previous: { partition: digest, object: '' },
      object,
      bucket: 'inbox',
      key: `2026/11/${overwritten % 97}/scan-${object}.pdf`,
      size: (sequence * 7919) % 1_000_003,
      digests: { sha256: digest, crc32c: digest.slice(56) },
      attributes: {
        'content.type': 'application/pdf',
        'http.header.user-agent': `Scanner/${sequence % 13} (firmware 4.${sequence % 100})`,
        'network.peer': `192.0.2.${sequence % 256}:49152`,
        'user.customer': `customer-${(sequence * 31) % 5003}`,
        'user.pages': sequence % 300,
        'user.scanned': new Date(1_790_000_000_000 + sequence * 977).toISOString(),
      },
    },
  }
}

interface Measure {
  readonly name: string
  readonly recordsPerSecond: number
  readonly microsecondsPerRecord: number
}

async function measure(name: string, run: (directory: string) => Promise<void>): Promise<Measure> {
  const directory = await mkdtemp(join(tmpdir(), 'cenote-bench-'))
  const cpu = process.cpuUsage()
  const start = performance.now()
  await run(directory)
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  await rm(directory, { recursive: true })
  return { name, recordsPerSecond: RECORDS / seconds, microsecondsPerRecord: (user + system) / RECORDS }
}

async function foldAll(directory: string, records: readonly DurableRecord[]): Promise<void> {
  const catalog = await openCatalog({ directory })
  for (let first = 0; first < records.length; first += GROUP) {
    await catalog.ready()
    catalog.apply(records.slice(first, first + GROUP), 1)
  }
  await catalog.settled(records.length)
  await catalog.close()
}

async function batchAll(directory: string): Promise<void> {
  const database = new Level(directory, { writeBufferSize: 16 << 20, cacheSize: 32 << 20, maxFileSize: 8 << 20 })
  await database.open()
  const entry = JSON.stringify(record(1))
  for (let first = 1; first <= RECORDS; first += BATCH_RECORDS) {
    const batch = database.batch()
    for (let sequence = first; sequence < first + BATCH_RECORDS; sequence += 1) {
      const object = sequence.toString().padStart(16, '0')
      batch.put(`c-${object}`, entry)
      for (let key = 1; key < KEYS_PER_RECORD; key += 1) {
        batch.put(`i-attribute-${key}-${(sequence * 7919) % (key * 1000)}-${object}`, '')
      }
    }
    await batch.write()
  }
  await database.close()
}

const fresh = Array.from({ length: RECORDS }, (_, index) => record(index + 1))
const overwriting = Array.from({ length: RECORDS }, (_, index) => record(index + 1, (index % (RECORDS / PARTS)) + 1))
const raw = await measure('level, chained batch', batchAll)
const results = [
  raw,
  await measure('fold, new names', (directory) => foldAll(directory, fresh)),
  await measure('fold, 9 of 10 overwrite', (directory) => foldAll(directory, overwriting)),
]
console.table(
  results.map(({ name, recordsPerSecond, microsecondsPerRecord }) => ({
    name,
    'records/s': Math.round(recordsPerSecond),
    'keys/s': Math.round(recordsPerSecond * KEYS_PER_RECORD),
    'CPU µs/record': Math.round(microsecondsPerRecord),
    'ratio to level': Number((recordsPerSecond / raw.recordsPerSecond).toFixed(2)),
  })),
)
