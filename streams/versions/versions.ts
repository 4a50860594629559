import type { Sequence } from '../../pool/index.ts'
import type { Attributes } from '../envelope.ts'
import type { Owner } from '../policy/usage.ts'
import { type Lock, lockIn } from './retention.ts'

/*
 * What becomes of an object's versions, pure: the drafts of changes and the fold of records work it out alike.
 *
 *            put                                put, kept                    put, kept
 *     ──────────────▶ LIVE: current ────────▶ LIVE: current, older ────────▶ …
 *                      │  ▲                     │  ▲
 *       delete, none kept │                delete, some kept
 *                      ▼  │ the marker          ▼  │ the marker is removed, and the newest version is current again
 *                     gone                    HIDDEN: marker, older ──▶ gone, with the marker when no version is left
 *
 * 1. An object is LIVE under its name, or HIDDEN under a delete marker, which is the last of its stream's versions. A put
 *    on the name of a hidden object begins another object; so a name has one live object at most, and any number of
 *    hidden ones.
 * 2. A version that was put while its bucket was enabled is kept until it is removed by its id. Any other one is
 *    replaceable, and an object has one of these at most.
 */

/** `owner` is known where the catalog is folded, and to nobody else. */
export interface Replaceable extends Lock {
  readonly version: Sequence
  readonly owner?: Owner | undefined
}

/** The versions that an object keeps besides the current one, as far as its next record needs to know. */
export interface Older {
  readonly count: number
  /** The one among them that the next put in a suspended bucket replaces. */
  readonly replaceable?: Replaceable | undefined
  /** No version among them is retained longer. */
  readonly until?: number | undefined
  /** Versions among them that are held. */
  readonly holds?: number | undefined
}

/** The current version and what it stands on. */
export interface Standing {
  readonly version: Sequence
  readonly attributes: Attributes
  /** Put while its bucket was enabled. */
  readonly kept?: true | undefined
  readonly older?: Older | undefined
  readonly owner?: Owner | undefined
}

/** What a put or a delete makes of the version that was current, and of the older ones. */
export interface Superseded {
  /** The version that was current stays, as an older one; its payload is let go otherwise. */
  readonly keeps: boolean
  /** An older version that is replaced, too. */
  readonly drops?: Replaceable | undefined
  readonly older?: Older | undefined
}

/** `versioning` is that of the bucket; undefined for off. */
export function supersede(standing: Standing, versioning: 'enabled' | 'suspended' | undefined): Superseded {
  const { kept, older } = standing
  if (versioning === undefined || (versioning === 'suspended' && !kept)) return { keeps: false, older }
  const drops = versioning === 'suspended' ? older?.replaceable : undefined
  const left = drops && older ? withoutOlder(older, drops.version) : older
  return { keeps: true, drops, older: withOlder(left, standing) }
}

/** Whether a delete leaves a marker: some version is kept under it. */
export function leavesMarker({ older }: Superseded): boolean {
  return (older?.count ?? 0) > 0
}

function withOlder(older: Older | undefined, { version, attributes, kept, owner }: Standing): Older {
  const lock = lockIn(attributes)
  const until = Math.max(older?.until ?? 0, lock.until ?? 0)
  const holds = (older?.holds ?? 0) + Number(lock.held ?? 0)
  return {
    count: (older?.count ?? 0) + 1,
    replaceable: kept ? older?.replaceable : { version, ...lock, ...(owner && { owner }) },
    ...(until > 0 && { until }),
    ...(holds > 0 && { holds }),
  }
}

/** After one of them, which is not locked, was removed. */
export function withoutOlder(older: Older, version: Sequence): Older | undefined {
  if (older.count === 1) return undefined
  const { replaceable, ...rest } = older
  return { ...rest, count: older.count - 1, ...(replaceable?.version !== version && { replaceable }) }
}

/** After one of them became the current one again. */
export function withoutPromoted(
  older: Older | undefined,
  version: Sequence,
  attributes: Attributes,
): Older | undefined {
  const rest = older && withoutOlder(older, version)
  if (!rest?.holds || !lockIn(attributes).held) return rest
  return { ...rest, holds: rest.holds - 1 }
}

/** After the attributes of one of them changed. */
export function withChanged(
  older: Older | undefined,
  version: Sequence,
  before: Attributes,
  after: Attributes,
): Older | undefined {
  if (older === undefined) return undefined
  const lock = lockIn(after)
  const until = Math.max(older.until ?? 0, lock.until ?? 0)
  const holds = (older.holds ?? 0) - Number(lockIn(before).held ?? 0) + Number(lock.held ?? 0)
  const { count, replaceable } = older
  return {
    count,
    replaceable: replaceable?.version === version ? { version, ...lock, ...ownerIn(replaceable) } : replaceable,
    ...(until > 0 && { until }),
    ...(holds > 0 && { holds }),
  }
}

function ownerIn({ owner }: Replaceable): Pick<Replaceable, 'owner'> {
  return owner ? { owner } : {}
}

/** What locks an object as a whole, its name included: any of its versions. */
export function lockOfObject({ attributes, older }: Pick<Standing, 'attributes' | 'older'>): Lock {
  const own = lockIn(attributes)
  const until = Math.max(own.until ?? 0, older?.until ?? 0)
  const held = own.held || (older?.holds ?? 0) > 0
  return { ...(until > 0 && { until }), ...(held && { held: true as const }) }
}
