import { isVolumeRecord, type Pool, type Sequence } from '../../pool/index.ts'
import type { Catalog } from '../catalog/catalog-port.ts'
import type { AttributeRecord } from '../records/record.ts'
import { decodeRecord } from '../records/record-codec.ts'
import type { SizedRecord } from './recent-records.ts'
import type { TailPage, TailPageBuilder } from './tail-page.ts'

/** Sequences of an object that are asked of the catalog at once. */
const SEQUENCES_MAX = 256

/** Opens a page for whoever follows. */
export type OpenPage = () => TailPageBuilder

/** One of the streams that the records of a partition make up. */
export interface TailSource {
  /** Whether a record is of this stream. */
  has(record: AttributeRecord): boolean
  /** Whether it is over with the record, if that stays the last one of its own; `before` is what was so before it. */
  isOver(record: AttributeRecord, before: boolean): boolean
  /** Where a reader is that was at `next`, after `record` was looked at. */
  passed(record: AttributeRecord, next: Sequence): Sequence
  /** What the pool holds of it after `next`, up to the record `end`. Returns whether it is over with that. */
  past(next: Sequence, end: Sequence, open: OpenPage): AsyncGenerator<TailPage, boolean>
}

/** All records of the partition. A reader goes on past those that it does not ask for, too. */
export function partitionSource(pool: Pool): TailSource {
  return {
    has: () => true,
    isOver: () => false,
    passed: ({ sequence }) => sequence,
    past: (next, end, open) => partitionPast(pool, next, end, open),
  }
}

async function* partitionPast(
  pool: Pool,
  next: Sequence,
  end: Sequence,
  open: OpenPage,
): AsyncGenerator<TailPage, false> {
  let page = open()
  for await (const { sequence, content } of pool.replay(next + 1)) {
    if (sequence > end) break
    if (!isVolumeRecord(content)) page.take({ record: decodeRecord(content), bytes: content.length })
    else page.pass(content.length)
    if (!page.isFull || sequence === end) continue
    yield page.page(sequence, false)
    page = open()
  }
  yield page.page(end, true)
  return false
}

/** The records of one object. A reader's place is the last of them, so that it moves with the object only. */
export function objectSource(ground: ObjectGround): TailSource {
  const { object, messages } = ground
  const isIts = (record: AttributeRecord) => 'object' in record && record.object === object
  const has = (record: AttributeRecord) => isIts(record) && (!messages || record.operation === 'append')
  return {
    has,
    isOver: (record, before) => (isIts(record) ? isRemoval(record) : before),
    passed: (record, next) => (has(record) ? record.sequence : next),
    past: (next, end, open) => objectPast(ground, has, next, end, open),
  }
}

/** The object is gone, or hidden until its delete marker is removed; the removal of an older version is no end. */
function isRemoval(record: AttributeRecord): boolean {
  return record.operation === 'delete' && record.version === undefined
}

export interface ObjectGround {
  readonly pool: Pool
  readonly catalog: Catalog
  readonly object: string
  /** Only what applications appended. */
  readonly messages: boolean
}

async function* objectPast(
  ground: ObjectGround,
  has: TailSource['has'],
  start: Sequence,
  end: Sequence,
  open: OpenPage,
): AsyncGenerator<TailPage, boolean> {
  let next = start
  let page = open()
  let isEnded = false
  await ground.catalog.settled(end)
  for await (const { record, bytes } of recordsOf(ground, start)) {
    if (record.sequence > end) break
    if (page.isFull) {
      yield page.page(next, false)
      page = open()
    }
    isEnded = isRemoval(record)
    if (!has(record)) page.pass(bytes)
    else {
      page.take({ record, bytes })
      next = record.sequence
    }
  }
  yield page.page(next, true)
  return isEnded
}

async function* recordsOf({ pool, catalog, object }: ObjectGround, after: Sequence): AsyncGenerator<SizedRecord> {
  let sequences = await catalog.streamOf(object, after, SEQUENCES_MAX)
  while (sequences.length > 0) {
    for (const sequence of sequences) {
      const { content } = await pool.record(sequence)
      yield { record: decodeRecord(content), bytes: content.length }
    }
    sequences = await catalog.streamOf(object, sequences.at(-1), SEQUENCES_MAX)
  }
}
