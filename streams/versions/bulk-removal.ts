import type { Sequence } from '../../pool/index.ts'
import type { Catalog, ObjectPlace, OlderVersion } from '../catalog/catalog-port.ts'
import type { Change } from '../changes.ts'
import type { Draft } from '../draft.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { lockIn, requireUnlocked } from './retention.ts'
import { appendRemoval, type Found, isUnder, rebind, taken, type VersionId } from './version-changes.ts'
import { withoutOlder } from './versions.ts'

/** What became of one version: whether it was removed, or why not. */
export type Removed = boolean | StoreError

/** An object under a name, as its removals leave it one after the other. */
interface Standing {
  place: ObjectPlace
  last: string
  readonly older: Map<Sequence, OlderVersion>
  /** The newest version that nobody asks to have removed. */
  readonly spare: OlderVersion | undefined
}

/**
 * Removes versions and delete markers of one name for good, all in one transaction. What is locked, or cannot be removed
 * for another reason, stays, and `told` hears of each. The oldest go first, so that the version that comes back under one
 * that was current is one that stays.
 */
export function removeVersions(
  origin: Origin,
  name: ObjectName,
  ids: readonly VersionId[],
  told: (version: Sequence, outcome: Removed) => void,
): Change {
  const standings = new Map<string, Standing>()
  const ordered = ids.toSorted((one, other) => one.version - other.version)
  return {
    names: [name],
    async load(catalog) {
      for (const object of new Set(ids.map(({ object }) => object))) {
        const standing = await standingOf(catalog, name, object, ids)
        if (standing) standings.set(object, standing)
      }
    },
    draft(draft) {
      for (const id of ordered) told(id.version, removeOne(draft, origin, name, id, standings.get(id.object)))
    },
  }
}

async function standingOf(
  catalog: Catalog,
  name: ObjectName,
  object: string,
  ids: readonly VersionId[],
): Promise<Standing | undefined> {
  const place = await catalog.place(object)
  if (place === undefined || !isUnder(place, name)) return undefined
  const asked = new Set(ids.map(({ version }) => version))
  const older = new Map<Sequence, OlderVersion>()
  for (const { object: of, version } of ids) {
    const found = of === object ? await catalog.older(object, version) : undefined
    if (found) older.set(version, found)
  }
  const spare = place.head.older && (await newestBeside(catalog, name, object, asked))
  return { place, last: place.head.last.digest, older, spare }
}

/** The newest older version of an object that is not among those asked for. */
async function newestBeside(
  catalog: Catalog,
  { bucket, key }: ObjectName,
  object: string,
  asked: ReadonlySet<Sequence>,
): Promise<OlderVersion | undefined> {
  let cursor: string | undefined
  do {
    const page = await catalog.versions(bucket, { prefix: key, ...(cursor !== undefined && { cursor }) })
    for (const version of page.versions) {
      if (version.key !== key) return undefined
      const isIt = version.object === object && version.state === 'noncurrent' && !asked.has(version.sequence)
      if (isIt) return catalog.older(object, version.sequence)
    }
    cursor = page.next
  } while (cursor !== undefined)
  return undefined
}

function removeOne(
  draft: Draft,
  origin: Origin,
  name: ObjectName,
  id: VersionId,
  standing: Standing | undefined,
): Removed {
  const found = standing && foundIn(standing, id.version)
  if (standing === undefined || found === undefined) return false
  try {
    if (found.what !== 'marker') requireUnlocked(name, lockIn(found.attributes), draft.time)
    if (found.what === 'marker' && found.next && draft.binding(name)) throw taken(name)
  } catch (error) {
    if (error instanceof StoreError) return error
    throw error
  }
  if (found.what !== 'marker') draft.release(id.version)
  standing.last = appendRemoval(draft, origin, name, id, found)
  rebind(draft, name, id, found, standing.last)
  pass(standing, id.version, found)
  return true
}

function foundIn({ place, last, older, spare }: Standing, version: Sequence): Found | undefined {
  const left = [...older.values(), ...(spare ? [spare] : [])]
  const newest = left.reduce((one, other) => (one.stat.sequence > other.stat.sequence ? one : other), left[0]!)
  const next = left.length > 0 ? { next: newest } : {}
  if (place.state === 'hidden' && place.head.marker === version) return { what: 'marker', last, place, ...next }
  if (place.state === 'live' && place.head.stat.sequence === version)
    return { what: 'current', last, attributes: place.head.stat.attributes, ...next }
  const found = older.get(version)
  return found && { what: 'older', last, attributes: found.stat.attributes, since: found.since }
}

/** The removal of an older version leaves the object with one less; that of the last one is the last of the object. */
function pass(standing: Standing, version: Sequence, found: Found): void {
  const { place } = standing
  standing.older.delete(version)
  if (found.what === 'older' && place.state === 'hidden') {
    const older = place.head.older && withoutOlder(place.head.older, version)
    standing.place = { state: 'hidden', head: { ...place.head, older } }
  }
}
