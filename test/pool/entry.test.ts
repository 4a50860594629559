import { expect, test } from 'vitest'
import { decodeEntry, ENTRY_HEADER_BYTES, type Entry, encodeEntry, entryBytes } from '../../pool/entry.ts'

const entry: Entry = {
  sequence: 1,
  content: Buffer.from('content'),
  payloads: [{ form: 'inline', length: 3, offset: 0, checksums: [7] }],
  releases: [],
}

test.each([
  ['form', 0, 3],
  ['encoding', 2, 1],
])('a payload whose %s a later program wrote is refused, never guessed at', (_, offset, value) => {
  const bytes = Buffer.alloc(entryBytes(entry))
  encodeEntry(bytes, 0, entry)
  expect(decodeEntry(bytes, 0)).toEqual(entry)
  bytes.writeUInt8(value, ENTRY_HEADER_BYTES + offset)
  expect(() => decodeEntry(bytes, 0)).toThrow(expect.objectContaining({ code: 'ERR_FORMAT' }))
})
