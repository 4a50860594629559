import type { Sequence } from '../../pool/index.ts'
import { type AttributeChange, changed } from '../attributes.ts'
import type { Binding } from '../bindings.ts'
import { sequenceText } from '../catalog/catalog-keys.ts'
import type { Catalog, ObjectPlace, OlderVersion } from '../catalog/catalog-port.ts'
import type { Change } from '../changes.ts'
import type { Draft } from '../draft.ts'
import type { Attributes, ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { overtake } from '../partials/partial-changes.ts'
import { lockIn, requireUnlocked } from './retention.ts'
import { withChanged, withoutOlder, withoutPromoted } from './versions.ts'

/* Changes of one version of an object, which has its name to itself while they are drawn up. */

/** A version of an object, or its delete marker. */
export interface VersionId {
  readonly object: string
  readonly version: Sequence
}

/** What is found where a version is looked for. */
export type Found =
  | { readonly what: 'current'; readonly attributes: Attributes; readonly last: string; readonly next?: OlderVersion }
  | { readonly what: 'older'; readonly attributes: Attributes; readonly last: string; readonly since: number }
  | { readonly what: 'marker'; readonly last: string; readonly next?: OlderVersion; readonly place: Hidden }

type Hidden = Extract<ObjectPlace, { state: 'hidden' }>

/** Removes a version for good, or a delete marker; draws up nothing when there is none under the name. */
export function removeVersion(origin: Origin, name: ObjectName, id: VersionId, reason?: string): Change {
  return removal(origin, name, id, reason, () => true)
}

/** Removes an older version that has expired; draws up nothing when it is current, or was so after `since`. */
export function expireOlder(origin: Origin, name: ObjectName, id: VersionId, since: number, reason: string): Change {
  return removal(origin, name, id, reason, (found) => found.what === 'older' && found.since === since)
}

function removal(
  origin: Origin,
  name: ObjectName,
  id: VersionId,
  reason: string | undefined,
  isMeant: (found: Found) => boolean,
): Change {
  let found: Found | undefined
  return {
    names: [name],
    async load(catalog) {
      found = await find(catalog, name, id)
    },
    draft(draft) {
      if (found === undefined || !isMeant(found)) return
      if (found.what !== 'marker') requireUnlocked(name, lockIn(found.attributes), draft.time)
      if (found.what === 'marker' && found.next && draft.binding(name)) throw taken(name)
      if (found.what !== 'marker') draft.release(id.version)
      const last = appendRemoval(draft, origin, name, id, found, reason)
      rebind(draft, name, id, found, last)
    },
  }
}

export function appendRemoval(
  draft: Draft,
  origin: Origin,
  { bucket, key }: ObjectName,
  { object, version }: VersionId,
  found: Found,
  reason?: string,
): string {
  const next = found.what === 'older' ? undefined : found.next
  const body = { operation: 'delete', object, bucket, key, version } as const
  const why = { ...(next && { current: next.stat.sequence }), ...(reason && { reason }) }
  const last = draft.append(origin, found.last, { ...body, ...why })
  if (found.what === 'current') overtake(draft, origin, { bucket, key }, version)
  return last
}

/** What the name is bound to from now on. A hidden object is nobody's binding. */
export function rebind(
  draft: Draft,
  name: ObjectName,
  { object, version }: VersionId,
  found: Found,
  last: string,
): void {
  const bound = draft.binding(name)
  const live = bound?.object === object ? bound : undefined
  if (found.what === 'older') {
    if (live) draft.bind(name, { ...live, last, older: live.older && withoutOlder(live.older, version) })
  } else if (found.next) {
    draft.bind(name, promoted(object, found.next, last, (found.what === 'marker' ? found.place.head : live) ?? {}))
  } else if (found.what === 'current') draft.bind(name, undefined)
}

function promoted(
  object: string,
  { stat, kept }: OlderVersion,
  last: string,
  { older: before, stream }: Pick<Binding, 'older' | 'stream'>,
): Binding {
  const { sequence: version, attributes } = stat
  return { object, version, attributes, last, kept, older: withoutPromoted(before, version, attributes), stream }
}

/**
 * Changes attributes of a version, those that only the server sets; draws up nothing when the version is not under the
 * name, or `plan` finds nothing to change.
 */
export function changeVersion(
  origin: Origin,
  name: ObjectName,
  id: VersionId,
  plan: (attributes: Attributes) => AttributeChange | undefined,
): Change {
  let found: Found | undefined
  return {
    names: [name],
    async load(catalog) {
      found = await find(catalog, name, id)
    },
    draft(draft) {
      const planned = found && found.what !== 'marker' ? plan(found.attributes) : undefined
      if (found === undefined || found.what === 'marker' || planned === undefined) return
      const { bucket, key } = name
      const { object, version } = id
      const body = { operation: 'attributes', object, bucket, key, version, ...planned } as const
      const last = draft.append(origin, found.last, body)
      annotateBinding(draft, name, id, { before: found.attributes, after: changed(found.attributes, planned), last })
    },
  }
}

function annotateBinding(
  draft: Draft,
  name: ObjectName,
  { object, version }: VersionId,
  { before, after, last }: { readonly before: Attributes; readonly after: Attributes; readonly last: string },
): void {
  const bound = draft.binding(name)
  if (bound?.object !== object) return
  if (bound.version === version) draft.bind(name, { ...bound, last, attributes: after })
  else draft.bind(name, { ...bound, last, older: withChanged(bound.older, version, before, after) })
}

async function find(catalog: Catalog, name: ObjectName, { object, version }: VersionId): Promise<Found | undefined> {
  const place = await catalog.place(object)
  if (place === undefined || !isUnder(place, name)) return undefined
  const last = place.head.last.digest
  if (place.state === 'hidden' && place.head.marker === version)
    return { what: 'marker', last, place, ...(await nextOf(catalog, object, place)) }
  if (place.state === 'live' && place.head.stat.sequence === version)
    return { what: 'current', last, attributes: place.head.stat.attributes, ...(await nextOf(catalog, object, place)) }
  const older = await catalog.older(object, version)
  return older && { what: 'older', last, attributes: older.stat.attributes, since: older.since }
}

export function isUnder({ state, head }: ObjectPlace, { bucket, key }: ObjectName): boolean {
  const name = state === 'live' ? head.stat : head
  return name.bucket === bucket && name.key === key
}

async function nextOf(
  catalog: Catalog,
  object: string,
  { head }: ObjectPlace,
): Promise<{ readonly next?: OlderVersion }> {
  const next = head.older && (await catalog.older(object))
  return next ? { next } : {}
}

export function taken({ bucket, key }: ObjectName): StoreError {
  return new StoreError(
    'ERR_CONFLICT',
    `another object is called ${bucket}/${key} now: what the delete marker hides cannot come back under that name`,
  )
}

/** ERR_INVALID for what is no version's id. */
export function parseVersion(text: string): Sequence {
  const version = /^\d{16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(version) && sequenceText(version) === text) return version
  throw new StoreError('ERR_INVALID', "a version's id is a sequence of 16 digits")
}
