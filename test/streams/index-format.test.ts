import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { TRAITS } from '../../streams/catalog/attribute-traits.ts'
import type { Entry } from '../../streams/catalog/catalog-entry.ts'
import { INDEXED_ATTRIBUTES_MAX, INDEXED_ELEMENTS_MAX, indexKeysOf } from '../../streams/catalog/catalog-index.ts'
import { isCounted } from '../../streams/catalog/facet-counters.ts'
import { INDEX_FORMAT } from '../../streams/catalog/index-state.ts'

/*
 * What the index is of entries that have all that matters to it. Where this differs, catalogs that are there have an
 * index that queries would misread: raise INDEX_FORMAT, so that it is made anew, and put the digest here.
 */
const FORMATS: { readonly [format: number]: string } = {
  1: 'd5ff69e4abdaf502062a00238de1dcedeb5b2b33411c9c41cb2c2d33badb7ad4',
  2: '80cba50111794795527e66228e07afb170971a9e1d5ebc190207552154d1752e',
  3: 'c760bf9ce7549e3185e795867a65831f9682e2ec98bd7e4a8f876e950b7f2d80',
  4: '5d9adc42296903b5ad7fdd1108ffc990e4de498d5533d6a30f526570942222f4',
  5: 'e6b12e836ad3cae657c274a981353d6c949821566dfced944a59799349b75b81',
}

const VALUES = [true, -2.5, 0, 1e21, '', 'Märch RED, \u0000\u0001 re', '2026-11-01T01:00:07+01:00', 'x'.repeat(300)]

function entryOf(attributes: Entry['stat']['attributes']): Entry {
  const digests = { sha256: 'a'.repeat(64), crc32c: 'b'.repeat(8) }
  const place = { object: '0000000000000007', bucket: 'inbox', key: 'a/b\u0000/Invoice March.pdf' }
  const stat = { ...place, version: '0000000000000009', sequence: 9, size: 1500, digests, time: 1.79e12, attributes }
  return { stat, last: { sequence: 9, digest: '' }, protocol: 'http', application: 'scanner' }
}

test('an index of a format has the keys that it always had', () => {
  const names = [...TRAITS.keys(), 'user.plain', 'é'.repeat(127), 'n'.repeat(257)]
  const entries = [
    ...names.map((name) => entryOf({ [name]: [...VALUES].map(String) })),
    ...names.flatMap((name) => VALUES.map((value) => entryOf({ [name]: value }))),
    entryOf(Object.fromEntries(Array.from({ length: INDEXED_ATTRIBUTES_MAX + 1 }, (_, at) => [`user.${at}`, at]))),
    entryOf({ list: Array.from({ length: INDEXED_ELEMENTS_MAX + 1 }, (_, at) => `${at}`) }),
    entryOf({ 'email.subject': Array.from({ length: 70 }, (_, at) => `word${at}`).join(' ') }),
  ]
  const told = [entries.map((entry) => [...indexKeysOf(entry)].toSorted()), names.filter(isCounted)]
  const digest = createHash('sha256').update(JSON.stringify(told)).digest('hex')
  expect(digest, 'raise INDEX_FORMAT').toBe(FORMATS[INDEX_FORMAT])
})
