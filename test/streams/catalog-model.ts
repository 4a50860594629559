import type {
  Attributes,
  DurableRecord,
  ListOptions,
  ObjectName,
  ObjectStat,
  Protocol,
  Sequence,
} from '../../streams/index.ts'
import type { Term } from '../../streams/query.ts'
import type { AttributeRecord } from '../../streams/record.ts'

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
    if (record.operation === 'application') {
      if (record.registration === null) this.applications.delete(record.id)
      else this.applications.set(record.id, record.registration)
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

  /** The versions of the objects that meet every term; comparisons of one name ask for one value that meets them all. */
  query(terms: readonly Term[]): readonly string[] {
    const groups = new Map<string, Term[]>()
    for (const [index, term] of terms.entries()) {
      const group = term.operator.startsWith('<') || term.operator.startsWith('>') ? term.name : `${index} alone`
      groups.set(group, [...(groups.get(group) ?? []), term])
    }
    const met = [...this.entries.values()].filter((entry) =>
      [...groups.values()].every((group) =>
        valuesOf(entry, group[0]!.name).some((value) => group.every((term) => meets(value, term))),
      ),
    )
    return met.map(({ stat }) => stat.version).sort()
  }
}

function idOf({ bucket, key }: ObjectName): string {
  return JSON.stringify([bucket, key])
}

export function compareText(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

function valuesOf({ stat, application, protocol }: ModelEntry, name: string): readonly unknown[] {
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

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

function meets(value: unknown, { operator, value: literal }: Term): boolean {
  if (operator === 'exists') return true
  if (operator === 'prefix') return typeof value === 'string' && canonical(value).startsWith(literal)
  const order = orderOf(value, literal)
  if (order === undefined) return false
  if (operator === 'equals') return order === 0
  if (operator.endsWith('=') && order === 0) return true
  return operator.startsWith('<') ? order < 0 : order > 0
}

/** Undefined when a value of this type and the literal do not compare. Literals with units are tested on their own. */
function orderOf(value: unknown, literal: string): number | undefined {
  if (typeof value === 'number')
    return /^-?[\d.]+(e\+\d+)?$/.test(literal) ? Math.sign(value - Number(literal)) : undefined
  if (typeof value === 'boolean')
    return literal === 'true' || literal === 'false' ? compareText(String(value), literal) : undefined
  if (typeof value !== 'string') return undefined
  return compareText(canonical(value), canonical(literal))
}

function canonical(text: string): string {
  return MOMENT.test(text) ? new Date(text).toISOString() : text
}
