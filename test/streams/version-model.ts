import { type BucketSettings, type ObjectName, StoreError, type StoreErrorCode } from '../../streams/index.ts'

export interface ModelVersion {
  readonly version: string
  readonly text: string
  readonly kept: boolean
  readonly put: number
  /** 0 while it is current. */
  since: number
  user: number | undefined
  until: number
  held: boolean
}

interface ModelObject {
  name: ObjectName
  /** The oldest first. */
  versions: ModelVersion[]
  marker: string | undefined
}

type Row = readonly [key: string, version: string, state: string]

const DAY_MS = 86_400_000

/**
 * What the store promises of versions, in the plainest way: lists of objects, each with a list of versions. Each verb does
 * what the store is asked to do, given the sequence that its record got, or throws what the store is to refuse with.
 */
export class VersionModel {
  readonly buckets = new Map<string, BucketSettings>()
  objects: ModelObject[] = []
  /** Every version and marker that there ever was. */
  readonly everything: { readonly name: ObjectName; readonly version: string }[] = []

  put(name: ObjectName, text: string, version: string, now: number): void {
    const { versioning, retention } = this.#settings(name)
    const before = this.live(name)
    if (before) this.#supersede(before, now)
    const object = before ?? { name, versions: [], marker: undefined }
    if (!before) this.objects.push(object)
    const until = retention ? now + retention.days * DAY_MS : 0
    object.versions.push({
      version,
      text,
      kept: versioning === 'enabled',
      put: now,
      since: 0,
      user: undefined,
      until,
      held: false,
    })
    this.everything.push({ name, version })
  }

  remove(name: ObjectName, marker: string, now: number): boolean {
    const object = this.live(name)
    if (!object) return false
    this.#supersede(object, now)
    if (this.#settings(name).versioning === 'off') object.versions = []
    if (object.versions.length > 0) {
      object.marker = marker
      this.everything.push({ name, version: marker })
    }
    this.#forgetEmpty()
    return true
  }

  removeVersion(name: ObjectName, version: string, now: number): boolean {
    const object = this.#holding(name, version)
    if (!object) return false
    if (object.marker === version) {
      if (object.versions.length > 0 && this.live(name)) throw refused('ERR_CONFLICT')
      object.marker = undefined
      this.#restore(object)
    } else {
      const found = object.versions.find((other) => other.version === version)!
      requireUnlocked([found], now)
      object.versions = object.versions.filter((other) => other !== found)
      if (object.marker === undefined) this.#restore(object)
    }
    this.#forgetEmpty()
    return true
  }

  /** `marker` is the sequence that the delete record of what is replaced would get. */
  rename(from: ObjectName, to: ObjectName, marker: string, now: number): void {
    const object = this.live(from)
    if (!object) throw refused('ERR_NOT_FOUND')
    if (from.bucket === to.bucket && from.key === to.key) return
    requireUnlocked(object.versions, now)
    if (this.#settings(to).versioning === 'off' && object.versions.length > 1) throw refused('ERR_CONFLICT')
    this.remove(to, marker, now)
    object.name = to
  }

  annotate(name: ObjectName, user: number): void {
    const object = this.live(name)
    if (!object) throw refused('ERR_NOT_FOUND')
    object.versions.at(-1)!.user = user
  }

  retain(name: ObjectName, version: string | undefined, until: number, now: number): void {
    if (until <= now) throw refused('ERR_INVALID')
    const found = this.#found(name, version)
    if (until < found.until) throw refused('ERR_LOCKED')
    found.until = until
  }

  hold(name: ObjectName, version: string | undefined, isHeld: boolean): void {
    this.#found(name, version).held = isHeld
  }

  configure(
    bucket: string,
    versioning: BucketSettings['versioning'],
    days: number | null,
    expiry: BucketSettings['expiry'] | null,
  ): void {
    const before = this.#settings({ bucket, key: '' })
    if (versioning === 'off' && before.versioning !== 'off') throw refused('ERR_CONFLICT')
    this.buckets.set(bucket, { versioning, ...(days !== null && { retention: { days } }), ...(expiry && { expiry }) })
  }

  /** One look at everything, as it was before. `markerOf` tells the sequence of the record that removed a key. */
  expire(bucket: string, now: number, markerOf: (key: string) => string): void {
    const { expiry } = this.#settings({ bucket, key: '' })
    if (!expiry) return
    const isPast = (from: number, days?: number) => days !== undefined && now >= from + days * DAY_MS
    for (const [key, version, state] of this.list(bucket)) {
      const name = { bucket, key }
      const object = this.#holding(name, version)
      const found = object?.versions.find((other) => other.version === version)
      // What went with a removal just now is not there any more.
      if (!object || (state !== 'marker' && !found)) continue
      if (found && (found.held || found.until > now)) continue
      if (state === 'current' && isPast(found!.put, expiry.currentDays)) this.#removeUnlocked(name, markerOf(key), now)
      if (state === 'noncurrent' && isPast(found!.since, expiry.noncurrentDays)) this.removeVersion(name, version, now)
      if (state === 'marker' && object.versions.length === 0) this.removeVersion(name, version, now)
    }
  }

  /** One whose removal would let go of another version that is locked stays. */
  #removeUnlocked(name: ObjectName, marker: string, now: number): void {
    try {
      this.remove(name, marker, now)
    } catch (error) {
      if ((error as StoreError).code !== 'ERR_LOCKED') throw error
    }
  }

  #restore({ versions }: ModelObject): void {
    const top = versions.at(-1)
    if (top) top.since = 0
  }

