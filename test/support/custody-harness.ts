import type { Pool, PoolRecord, Sequence } from '../../pool/index.ts'
import { PoolError } from '../../pool/index.ts'
import {
  type AttributeRecord,
  type CustodyOptions,
  decodeRecord,
  digestOf,
  encodeRecord,
  type OpenCustody,
  type OpenStore,
  type VerifyEvent,
  type VerifyRequest,
  type VerifySummary,
  verifyStream,
} from '../../streams/index.ts'
import { memoryPool } from './memory-pool.ts'
import { ManualTimers, MemoryChest } from './signing.ts'
import { type Harness, named, openHarness, origin, putText } from './store-harness.ts'

export interface CustodyHarness extends Harness {
  readonly custody: OpenCustody
  readonly chest: MemoryChest
}

/** A store that signs every four records. */
export async function openSigned(
  options: { pool?: Pool; chest?: MemoryChest } & Partial<CustodyOptions> = {},
): Promise<CustodyHarness> {
  const { pool = memoryPool(), chest = new MemoryChest(), ...more } = options
  const harness = await openHarness({ pool })
  const limits = { checkpointRecordsMax: 4 }
  const onFailure = (error: unknown) => {
    throw error
  }
  const custody = await harness.store.custody({ chest, origin, timers: new ManualTimers(), limits, onFailure, ...more })
  return { ...harness, custody, chest }
}

/** A history in which everything happens that may: and all of it signed but the last checkpoint, which signs itself. */
export async function signedHistory(
  options: { pool?: Pool; chest?: MemoryChest; before?: (store: OpenStore) => Promise<unknown> } = {},
): Promise<CustodyHarness> {
  const { before, ...more } = options
  const opened = await openSigned(more)
  const { store, custody } = opened
  await before?.(store)
  await putText(store, named('a'), 'first')
  await putText(store, named('b'), 'bytes of b')
  await putText(store, named('a'), 'second')
  await store.annotate(origin, named('a'), { 'user.note': 'read me' })
  await custody.rotate(origin)
  await putText(store, named('c'), 'bytes of c')
  await store.rename(origin, named('c'), named('b'))
  await putText(store, named('empty'), '')
  await putText(store, named('gone'), 'soon')
  await store.remove(origin, named('gone'))
  await store.createBucket(origin, 'other')
  await store.versions.configure(origin, 'other', { versioning: 'enabled' })
  await putText(store, named('kept', 'other'), 'version one')
  const two = await putText(store, named('kept', 'other'), 'version two')
  await putText(store, named('kept', 'other'), 'version three')
  await store.versions.removeVersion(origin, named('kept', 'other'), two.version)
  await putText(store, named('hidden', 'other'), 'under a marker')
  await store.remove(origin, named('hidden', 'other'))
  await putText(store, named('d', 'other'), 'bytes of d')
  await custody.close()
  return opened
}

export interface Verified {
  readonly codes: readonly string[]
  readonly findings: readonly Extract<VerifyEvent, { type: 'finding' }>[]
  readonly summary: VerifySummary
}

export async function collect(events: AsyncIterable<VerifyEvent>): Promise<Verified> {
  const findings: Extract<VerifyEvent, { type: 'finding' }>[] = []
  let summary: VerifySummary | undefined
  for await (const event of events) {
    if (event.type === 'finding') findings.push(event)
    else if (event.type === 'summary') summary = event
  }
  if (summary === undefined) throw new Error('there is no summary')
  return { findings, summary, codes: [...new Set(findings.map(({ code }) => code))].sort() }
}

export interface BytePlace {
  readonly sequence: Sequence
  readonly at: number
}

type VerifiedPool = Pick<Pool, 'position' | 'replay' | 'read'>

export function verifyPool(
  pool: VerifiedPool,
  request: VerifyRequest = {},
  limits: Parameters<typeof verifyStream>[2] = {},
): Promise<Verified> {
  return collect(verifyStream({ pool, settled: async () => {} }, request, limits))
}

