import { hasCode, isVolumeRecord, type PayloadRange, type Pool, type Sequence } from '../../pool/index.ts'
import { sequenceText } from '../catalog/catalog-keys.ts'
import type { Catalog } from '../catalog/catalog-port.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { isName, noBucket, noObject } from '../names.ts'
import { permit } from '../permission.ts'
import { requireReleased } from '../quarantine/quarantine.ts'
import { openBody, partOf } from '../reading.ts'
import { decodeRecord } from '../records/record-codec.ts'
import { inStoreWords } from '../store-errors.ts'
import type { ObjectStat, Reading } from '../store-port.ts'
import type { BucketSettings } from './bucket-settings.ts'
import { type Past, PastFold } from './past.ts'
import { parseVersion, type VersionId } from './version-changes.ts'
import type {
  Moment,
  ObjectVersion,
  PastObject,
  VersionListing,
  VersionListOptions,
  VersionName,
} from './version-port.ts'

/** Hidden objects under one name that are asked what they were. */
const HIDDEN_MAX = 100

/** A version, wherever it is: current or not. */
export interface FoundVersion {
  readonly id: VersionId
  readonly stat: ObjectStat
}

/** The reading half of versions. Whatever was acknowledged before a read began is in what it sees. */
export class VersionReader {
  readonly #pool: Pool
  readonly #catalog: Catalog
  readonly #settled: () => Promise<void>
  readonly #streamRecordsMax: number

  constructor(pool: Pool, catalog: Catalog, settled: () => Promise<void>, streamRecordsMax: number) {
    this.#pool = pool
    this.#catalog = catalog
    this.#settled = settled
    this.#streamRecordsMax = streamRecordsMax
  }

  stat(origin: Origin, name: VersionName): Promise<ObjectStat> {
    return this.#see(origin, async () => (await this.require(name)).stat)
  }

