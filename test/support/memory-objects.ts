import { streamAfter } from '../../streams/appending/stream-state.ts'
import type {
  Attributes,
  HiddenHead,
  ObjectHead,
  ObjectName,
  ObjectPlace,
  ObjectRecord,
  ObjectStat,
  ObjectVersion,
  OlderVersion,
  Owner,
  PutRecord,
  Usage,
} from '../../streams/index.ts'

interface MemoryVersion extends Omit<OlderVersion, 'since'> {
  since: number
}

interface MemoryObject {
  readonly object: string
  name: ObjectName
  /** The oldest first; the last one is current while there is no marker. */
  versions: MemoryVersion[]
  marker: ObjectRecord | undefined
  last: ObjectHead['last']
  stream?: ObjectHead['stream']
}

/** Objects and their versions in lists, in the plainest way: what the catalog's fold is compared with. */
export class MemoryObjects {
  readonly #objects = new Map<string, MemoryObject>()

  fold(record: ObjectRecord, digest: string): void {
    const known = this.#objects.get(record.object)
    const object = known ?? newObject(record)
    if (!known && record.operation !== 'put') return
    this.#objects.set(record.object, object)
    object.last = { sequence: record.sequence, digest }
    if (record.operation === 'rename') this.#rename(object, { bucket: record.bucket, key: record.key })
    if (record.operation === 'put') {
      supersede(object, record.versioning, record.time)
      object.versions.push(versionOf(record))
    }
    if (record.operation === 'delete') remove(object, record)
    if (record.operation === 'append' || record.operation === 'attributes')
      object.stream = streamAfter(object.stream, record, record.sequence)
    if (record.operation === 'attributes') annotate(object, record.version, record.set, record.unset)
    if (object.versions.length === 0 && !object.marker) this.#objects.delete(object.object)
  }

  head(name: ObjectName): ObjectHead | undefined {
    const object = this.#live(name)
    return object && headOf(object)
  }