/** A copy of what a pool holds, to be tampered with. */
export class CopiedPool implements VerifiedPool {
  readonly position: Pool['position']
  readonly records: PoolRecord[]
  /** Undefined for what is gone. */
  readonly payloads: Map<Sequence, Buffer>
  /** Records that cannot be read. */
  readonly lost = new Set<Sequence>()

  private constructor(position: Pool['position'], records: PoolRecord[], payloads: Map<Sequence, Buffer>) {
    this.position = position
    this.records = records
    this.payloads = payloads
  }

  static async of(pool: Pool): Promise<CopiedPool> {
    const records: PoolRecord[] = []
    const payloads = new Map<Sequence, Buffer>()
    for await (const record of pool.replay(1)) {
      records.push(record)
      const bytes = await bytesAt(pool, record.sequence)
      if (bytes) payloads.set(record.sequence, bytes)
    }
    return new CopiedPool(pool.position, records, payloads)
  }

  copy(): CopiedPool {
    return new CopiedPool(this.position, [...this.records], new Map(this.payloads))
  }

  async *replay(from: Sequence, onLost?: (first: Sequence, last: Sequence, error: PoolError) => void) {
    for (const record of this.records) {
      if (record.sequence < from) continue
      if (!this.lost.has(record.sequence)) yield record
      else {
        const error = new PoolError('ERR_CORRUPT', 'a bit flipped')
        if (!onLost) throw error
        onLost(record.sequence, record.sequence, error)
      }
    }
  }

  async *read(sequence: Sequence): AsyncGenerator<Uint8Array> {
    const bytes = this.payloads.get(sequence)
    if (bytes === undefined) throw new PoolError('ERR_NOT_FOUND', 'it is gone')
    yield bytes
  }

  /** Each byte of each record. */
  places(): BytePlace[] {
    return this.records.flatMap(({ sequence, content }) => Array.from(content, (_, at) => ({ sequence, at })))
  }

  /** A copy in which one bit of a record is another. */
  tampered({ sequence, at }: BytePlace, bit: number): CopiedPool {
    const content = Buffer.from(this.at(sequence).content)
    content[at]! ^= 1 << bit
    const copy = this.copy()
    copy.put(sequence, content)
    return copy
  }

  at(sequence: Sequence): PoolRecord {
    return this.records[this.records.findIndex((record) => record.sequence === sequence)]!
  }

  put(sequence: Sequence, content: Uint8Array): void {
    const index = this.records.findIndex((record) => record.sequence === sequence)
    this.records[index] = { ...this.records[index]!, content }
  }

  change(sequence: Sequence, change: (record: AttributeRecord) => AttributeRecord): void {
    this.put(sequence, encodeRecord(change(decodeRecord(this.at(sequence).content))))
  }

  /** The last record with an operation. */
  last(operation: AttributeRecord['operation']): Sequence {
    return this.records.findLast(({ content }) => decodeRecord(content).operation === operation)!.sequence
  }

  /** Makes the chains right again, as somebody would who changes a history. */
  rechain({ keepsObjects = false } = {}): void {
    let partition = ''
    const objects = new Map<string, string>()
    for (const { sequence } of [...this.records]) {
      this.change(sequence, (record) => {
        const object = 'object' in record ? (objects.get(record.object) ?? '') : ''
        return { ...record, previous: { partition, object: keepsObjects ? record.previous.object : object } }
      })
      partition = digestOf(this.at(sequence).content)
      const record = decodeRecord(this.at(sequence).content)
      if ('object' in record) objects.set(record.object, partition)
    }
  }
}

async function bytesAt(pool: Pool, sequence: Sequence): Promise<Buffer | undefined> {
  try {
    const chunks: Uint8Array[] = []
    for await (const chunk of pool.read(sequence, 0)) chunks.push(chunk)
    return Buffer.concat(chunks)
  } catch {
    return undefined
  }
}
