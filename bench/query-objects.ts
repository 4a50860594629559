import { createHash } from 'node:crypto'
import type { Attributes, DurableRecord } from '../streams/index.ts'

/* Objects of the benchmark of queries: 20 attributes each, the same ones at every run. */

const TYPES = [
  'application/pdf',
  'image/jpeg',
  'image/tiff',
  'text/plain',
  'message/rfc822',
  'application/zip',
  'image/png',
]
const STATES = ['new', 'checked', 'booked', 'paid', 'filed']
const LANGUAGES = ['en', 'de', 'fr', 'es', 'it', 'pt', 'nl', 'pl', 'sv', 'fi', 'el', 'tr']
const FIRST_MS = Date.UTC(2026, 0, 1)

/** A number from 0 on below `count`, from an object's number and a salt: the same every time, and like chance. */
export function drawn(index: number, salt: number, count: number): number {
  let value = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(salt + 1, 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d)
  value = Math.imul(value ^ (value >>> 12), 0x297a2d39)
  return ((value ^ (value >>> 15)) >>> 0) % count
}

export function digestOf(index: number): string {
  return createHash('sha256').update(`object ${index}`).digest('hex')
}

function attributesOf(index: number): Attributes {
  const sha256 = digestOf(index)
  return {
    'checksum.crc32c': sha256.slice(0, 8),
    'checksum.sha256': sha256,
    'content.type': TYPES[drawn(index, 1, TYPES.length)]!,
    'http.header.user-agent': `Scanner/${drawn(index, 2, 40)}`,
    'network.peer': `192.0.2.${drawn(index, 3, 256)}:${1024 + drawn(index, 4, 60_000)}`,
    'user.amount': drawn(index, 5, 10_000_000) / 100,
    'user.batch': `batch-${Math.floor(index / 100)}`,
    'user.color': drawn(index, 6, 2) === 1,
    'user.country': `country-${drawn(index, 7, 60)}`,
    'user.customer': `customer-${drawn(index, 8, 50_000)}`,
    'user.device': `device-${drawn(index, 9, 1000)}`,
    'user.language': LANGUAGES[drawn(index, 10, LANGUAGES.length)]!,
    'user.operator': `operator-${drawn(index, 11, 200)}`,
    'user.order': `order-${index.toString().padStart(8, '0')}`,
    'user.pages': drawn(index, 12, 300),
    'user.priority': drawn(index, 13, 5),
    'user.project': `project-${drawn(index, 14, 500)}`,
    'user.scanned': new Date(FIRST_MS + index * 25_000 + drawn(index, 15, 25_000)).toISOString(),
    'user.state': STATES[drawn(index, 16, STATES.length)]!,
    'user.weight': drawn(index, 17, 100_000) / 1000,
  }
}

export function recordAt(index: number): DurableRecord {
  const sequence = index + 1
  const digest = digestOf(index)
  const object = sequence.toString().padStart(16, '0')
  const key = `2026/${String(1 + drawn(index, 18, 12)).padStart(2, '0')}/${drawn(index, 19, 1000)}/scan-${sequence}.pdf`
  return {
    digest,
    record: {
      ...{ operation: 'put', sequence, object, bucket: 'inbox', key, time: FIRST_MS + index * 25_000 },
      ...{ partition: 'main', application: `scanner-${drawn(index, 20, 10)}`, protocol: 'http' },
      previous: { partition: digest, object: '' },
      size: drawn(index, 21, 20_000_000),
      digests: { sha256: digest, crc32c: digest.slice(0, 8) },
      attributes: attributesOf(index),
    },
  }
}

/** What an object is in a table: its key, size and time, and its attributes by name. */
export function rowAt(index: number): readonly unknown[] {
  const { record } = recordAt(index)
  if (record.operation !== 'put') throw new Error('objects are put')
  const { key, size, time, attributes } = record
  const values = Object.entries(attributes).sort(([one], [other]) => (one < other ? -1 : 1))
  return [key, size, new Date(time).toISOString(), ...values.map(([, value]) => value)]
}

export const COLUMNS = ['object.key', 'object.size', 'time', ...Object.keys(attributesOf(0)).sort()]
