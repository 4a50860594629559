import { isVolumeRecord, type Pool, type PoolRecord } from '../../pool/index.ts'
import type { Tail } from '../draft.ts'
import { StoreError } from '../errors.ts'
import type { AttributeRecord } from '../records/record.ts'
import { decodeRecord, digestOf } from '../records/record-codec.ts'
import type { Catalog, CatalogPosition, DurableRecord } from './catalog-port.ts'

export interface CatchUpProgress {
  /** The last record passed, of `recordsTotal`. */
  readonly records: number
  readonly recordsTotal: number
}

/** Records handed to the catalog at once. */
const RECORDS_MAX = 256
/** Records passed over, at the most, without a word of progress. */
const PASSED_MAX = 4096

/**
 * Makes the catalog a fold of all attribute records that the pool holds, and returns the end of their stream. It goes
 * on from the catalog's own position, or starts anew when that is of another pool, ahead of this one, or not on its
 * chain; then without its index, which is made once the store is open. Records of volumes, which the pool may hold
 * besides, are passed over.
 */
export async function catchUp(
  pool: Pool,
  catalog: Catalog,
  onProgress: (progress: CatchUpProgress) => void,
): Promise<Tail> {
  let tail = await tailAt(catalog.position, pool)
  if (tail === undefined) {
    await catalog.clear(pool.position.pool)
    tail = START
  }
  const { sequence: recordsTotal, epoch } = pool.position
  let folded: DurableRecord[] = []
  for await (const stored of pool.replay(tail.sequence + 1)) {
    if (!isVolumeRecord(stored.content)) {
      const durable = linked(stored, tail)
      tail = tailOf(durable)
      folded.push(durable)
    }
    const records = stored.sequence
    if (folded.length < RECORDS_MAX && records % PASSED_MAX !== 0 && records < recordsTotal) continue
    catalog.apply(folded, epoch)
    folded = []
    await catalog.ready()
    onProgress({ records, recordsTotal })
  }
  await catalog.settled(tail.sequence)
  return tail
}

const START: Tail = { sequence: 0, time: 0, digest: '' }

/** The end of the stream at the catalog's position; undefined when that is no position of this pool's history. */
async function tailAt({ pool, sequence, digest }: CatalogPosition, source: Pool): Promise<Tail | undefined> {
  if (pool !== source.position.pool || sequence > source.position.sequence) return undefined
  if (sequence === 0) return START
  const stored = await source.record(sequence)
  return digestOf(stored.content) === digest ? { sequence, digest, time: decodeRecord(stored.content).time } : undefined
}

/** The record, which must follow the attribute record before: acknowledged history that does not is damaged. */
function linked({ sequence, content }: PoolRecord, before: Tail): DurableRecord {
  const record: AttributeRecord = decodeRecord(content)
  if (record.sequence !== sequence || record.previous.partition !== before.digest)
    throw new StoreError('ERR_CORRUPT', `record ${sequence} does not follow record ${before.sequence}`)
  return { record, digest: digestOf(content) }
}

function tailOf({ record: { sequence, time }, digest }: DurableRecord): Tail {
  return { sequence, time, digest }
}