  live(name: ObjectName): ModelObject | undefined {
    return this.objects.find((object) => object.marker === undefined && isSame(object.name, name))
  }

  /** Key, version and state of all that is kept in a bucket, in the order of the store's list. */
  list(bucket: string): readonly Row[] {
    const objects = this.objects.filter(({ name }) => name.bucket === bucket)
    const order = ({ marker }: ModelObject) => (marker === undefined ? Number.POSITIVE_INFINITY : Number(marker))
    objects.sort((one, other) => compare(one.name.key, other.name.key) || order(other) - order(one))
    return objects.flatMap(({ name: { key }, versions, marker }): Row[] => {
      const rows = versions.toReversed().map(({ version }): Row => [key, version, 'noncurrent'])
      if (marker !== undefined) return [[key, marker, 'marker'], ...rows]
      return [[key, rows[0]![1], 'current'], ...rows.slice(1)]
    })
  }

  /** What was current is kept or let go. */
  #supersede(object: ModelObject, now: number): void {
    const { versioning } = this.#settings(object.name)
    const current = object.versions.at(-1)!
    const gone = object.versions.filter(
      (version) => (versioning === 'off' && version === current) || (versioning === 'suspended' && !version.kept),
    )
    requireUnlocked(gone, now)
    object.versions = object.versions.filter((version) => !gone.includes(version))
    const top = object.versions.at(-1)
    if (top && top.since === 0) top.since = now
  }

  #found(name: ObjectName, version: string | undefined): ModelVersion {
    const object = version === undefined ? this.live(name) : this.#holding(name, version)
    const found =
      version === undefined ? object?.versions.at(-1) : object?.versions.find((other) => other.version === version)
    if (!found) throw refused('ERR_NOT_FOUND')
    return found
  }

  #holding(name: ObjectName, version: string): ModelObject | undefined {
    return this.objects.find(
      (object) =>
        isSame(object.name, name) &&
        (object.marker === version || object.versions.some((other) => other.version === version)),
    )
  }

  #forgetEmpty(): void {
    this.objects = this.objects.filter(({ versions, marker }) => versions.length > 0 || marker !== undefined)
  }

  #settings({ bucket }: ObjectName): BucketSettings {
    return this.buckets.get(bucket)!
  }
}

function requireUnlocked(versions: readonly ModelVersion[], now: number): void {
  if (versions.some(({ until, held }) => held || until > now)) throw refused('ERR_LOCKED')
}

function refused(code: StoreErrorCode): StoreError {
  return new StoreError(code, 'as the model has it')
}

function isSame(one: ObjectName, other: ObjectName): boolean {
  return one.bucket === other.bucket && one.key === other.key
}

function compare(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}
