import type { Catalog, DurableRecord } from '../catalog/catalog-port.ts'
import { type Change, expireCurrent } from '../changes.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { type BucketSettings, DAY_MS, NEW_BUCKET } from './bucket-settings.ts'
import { isLocked, lockIn } from './retention.ts'
import { expireOlder, removeVersion } from './version-changes.ts'
import type { ObjectVersion } from './version-port.ts'

export interface ExpiryParts {
  readonly catalog: Pick<Catalog, 'settings' | 'versions'>
  readonly settled: () => Promise<void>
  readonly commit: (change: Change) => Promise<readonly DurableRecord[]>
  readonly clock: { now(): number }
  /** Versions looked at in one round. */
  readonly lookMax: number
}

/** What was removed since the start. */
export interface Expired {
  readonly objects: number
  readonly versions: number
  readonly markers: number
}

type State = ObjectVersion['state']
const COUNTED = { current: 'objects', noncurrent: 'versions', marker: 'markers' } as const satisfies {
  readonly [S in State]: keyof Expired
}

interface Due {
  readonly version: ObjectVersion
  readonly reason: string
}

interface Place {
  readonly bucket: string
  readonly cursor: string | undefined
}

/** Removals under way at once: they share batches. */
const REMOVALS_MAX = 64
/** What somebody else's change makes of a removal that was due: nothing is lost by passing over it. */
const PASSED: ReadonlySet<string> = new Set(['ERR_LOCKED', 'ERR_CONFLICT', 'ERR_NOT_FOUND'])

/**
 * Removes what has expired, a bounded round at a time. A pass goes through what the buckets with an expiry keep, from the
 * first to the last one. Where it is, is kept in memory alone: after a restart it begins anew, and what was removed before
 * is not there to be looked at again. What is due is looked at once more when the removal is drawn up: what is locked, or
 * another version, or current again by then stays, and so does all when its bucket expires it no more.
 */
export class Expiry {
  readonly #parts: ExpiryParts
  readonly #expired = { objects: 0, versions: 0, markers: 0 }
  #place: Place | undefined

  constructor(parts: ExpiryParts) {
    this.#parts = parts
  }

  get expired(): Expired {
    return { ...this.#expired }
  }

  /** Looks at one page of versions. True when the pass goes on; after false the next round begins another one. */
  async round(origin: Origin): Promise<boolean> {
    const { catalog, settled, lookMax, clock } = this.#parts
    await settled()
    const settings = await catalog.settings()
    const place = placeFrom(settings, this.#place)
    this.#place = undefined
    if (place === undefined) return false
    const { bucket, cursor } = place
    const { versions, next } = await catalog.versions(bucket, {
      limit: lookMax,
      ...(cursor !== undefined && { cursor }),
    })
    const due = versions.flatMap((version) => dueOf(version, settings.get(bucket)!, clock.now()) ?? [])
    for (let first = 0; first < due.length; first += REMOVALS_MAX)
      await Promise.all(due.slice(first, first + REMOVALS_MAX).map((one) => this.#remove(origin, one)))
    const following = next === undefined ? bucketAfter(settings, bucket) : bucket
    if (following !== undefined) this.#place = { bucket: following, cursor: next }
    return this.#place !== undefined
  }

  async #remove(origin: Origin, due: Due): Promise<void> {
    try {
      const change = whileDue(due.version, removalOf(origin, due))
      if ((await this.#parts.commit(change)).length > 0) this.#expired[COUNTED[due.version.state]] += 1
    } catch (error) {
      if (!(error instanceof StoreError && PASSED.has(error.code))) throw error
    }
  }
}

function removalOf(origin: Origin, { version, reason }: Due): Change {
  const { bucket, key, object, sequence } = version
  const name: ObjectName = { bucket, key }
  const id = { object, version: sequence }
  if (version.state === 'current') return expireCurrent(origin, name, sequence, reason)
  if (version.state === 'noncurrent') return expireOlder(origin, name, id, version.since, reason)
  return removeVersion(origin, name, id, reason)
}

/** The settings may be others by now. */
function whileDue(version: ObjectVersion, change: Change): Change {
  return {
    ...change,
    draft(draft) {
      if (dueOf(version, draft.settings(version.bucket) ?? NEW_BUCKET, draft.time)) change.draft(draft)
    },
  }
}

/** Why a version is to be removed at `now`; undefined while it is not. */
export function dueOf(version: ObjectVersion, { expiry }: BucketSettings, now: number): Due | undefined {
  if (expiry === undefined) return undefined
  if (version.state === 'marker')
    return version.hides === 0 ? { version, reason: 'expired: a delete marker that hides nothing' } : undefined
  if (isLocked(lockIn(version.attributes), now)) return undefined
  const { currentDays, noncurrentDays } = expiry
  if (version.state === 'current')
    return isPast(version.time, currentDays, now)
      ? { version, reason: `expired: ${currentDays} days after it was put` }
      : undefined
  return isPast(version.since, noncurrentDays, now)
    ? { version, reason: `expired: ${noncurrentDays} days after it was replaced or removed` }
    : undefined
}

function isPast(from: number, days: number | undefined, now: number): boolean {
  return days !== undefined && now >= from + days * DAY_MS
}

/** Where a round goes on: where the last one stopped, unless that bucket expires nothing by now. */
function placeFrom(settings: ReadonlyMap<string, BucketSettings>, place: Place | undefined): Place | undefined {
  if (place !== undefined && settings.get(place.bucket)?.expiry) return place
  const bucket = bucketAfter(settings, place?.bucket ?? '')
  return bucket === undefined ? undefined : { bucket, cursor: undefined }
}

function bucketAfter(settings: ReadonlyMap<string, BucketSettings>, bucket: string): string | undefined {
  return [...settings]
    .filter(([name, { expiry }]) => expiry && name > bucket)
    .map(([name]) => name)
    .sort()[0]
}
