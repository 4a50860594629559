import { describe, expect, test } from 'vitest'
import { decodeRecord, encodeRecord } from '../../streams/index.ts'
import { batch, seal } from './batches.ts'
import { fieldsBelow, readField, sizeOf } from './field-table.ts'
import { goldenFor, readGolden } from './golden-file.ts'
import { fromHexdump, hexdump } from './hexdump.ts'
import { RECORDS } from './records.ts'
import {
  bitmapPage,
  guard,
  manifest,
  pageNode,
  regionPage,
  type Structure,
  segmentHeader,
  superblock,
} from './structures.ts'
import { TABLES } from './tables.ts'
import { volumeDirectory, volumeMapPage, volumeWrite } from './volumes.ts'

const STRUCTURES: readonly (readonly [file: string, structure: Structure])[] = [
  ['guard.hex', guard],
  ['superblock.hex', superblock],
  ['bitmap-page.hex', bitmapPage],
  ['region-page.hex', regionPage],
  ['page-node.hex', pageNode],
  ['segment-header.hex', segmentHeader],
  ['batch.hex', batch],
  ['seal.hex', seal],
  ['manifest.hex', manifest],
  ['volume-write.hex', volumeWrite],
  ['volume-directory.hex', volumeDirectory],
  ['volume-map-page.hex', volumeMapPage],
]

describe.each(STRUCTURES)('%s', (file, { value, encode, decode }) => {
  test('is what the value is encoded to', async () => {
    const bytes = await encode()
    expect(hexdump(bytes)).toBe(goldenFor(file, hexdump(bytes)))
    expect(fromHexdump(readGolden(file))).toEqual(bytes)
  })

  test('is decoded to the value', async () => {
    expect(await decode(fromHexdump(readGolden(file)))).toEqual(value)
  })
})

/** A line is a record: the byte of the version in hex, a space, and the JSON as it is. */
describe('records.txt', () => {
  const toLine = (bytes: Buffer): string => `${bytes.toString('hex', 0, 1)} ${bytes.toString('utf8', 1)}\n`
  const fromLine = (line: string): Buffer =>
    Buffer.concat([Buffer.from(line.slice(0, 2), 'hex'), Buffer.from(line.slice(3))])

  test('is what the records are encoded to', () => {
    const text = RECORDS.map((record) => toLine(encodeRecord(record))).join('')
    expect(text).toBe(goldenFor('records.txt', text))
  })

  test('is decoded to the records', () => {
    const lines = readGolden('records.txt').trimEnd().split('\n')
    expect(lines.map((line) => decodeRecord(fromLine(line)))).toEqual(RECORDS)
  })
})

describe.each(TABLES)('the table of docs/FORMAT.md below $heading', ({ heading, file, values }) => {
  const fields = fieldsBelow(heading)
  const named = fields.filter(({ name }) => name !== '0')

  test('begins each field where the one before ends', () => {
    const ends = fields.map((field) => field.offset + (sizeOf(field) ?? 0))
    expect(fields.map(({ offset }) => offset)).toEqual([0, ...ends.slice(0, -1)])
  })

  test('says where each value lies', () => {
    const bytes = fromHexdump(readGolden(file))
    const found = named.filter(({ type }) => type !== '').map((field) => [field.name, readField(field, bytes)])
    expect(Object.fromEntries(found)).toEqual(values(bytes))
  })

  test('leaves out nothing but zeros', () => {
    const rest = fromHexdump(readGolden(file))
    for (const field of named) rest.subarray(field.offset).fill(0, 0, sizeOf(field))
    expect(rest).toEqual(Buffer.alloc(rest.length))
  })
})
