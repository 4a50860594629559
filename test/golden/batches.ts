import assert from 'node:assert/strict'
import { decodeBatchHeader, isDigestRight, payloadOffset } from '../../pool/batch.ts'
import { BatchBuilder } from '../../pool/batch-builder.ts'
import { decodeEntries } from '../../pool/batch-walk.ts'
import type { Entry } from '../../pool/entry.ts'
import { crc32c } from '../../pool/index.ts'
import { identity, TINY_FORMAT } from '../support/tiny-pool.ts'
import { MANIFEST, PREVIOUS, spell } from './structures.ts'

const { blockBytes, unitBytes } = TINY_FORMAT
const { pool } = identity()

const HEADER = {
  previous: PREVIOUS,
  lsn: spell('lsn'),
  epoch: spell('epoch'),
  superblockSerial: spell('serial'),
  durableLsn: spell('durabl'),
  firstSequence: spell('first'),
}

/** The first is a unit of zeros and a little more, so it has two checksums; the second begins where it ends. */
const LONG = Buffer.concat([Buffer.alloc(unitBytes), Buffer.from('inline payload 0')])
const SHORT = Buffer.from('inline payload 1')

const INLINE: Entry = {
  sequence: spell('first'),
  content: Buffer.from('two inline payloads'),
  payloads: [
    {
      form: 'inline',
      length: LONG.length,
      offset: 0,
      checksums: [crc32c(LONG.subarray(0, unitBytes)), crc32c(LONG.subarray(unitBytes))],
    },
    { form: 'inline', length: SHORT.length, offset: LONG.length, checksums: [crc32c(SHORT)] },
  ],
  releases: [],
}

/** What was prepared as payload 0 of an earlier record goes on as payload 1; payload 3 of another one is gone. */
const EXTENTS: Entry = {
  sequence: spell('second'),
  content: Buffer.from('extents, a manifest, two releases'),
  payloads: [
    { form: 'extents', length: spell('length'), depth: 0, extents: MANIFEST },
    { form: 'extents', length: spell('length'), depth: 1, extents: MANIFEST.slice(0, 1) },
  ],
  releases: [
    { sequence: spell('prepar'), payload: 0, heir: 1 },
    { sequence: spell('gone'), payload: 3 },
  ],
}

const GAP: Entry = {
  sequence: spell('third'),
  content: Buffer.from('a gap'),
  payloads: [{ form: 'gap', length: spell('length') }],
  releases: [],
}

function structureOf(
  header: typeof HEADER & { seal: boolean },
  entries: readonly Entry[],
  payloads: readonly Buffer[],
) {
  const encode = () => {
    const builder = new BatchBuilder(8 * blockBytes, TINY_FORMAT, pool)
    builder.add(
      entries,
      payloads.map((chunk) => ({ form: 'inline', length: chunk.length, chunks: [chunk] })),
    )
    return builder.finish(header).bytes
  }
  return { value: { header, entries, payloads }, encode, decode }
}

function decode(bytes: Buffer) {
  const found = decodeBatchHeader(bytes, HEADER.lsn, pool)!
  assert(isDigestRight(bytes, found, pool))
  const { digest: _, blocks, entryBytes, entries: count, ...header } = found
  assert.equal(blocks * blockBytes, bytes.length)
  const entries = decodeEntries(bytes, found).map(({ entry }) => entry)
  assert.equal(entries.length, count)
  const start = payloadOffset(entryBytes)
  const payloads = entries
    .flatMap(({ payloads }) => payloads)
    .filter((placement) => placement.form === 'inline')
    .map(({ offset, length }) => bytes.subarray(start + offset, start + offset + length))
  return { header, entries, payloads }
}

export const batch = structureOf({ ...HEADER, seal: false }, [INLINE, EXTENTS, GAP], [LONG, SHORT])
export const seal = structureOf({ ...HEADER, seal: true }, [], [])