  heads(): readonly ObjectHead[] {
    return [...this.#objects.values()].filter(({ marker }) => !marker).map(headOf)
  }

  /** Of all versions there are, current or not. */
  usage(application: string): Usage {
    const versions = [...this.#objects.values()].flatMap((object) => object.versions)
    const own = versions.filter((version) => version.application === application)
    return { bytes: own.reduce((sum, { stat }) => sum + stat.size, 0), objects: own.length }
  }

  place(id: string): ObjectPlace | undefined {
    const object = this.#objects.get(id)
    if (!object) return undefined
    if (object.marker) return { state: 'hidden', head: hiddenOf(object) }
    return { state: 'live', head: headOf(object) }
  }

  older(id: string, version?: number): OlderVersion | undefined {
    const object = this.#objects.get(id)
    const older = object ? olderOf(object) : []
    return version === undefined ? older.at(-1) : older.find(({ stat }) => stat.sequence === version)
  }

  hidden(name: ObjectName): readonly HiddenHead[] {
    const objects = [...this.#objects.values()].filter((object) => object.marker && isSame(object.name, name))
    return objects.map(hiddenOf).sort((one, other) => other.marker - one.marker)
  }

  /** Every version of a bucket, with its place in the order of the list. */
  versions(bucket: string): readonly { readonly row: ObjectVersion; readonly place: VersionPlace }[] {
    const objects = [...this.#objects.values()].filter(({ name }) => name.bucket === bucket)
    const all = objects.flatMap((object) => {
      const marker = object.marker?.sequence ?? Number.MAX_SAFE_INTEGER
      return rowsOf(object).map((row) => ({ row, place: [row.key, marker, row.sequence] as const }))
    })
    return all.sort((one, other) => comparePlaces(one.place, other.place))
  }

  #live(name: ObjectName): MemoryObject | undefined {
    return [...this.#objects.values()].find((object) => !object.marker && isSame(object.name, name))
  }

  /** Where the target keeps versions, a record before this one has hidden what was there. */
  #rename(object: MemoryObject, name: ObjectName): void {
    const replaced = this.#live(name)
    if (replaced && replaced !== object) this.#objects.delete(replaced.object)
    object.name = name
  }
}

function newObject(record: ObjectRecord): MemoryObject {
  const { object, bucket, key } = record
  return { object, name: { bucket, key }, versions: [], marker: undefined, last: { sequence: 0, digest: '' } }
}

function versionOf(record: PutRecord): MemoryVersion {
  const { object, bucket, key, sequence, size, digests, time, attributes, protocol, application, versioning } = record
  const version = String(sequence).padStart(16, '0')
  const stat: ObjectStat = { object, bucket, key, version, sequence, size, digests, time, attributes }
  return { stat, protocol, application, ...(versioning === 'enabled' && { kept: true as const }), since: 0 }
}

function supersede(object: MemoryObject, versioning: PutRecord['versioning'], time: number): void {
  if (versioning === undefined) object.versions.pop()
  if (versioning === 'suspended') object.versions = object.versions.filter(({ kept }) => kept)
  const top = object.versions.at(-1)
  if (top && !top.since) top.since = time
}

function remove(object: MemoryObject, record: Extract<ObjectRecord, { operation: 'delete' }>): void {
  const { version, versioning, time } = record
  if (version === undefined) {
    supersede(object, versioning, time)
    if (object.versions.length > 0) object.marker = record
  } else if (object.marker?.sequence === version) object.marker = undefined
  else object.versions = object.versions.filter(({ stat }) => stat.sequence !== version)
  const top = object.versions.at(-1)
  if (top && !object.marker) top.since = 0
}

function annotate(object: MemoryObject, version: number | undefined, set: Attributes, unset: readonly string[]): void {
  const index = object.versions.findLastIndex(({ stat }) => stat.sequence === (version ?? stat.sequence))
  const found = object.versions[index]
  if (!found) return
  const left = Object.entries(found.stat.attributes).filter(([name]) => !unset.includes(name))
  const attributes = { ...Object.fromEntries(left), ...set }
  object.versions[index] = { ...found, stat: { ...found.stat, attributes } }
}

function olderOf({ versions, marker }: MemoryObject): readonly MemoryVersion[] {
  return marker ? versions : versions.slice(0, -1)
}

function standingOf(object: MemoryObject): Pick<ObjectHead, 'older'> {
  const older = olderOf(object)
  if (older.length === 0) return {}
  const until = Math.max(0, ...older.map(({ stat }) => untilOf(stat)))
  const holds = older.filter(({ stat }) => stat.attributes['retention.hold']).length
  const replaceable = older.find(({ kept }) => !kept)
  return {
    older: {
      count: older.length,
      ...(replaceable && { replaceable: { ...lockOf(replaceable.stat), owner: ownerOf(replaceable) } }),
      ...(until > 0 && { until }),
      ...(holds > 0 && { holds }),
    },
  }
}

function lockOf(stat: ObjectStat) {
  const until = untilOf(stat)
  const held = stat.attributes['retention.hold'] === true && { held: true as const }
  return { version: stat.sequence, ...(until > 0 && { until }), ...held }
}

function ownerOf({ stat, application }: MemoryVersion): Owner {
  return { application, bytes: stat.size }
}

function untilOf({ attributes }: ObjectStat): number {
  const until = attributes['retention.until']
  return typeof until === 'string' ? Date.parse(until) : 0
}

function headOf(object: MemoryObject): ObjectHead {
  const { stat, kept, application } = object.versions.at(-1)!
  const { last, stream } = object
  return { stat: { ...stat, ...object.name }, last, stream, application, ...(kept && { kept }), ...standingOf(object) }
}

function hiddenOf(object: MemoryObject): HiddenHead {
  const { sequence: marker, time, protocol, application } = object.marker!
  const at = {
    object: object.object,
    ...object.name,
    marker,
    time,
    protocol,
    application,
    last: object.last,
    stream: object.stream,
  }
  return { ...at, ...standingOf(object) }
}

function rowsOf(object: MemoryObject): readonly ObjectVersion[] {
  const older = olderOf(object).toReversed()
  const rows = older.map(({ stat, since }) => ({ ...stat, ...object.name, state: 'noncurrent' as const, since }))
  if (!object.marker) return [{ ...headOf(object).stat, state: 'current' }, ...rows]
  const { marker, time } = hiddenOf(object)
  const version = String(marker).padStart(16, '0')
  const top = { object: object.object, ...object.name, version, sequence: marker, time, hides: older.length }
  return [{ state: 'marker', ...top }, ...rows]
}

function isSame(one: ObjectName, other: ObjectName): boolean {
  return one.bucket === other.bucket && one.key === other.key
}

/** Key, marker and version: by key, then the live object first, then the last one removed; the newest version first. */
export type VersionPlace = readonly [key: string, marker: number, version: number]

export function comparePlaces(one: VersionPlace, other: VersionPlace): number {
  return Buffer.compare(Buffer.from(one[0]), Buffer.from(other[0])) || other[1] - one[1] || other[2] - one[2]
}
