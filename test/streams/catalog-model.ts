import type {
  Attributes,
  DurableRecord,
  ListOptions,
  ObjectName,
  ObjectStat,
  Protocol,
  Sequence,
} from '../../streams/index.ts'
import type { Query, Term } from '../../streams/query/query.ts'
import type { AttributeRecord } from '../../streams/records/record.ts'

/** What is common to records, and of no interest to the catalog. */
export const BASE = {
  partition: 'main',
  application: 'scanner',
  protocol: 'ftp',
  previous: { partition: '', object: '' },
} as const

const START = Date.UTC(2026, 10, 1)

export function digestAt(sequence: Sequence): string {
  return sequence.toString(16).padStart(64, '0')
}

export function timeAt(sequence: Sequence): number {
  return START + sequence * 1000
}

interface ModelEntry {
  readonly stat: ObjectStat
  readonly last: { readonly sequence: Sequence; readonly digest: string }
  readonly application: string
  readonly protocol: Protocol
}

type Draft = AttributeRecord extends infer R
  ? R extends AttributeRecord
    ? Omit<R, 'sequence' | 'time' | keyof typeof BASE> & Partial<Pick<R, 'application' | 'protocol'>>
    : never
  : never

/** The catalog as a map, slow and plain; it also draws up the records that a store would. */
export class CatalogModel {
  readonly records: DurableRecord[] = []
  readonly entries = new Map<string, ModelEntry>()
  readonly streams = new Map<string, Sequence[]>()
  readonly buckets = new Set<string>()
  readonly applications = new Map<string, unknown>()
  readonly routes = new Map<string, unknown>()

  get sequence(): Sequence {
    return this.records.length
  }

  put(bucket: string, key: string, attributes: Attributes = {}, size = 0): DurableRecord {
    const object = this.head({ bucket, key })?.stat.object ?? String(this.sequence + 1).padStart(16, '0')
    const digests = { sha256: digestAt(size), crc32c: '00000000' }
    return this.append({ operation: 'put', object, bucket, key, size, digests, attributes })
  }

  append(draft: Draft): DurableRecord {
    const sequence = this.sequence + 1
    const record = { ...BASE, ...draft, sequence, time: timeAt(sequence) } as AttributeRecord
    const durable = { record, digest: digestAt(sequence) }
    this.records.push(durable)
    this.#fold(record)
    return durable
  }

  head(name: ObjectName): ModelEntry | undefined {
    return this.entries.get(idOf(name))
  }

  #fold(record: AttributeRecord): void {
    if (record.operation === 'bucket') this.buckets.add(record.bucket)
    if (record.operation === 'application' || record.operation === 'route') {
      const registry = record.operation === 'route' ? this.routes : this.applications
      if (record.registration === null) registry.delete(record.id)
      else registry.set(record.id, record.registration)
    }
    if (!('object' in record)) return
    this.streams.set(record.object, [...(this.streams.get(record.object) ?? []), record.sequence])
    const { object, bucket, key, sequence, time, application, protocol } = record
    const last = { sequence, digest: digestAt(sequence) }
    if (record.operation === 'put') {
      const { size, digests, attributes } = record
      const version = String(sequence).padStart(16, '0')
      const stat = { object, bucket, key, version, sequence, size, digests, time, attributes }
      this.entries.set(idOf(record), { stat, last, application, protocol })
      return
    }
    const before = this.head(record.operation === 'rename' ? record.from : record)
    if (before?.stat.object !== object) return
    if (record.operation === 'delete') this.entries.delete(idOf(record))
    if (record.operation === 'attributes') {
      const attributes = Object.fromEntries(Object.entries(before.stat.attributes))
      for (const name of record.unset) delete attributes[name]
      const stat = { ...before.stat, attributes: { ...attributes, ...record.set } }
      this.entries.set(idOf(record), { ...before, last, stat })
    }
    if (record.operation === 'rename') {
      this.entries.delete(idOf(record.from))
      this.entries.set(idOf(record), { ...before, last, stat: { ...before.stat, bucket, key } })
    }
  }

  /** All pages of a listing at once. */
  list(bucket: string, { prefix = '', after, delimiter = '' }: ListOptions): readonly (ObjectStat | string)[] {
    const stats = [...this.entries.values()].map(({ stat }) => stat).filter((stat) => stat.bucket === bucket)
    const folded = new Map<string, ObjectStat | string>()
    for (const stat of stats.filter(({ key }) => key.startsWith(prefix))) {
      const at = delimiter === '' ? -1 : stat.key.indexOf(delimiter, prefix.length)
      const common = stat.key.slice(0, at + delimiter.length)
      if (after !== undefined && (compareText(stat.key, after) <= 0 || (at !== -1 && common === after))) continue
      if (at === -1) folded.set(stat.key, stat)
      else folded.set(common, common)
    }
    return [...folded].sort(([left], [right]) => compareText(left, right)).map(([, entry]) => entry)
  }

  /** The versions of the objects that meet a query. */
  query(query: Query): readonly string[] {
    return this.found(query)
      .map(({ stat }) => stat.version)
      .sort()
  }

  found(query: Query): readonly ModelEntry[] {
    return [...this.entries.values()].filter((entry) => meetsQuery(entry, query))
  }
}

