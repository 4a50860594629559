import { type Producer, type Sequence, StoreError } from '../../streams/index.ts'

/** Fields of the Durable Streams protocol. */
export const fields = {
  nextOffset: 'Stream-Next-Offset',
  upToDate: 'Stream-Up-To-Date',
  cursor: 'Stream-Cursor',
  closed: 'Stream-Closed',
  dataEncoding: 'Stream-SSE-Data-Encoding',
  producerEpoch: 'Producer-Epoch',
  producerSequence: 'Producer-Seq',
  expectedSequence: 'Producer-Expected-Seq',
  receivedSequence: 'Producer-Received-Seq',
} as const

type Headers = { readonly [name: string]: string | readonly string[] | undefined }

/** An offset is the sequence of the record before it: 16 digits, whose order as texts is that of the stream. */
export function offsetText(sequence: Sequence): string {
  return sequence.toString().padStart(16, '0')
}

/** `-1` is the beginning, which is `undefined` here, because it differs from stream to stream. */
export function parseOffset(text: string): Sequence | 'now' | undefined {
  if (text === '-1') return undefined
  if (text === 'now') return 'now'
  if (/^\d{16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw invalid('an offset is -1, now, or one that the server gave')
}

/** The one value of a parameter of a query; undefined where it is not there. */
export function parameterOf(parameters: URLSearchParams, name: string): string | undefined {
  const values = parameters.getAll(name)
  if (values.length > 1) throw invalid(`${name} is given once`)
  return values[0]
}

const CURSOR_EPOCH = Date.UTC(2024, 9, 9)
const CURSOR_MS = 20_000
/** Of 1 to 3,600 seconds. */
const JITTER_INTERVALS_MAX = 3600 / (CURSOR_MS / 1000)

/**
 * Counts intervals of time, so that a cache that shares answers between clients does not share one for ever. One that is
 * not after the client's own is put after it at random. `random` is from 0 up to and without 1.
 */
export function cursorAt(now: number, given: string | undefined, random: () => number): string {
  const current = Math.floor((now - CURSOR_EPOCH) / CURSOR_MS)
  const last = given !== undefined && /^\d{1,15}$/.test(given) ? Number(given) : -1
  return String(last < current ? current : last + 1 + Math.floor(random() * JITTER_INTERVALS_MAX))
}

/** All three fields of a producer, or none. */
export function producerOf(headers: Headers): Producer | undefined {
  const [id, epoch, sequence] = ['producer-id', 'producer-epoch', 'producer-seq'].map((name) => headers[name])
  if (id === undefined && epoch === undefined && sequence === undefined) return undefined
  if (typeof id !== 'string' || id === '' || epoch === undefined || sequence === undefined)
    throw invalid('Producer-Id, Producer-Epoch and Producer-Seq come together, and none is empty')
  return { id, epoch: count('Producer-Epoch', epoch), sequence: count('Producer-Seq', sequence) }
}

function count(name: string, value: string | readonly string[]): number {
  if (typeof value === 'string' && /^\d{1,16}$/.test(value) && Number.isSafeInteger(Number(value))) return Number(value)
  throw invalid(`${name} is a whole number from 0 on`)
}

export function isClosing(headers: Headers): boolean {
  return String(headers['stream-closed']).toLowerCase() === 'true'
}

const TTL = /^(?:0|[1-9]\d{0,15})$/
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i

/** Streams neither expire nor fork: who asks for it is told so, and is not left to believe it. */
export function refuseUnsupported(headers: Headers): void {
  const { 'stream-ttl': ttl, 'stream-expires-at': expiry } = headers
  if (ttl !== undefined && expiry !== undefined) throw invalid('Stream-TTL and Stream-Expires-At exclude each other')
  if (ttl !== undefined && !TTL.test(String(ttl))) throw invalid('Stream-TTL is a whole number of seconds')
  if (expiry !== undefined && !(DATE_TIME.test(String(expiry)) && !Number.isNaN(Date.parse(String(expiry)))))
    throw invalid('Stream-Expires-At is a time as RFC 3339 writes it')
  const asked = Object.keys(headers).find((name) => /^stream-(?:ttl|expires-at|fork)/.test(name))
  if (asked !== undefined) throw new StoreError('ERR_UNSUPPORTED', `${asked}: streams neither expire nor fork`)
}

export function invalid(message: string): StoreError {
  return new StoreError('ERR_INVALID', message)
}
