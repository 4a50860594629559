import type { PayloadRange, Sequence } from '../../pool/index.ts'
import type { AttributeChange } from '../attributes.ts'
import type { DurableRecord } from '../catalog/catalog-port.ts'
import { type Change, configure } from '../changes.ts'
import type { Attributes, ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { type IntegrityVerdict, verdictChange } from '../integrity.ts'
import { isName } from '../names.ts'
import { permit } from '../permission.ts'
import { releaseOf } from '../quarantine/quarantine.ts'
import { inStoreWords } from '../store-errors.ts'
import type { ObjectStat, Reading } from '../store-port.ts'
import type { BucketChange, BucketSettings } from './bucket-settings.ts'
import { DAY_MS, SETTING_DAYS_MAX } from './bucket-settings.ts'
import { bulkRemoval } from './bulk-removals.ts'
import { isoTime, lockIn, RETENTION_HOLD, RETENTION_UNTIL } from './retention.ts'
import { changeVersion, parseVersion, removeVersion } from './version-changes.ts'
import type {
  KeyVersion,
  Moment,
  PastObject,
  Removal,
  VersionListing,
  VersionListOptions,
  VersionName,
  Versions,
} from './version-port.ts'
import { type FoundVersion, noVersion, type VersionReader } from './version-reader.ts'

export interface VersionStoreParts {
  readonly reader: VersionReader
  readonly clock: { now(): number }
  /** Resolves with the records, durable; with none when there was nothing to change. */
  readonly commit: (change: Change) => Promise<readonly DurableRecord[]>
}

/** How often a version is looked for again whose object got another name, or that stopped being current, meanwhile. */
const ATTEMPTS_MAX = 4

/** Why a version is gone that somebody removed from quarantine. */
const DISCARDED = 'discarded from quarantine'

/** What is to be changed of a version that has these attributes; undefined for nothing. */
type Plan = (attributes: Attributes) => AttributeChange | undefined

/** Versions of objects, and how buckets keep them. */
export class VersionStore implements Versions {
  readonly #parts: VersionStoreParts

  constructor(parts: VersionStoreParts) {
    this.#parts = parts
  }

  settings(origin: Origin, bucket: string): Promise<BucketSettings> {
    return this.#parts.reader.settings(origin, bucket)
  }

  async configure(origin: Origin, bucket: string, change: BucketChange): Promise<void> {
    await this.#parts.commit(configure(origin, bucket, change))
  }

  statVersion(origin: Origin, name: VersionName): Promise<ObjectStat> {
    return this.#parts.reader.stat(origin, name)
  }

  readVersion(origin: Origin, name: VersionName, range?: PayloadRange): Promise<Reading> {
    return this.#parts.reader.read(origin, name, range)
  }

  listVersions(origin: Origin, bucket: string, options: VersionListOptions = {}): Promise<VersionListing> {
    return this.#parts.reader.list(origin, bucket, options)
  }

  removeVersion(origin: Origin, name: ObjectName, version: string): Promise<boolean> {
    return inStoreWords(async () => {
      permit(origin, 'object:write')
      const id = isName(name) ? await this.#parts.reader.idOf(parseVersion(version)) : undefined
      return id !== undefined && (await this.#parts.commit(removeVersion(origin, name, id))).length > 0
    })
  }

  removeVersions(origin: Origin, bucket: string, asked: readonly KeyVersion[]): Promise<readonly Removal[]> {
    return inStoreWords(() => bulkRemoval(this.#parts, origin, bucket, asked))
  }

  async retain(origin: Origin, name: VersionName, until: number): Promise<void> {
    permit(origin, 'object:retain')
    checkUntil(until, this.#parts.clock.now())
    await this.#change(origin, name, (attributes) => lengthened(name, attributes, until))
  }

  async hold(origin: Origin, name: VersionName, isHeld: boolean): Promise<void> {
    permit(origin, 'object:hold')
    await this.#change(origin, name, (attributes) => heldChange(attributes, isHeld))
  }

  objectAt(origin: Origin, name: ObjectName, moment: Moment): Promise<PastObject> {
    return this.#parts.reader.past(origin, name, moment)
  }

  /** Ends the quarantine of a version; false when it is in none. */
  release(origin: Origin, name: VersionName): Promise<boolean> {
    return inStoreWords(async () => {
      permit(origin, 'object:quarantine')
      const { id } = await this.#parts.reader.require(name)
      return this.note(origin, id.version, releaseOf)
    })
  }

  /** Removes a version that is quarantined; false when it is not. */
  discard(origin: Origin, name: VersionName): Promise<boolean> {
    return inStoreWords(async () => {
      permit(origin, 'object:quarantine')
      const { id } = await this.#parts.reader.require(name)
      return this.drop(origin, id.version, DISCARDED)
    })
  }

  /** Puts a verdict on bytes into the stream of their object; false when that says so already, or the version is gone. */
  noteIntegrity(origin: Origin, verdict: IntegrityVerdict): Promise<boolean> {
    return this.note(origin, verdict.sequence, (attributes) => verdictChange(attributes, verdict))
  }

  /** Changes attributes that only the server sets of a version, wherever it is by now; false when nothing changes. */
  note(origin: Origin, version: Sequence, plan: Plan): Promise<boolean> {
    return this.#settle(version, ({ id, stat }) =>
      plan(stat.attributes) === undefined ? undefined : changeVersion(origin, stat, id, plan),
    )
  }

  /** Removes a version that is quarantined, wherever it is by now; false when it is gone, or was released. */
  drop(origin: Origin, version: Sequence, reason?: string): Promise<boolean> {
    return this.#settle(version, ({ id, stat }) =>
      releaseOf(stat.attributes) === undefined ? undefined : removeVersion(origin, stat, id, reason),
    )
  }

  /** A version that is renamed between being found and being drafted is looked for again. */
  #settle(version: Sequence, changeOf: (found: FoundVersion) => Change | undefined): Promise<boolean> {
    return inStoreWords(async () => {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const found = await this.#parts.reader.findSettled(version)
        const change = found && changeOf(found)
        if (change === undefined) return false
        if ((await this.#parts.commit(change)).length > 0) return true
      }
      return false
    })
  }

  /** A version that is renamed between being found and being drafted is looked for again; one without an id, too. */
  #change(origin: Origin, name: VersionName, plan: Plan): Promise<void> {
    return inStoreWords(async () => {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const { id, stat } = await this.#parts.reader.require(name)
        if (plan(stat.attributes) === undefined) return
        if ((await this.#parts.commit(changeVersion(origin, name, id, plan))).length > 0) return
      }
      throw noVersion(name)
    })
  }
}

function checkUntil(until: number, now: number): void {
  const isTime = Number.isSafeInteger(until) && until <= now + SETTING_DAYS_MAX * DAY_MS
  if (!isTime) throw new StoreError('ERR_INVALID', `a version is retained for ${SETTING_DAYS_MAX} days at the most`)
  if (until <= now) throw new StoreError('ERR_INVALID', `${isoTime(until)} has passed`)
}

function lengthened(name: ObjectName, attributes: Attributes, until: number): AttributeChange | undefined {
  const before = lockIn(attributes).until ?? 0
  if (until < before)
    throw new StoreError(
      'ERR_LOCKED',
      `${name.bucket}/${name.key} is retained until ${isoTime(before)}, which can be later and not sooner`,
    )
  return until === before ? undefined : { set: { [RETENTION_UNTIL]: isoTime(until) }, unset: [] }
}

function heldChange(attributes: Attributes, isHeld: boolean): AttributeChange | undefined {
  if (lockIn(attributes).held === (isHeld || undefined)) return undefined
  return isHeld ? { set: { [RETENTION_HOLD]: true }, unset: [] } : { set: {}, unset: [RETENTION_HOLD] }
}