/** Comparisons of one name in one conjunction ask for one value that meets them all. */
function meetsQuery(entry: ModelEntry, query: Query): boolean {
  if (query.kind === 'not') return !meetsQuery(entry, query.part)
  if (query.kind === 'or') return query.parts.some((part) => meetsQuery(entry, part))
  const groups = new Map<string, Term[]>()
  const others: Query[] = []
  for (const part of query.kind === 'and' ? query.parts : [query]) {
    if (part.kind === 'term' && /^[<>]/.test(part.operator))
      groups.set(part.name, [...(groups.get(part.name) ?? []), part])
    else if (part.kind === 'term') groups.set(`${groups.size} alone`, [part])
    else others.push(part)
  }
  return (
    others.every((part) => meetsQuery(entry, part)) && [...groups.values()].every((group) => meetsAll(entry, group))
  )
}

function meetsAll(entry: ModelEntry, [first, ...more]: readonly Term[]): boolean {
  const values = modelValues(entry, first!.name)
  if (first!.operator === 'words') {
    const found = new Set(values.flatMap((value) => (typeof value === 'string' ? wordsOf(value) : [])))
    return wordsOf(first!.values[0]!.text).every((word) => found.has(word))
  }
  return values.some((value) => [first!, ...more].every((term) => meets(value, term)))
}

function idOf({ bucket, key }: ObjectName): string {
  return JSON.stringify([bucket, key])
}

export function compareText(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

export function modelValues({ stat, application, protocol }: ModelEntry, name: string): readonly unknown[] {
  const fields = new Map<string, unknown>([
    ['object.bucket', stat.bucket],
    ['object.key', stat.key],
    ['object.name', stat.key.split('/').at(-1)],
    ['object.size', stat.size],
    ['object.version', stat.version],
    ['principal.application', application],
    ['protocol', protocol],
    ['time', new Date(stat.time).toISOString()],
  ])
  if (fields.has(name)) return [fields.get(name)]
  return [Object.entries(stat.attributes).find(([attribute]) => attribute === name)?.[1] ?? []].flat()
}

function wordsOf(text: string): readonly string[] {
  const plain = text.normalize('NFD').replace(/[\u0300-\u036f]/g, '')
  return plain
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/
const TIMES = ['time', 'email.date']

function meets(value: unknown, { name, operator, values }: Term): boolean {
  const [first = '', second = ''] = values.map(({ text }) => text)
  switch (operator) {
    case 'exists':
      return true
    case 'prefix':
      return typeof value === 'string' && canonical(value).startsWith(first)
    case 'suffix':
      return typeof value === 'string' && canonical(value).endsWith(first)
    case 'contains':
      return typeof value === 'string' && canonical(value).includes(first)
    case 'equals':
    case 'in':
      return values.some(({ text }) => isWithin(value, name, text, text))
    case 'between':
      return isWithin(value, name, first, second)
    case '<':
      return sideOf(value, name, first) === -1
    case '>':
      return sideOf(value, name, first) === 1
    case '<=':
      return [-1, 0].includes(sideOf(value, name, first) ?? 2)
    case '>=':
      return [0, 1].includes(sideOf(value, name, first) ?? 2)
    default:
      throw new Error(operator)
  }
}

/** Types are asked for one by one: a number lies between numbers only. */
function isWithin(value: unknown, name: string, from: string, to: string): boolean {
  const low = sideOf(value, name, from)
  const high = sideOf(value, name, to)
  return low !== undefined && high !== undefined && low >= 0 && high <= 0
}

/** -1 before the literal, 0 at it or within the time that it stands for, 1 after; undefined when it does not compare. */
function sideOf(value: unknown, name: string, literal: string): number | undefined {
  if (typeof value === 'number')
    return /^-?[\d.]+(e\+\d+)?$/.test(literal) ? Math.sign(value - Number(literal)) : undefined
  if (typeof value === 'boolean')
    return literal === 'true' || literal === 'false' ? Math.sign(compareText(String(value), literal)) : undefined
  if (typeof value !== 'string') return undefined
  if (!TIMES.includes(name)) return Math.sign(compareText(canonical(value), canonical(literal)))
  const [from, to] = spanOf(literal)
  if (compareText(canonical(value), from) < 0) return -1
  return compareText(canonical(value), to) < 0 ? 0 : 1
}

/** Of a date, or of a moment to the second or the millisecond. */
function spanOf(literal: string): readonly [from: string, to: string] {
  const from = new Date(literal.length <= 10 ? `${literal}T00:00:00Z` : literal)
  const milliseconds = literal.length <= 10 ? 86_400_000 : literal.includes('.') ? 1 : 1000
  return [from.toISOString(), new Date(from.getTime() + milliseconds).toISOString()]
}

function canonical(text: string): string {
  return MOMENT.test(text) ? new Date(text).toISOString() : text
}