  read(origin: Origin, name: VersionName, range?: PayloadRange): Promise<Reading> {
    return this.#see(origin, async () => {
      const { stat } = await this.require(name)
      requireReleased(origin, stat)
      const body = await openBody(this.#pool, stat.sequence, partOf(stat, range))
      if (body) return { stat, body }
      throw noVersion(name)
    })
  }

  list(origin: Origin, bucket: string, options: VersionListOptions): Promise<VersionListing> {
    return this.#see(origin, async () => {
      if (!(await this.#catalog.hasBucket(bucket))) throw noBucket(bucket)
      return this.#catalog.versions(bucket, options)
    })
  }

  /** What the object under a name was at a moment: the one that is there now, or the last one hidden that was there then. */
  past(origin: Origin, name: ObjectName, moment: Moment): Promise<PastObject> {
    return this.#see(origin, async () => {
      for (const object of await this.#objectsOf(name)) {
        const past = await this.#pastOf(object, moment)
        if (past) return this.#shown(object, past)
      }
      throw new StoreError('ERR_NOT_FOUND', `there was no object ${name.bucket}/${name.key} then`)
    })
  }

  async settings(origin: Origin, bucket: string): Promise<BucketSettings> {
    return this.#see(origin, async () => {
      const settings = (await this.#catalog.settings()).get(bucket)
      if (settings === undefined) throw noBucket(bucket)
      return settings
    })
  }

  async #objectsOf(name: ObjectName): Promise<readonly string[]> {
    if (!isName(name)) throw noObject(name)
    const head = await this.#catalog.head(name)
    const hidden = await this.#catalog.hidden(name, HIDDEN_MAX)
    if (!head && hidden.length === 0) throw noObject(name)
    return [...(head ? [head.stat.object] : []), ...hidden.map(({ object }) => object)]
  }

  async #pastOf(object: string, moment: Moment): Promise<Past | undefined> {
    const fold = new PastFold()
    for (const sequence of await this.sequencesOf(object)) {
      if ('sequence' in moment && sequence > moment.sequence) break
      const record = decodeRecord((await this.#pool.record(sequence)).content)
      if ('time' in moment && record.time > moment.time) break
      fold.take(record)
    }
    return fold.past
  }

  async #shown(object: string, { name, sequence, time, version, attributes }: Past): Promise<PastObject> {
    const readable = version !== undefined && (await this.find(version)) !== undefined
    const id = version === undefined ? null : sequenceText(version)
    return { object, ...name, sequence, time, version: id, readable, attributes }
  }

  /** The version that a name stands for; ERR_NOT_FOUND when it is not kept, or a delete marker. */
  async require(name: VersionName): Promise<FoundVersion> {
    await this.#settled()
    if (name.version === undefined) return this.#current(name)
    const found = await this.find(parseVersion(name.version))
    if (found === undefined || !isSame(found.stat, name)) throw noVersion(name)
    return found
  }

  /** The version that the record at `sequence` put, under the name that its object has now; undefined when it is gone. */
  async find(sequence: Sequence): Promise<FoundVersion | undefined> {
    const id = await this.idOf(sequence)
    const place = id && (await this.#catalog.place(id.object))
    if (place === undefined) return undefined
    if (place.state === 'live' && place.head.stat.sequence === sequence) return { id: id!, stat: place.head.stat }
    const older = await this.#catalog.older(id!.object, sequence)
    const { bucket, key } = place.state === 'live' ? place.head.stat : place.head
    return older && { id: id!, stat: { ...older.stat, bucket, key } }
  }

  /**
   * What is kept of the object under a name, delete markers aside: of the one that is there now or, where there is none,
   * of the last one hidden. ERR_TOO_LARGE beyond `versionsMax`.
   */
  async keptOf(name: ObjectName, versionsMax: number): Promise<readonly ObjectStat[]> {
    await this.#settled()
    const stats: ObjectStat[] = []
    let object: string | undefined
    for await (const version of this.#under(name)) {
      object ??= version.object
      if (version.object !== object) break
      if (version.state !== 'marker') stats.push(version)
      if (stats.length > versionsMax)
        throw new StoreError('ERR_TOO_LARGE', `more than ${versionsMax} versions are kept: name those that are meant`)
    }
    if (stats.length === 0) throw noObject(name)
    return stats
  }

  /** The places of an object's records, in order, also of one that is hidden. */
  async sequencesOf(object: string): Promise<readonly Sequence[]> {
    const sequences = await this.#catalog.streamOf(object)
    if (sequences.length <= this.#streamRecordsMax) return sequences
    throw new StoreError('ERR_TOO_LARGE', `the stream has more than ${this.#streamRecordsMax} records`)
  }

  /** Resolves once everything acknowledged is in the catalog. */
  settled(): Promise<void> {
    return this.#settled()
  }

  async findSettled(sequence: Sequence): Promise<FoundVersion | undefined> {
    await this.#settled()
    return this.find(sequence)
  }

  /** The object of which the record at `sequence` is a version, or a delete marker. */
  async idOf(sequence: Sequence): Promise<VersionId | undefined> {
    try {
      const { content } = await this.#pool.record(sequence)
      const record = isVolumeRecord(content) ? undefined : decodeRecord(content)
      const isVersion = record?.operation === 'put' || (record?.operation === 'delete' && record.version === undefined)
      return isVersion ? { object: record.object, version: sequence } : undefined
    } catch (error) {
      if (hasCode(error, 'ERR_NOT_FOUND')) return undefined
      throw error
    }
  }

  /** Whatever is listed under one name. Longer names that begin with it come later. */
  async *#under({ bucket, key }: ObjectName): AsyncGenerator<ObjectVersion> {
    let cursor: string | undefined
    do {
      const page = await this.#catalog.versions(bucket, { prefix: key, ...(cursor !== undefined && { cursor }) })
      for (const version of page.versions) {
        if (version.key !== key) return
        yield version
      }
      cursor = page.next
    } while (cursor !== undefined)
  }

  async #current(name: ObjectName): Promise<FoundVersion> {
    const head = isName(name) ? await this.#catalog.head(name) : undefined
    if (!head) throw noObject(name)
    return { id: { object: head.stat.object, version: head.stat.sequence }, stat: head.stat }
  }

  #see<T>(origin: Origin, look: () => Promise<T>): Promise<T> {
    return inStoreWords(async () => {
      permit(origin, 'object:read')
      await this.#settled()
      return look()
    })
  }
}

function isSame(one: ObjectName, other: ObjectName): boolean {
  return one.bucket === other.bucket && one.key === other.key
}

export function noVersion({ bucket, key, version = '' }: VersionName): StoreError {
  return new StoreError('ERR_NOT_FOUND', `there is no version ${version} of ${bucket}/${key}`)
}
