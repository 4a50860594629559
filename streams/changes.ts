import { isDeepStrictEqual } from 'node:util'
import type { Sequence, Staging } from '../pool/index.ts'
import { streamAfter } from './appending/stream-state.ts'
import { changed } from './attributes.ts'
import type { Binding } from './bindings.ts'
import type { Catalog } from './catalog/catalog-port.ts'
import { checkChange, checkUserAttributes } from './client-attributes.ts'
import type { Draft } from './draft.ts'
import type { Attributes, ObjectName, Origin } from './envelope.ts'
import { StoreError } from './errors.ts'
import { checkBucket, checkName, isName, noBucket, noObject } from './names.ts'
import { overtake } from './partials/partial-changes.ts'
import type { PartialUpload } from './partials/partial-port.ts'
import { permit } from './permission.ts'
import type { Allowance } from './policy/allowance.ts'
import { requireName } from './policy/checks.ts'
import type { ApplicationRegistration, Digests, Producer, RouteRegistration } from './records/record.ts'
import {
  type BucketChange,
  type BucketSettings,
  changedSettings,
  defaultRetention,
  versioningIn,
} from './versions/bucket-settings.ts'
import { isLocked, lockIn, requireUnlocked } from './versions/retention.ts'
import { lockOfObject, type Superseded, supersede } from './versions/versions.ts'

/**
 * What a transaction may change. Who may ask for it, and whether it can be asked, is checked when it is made; what it
 * needs to find is checked when it draws its records up, as the transaction gets its place: then it is true of the
 * record before. A throw refuses the whole transaction.
 */
export interface Change {
  /** The names whose bindings it looks at. */
  readonly names: readonly ObjectName[]
  /**
   * Learns from the catalog what else it needs to know of its name, of which there is one: it has the name to itself then,
   * until what it draws up is folded.
   */
  readonly load?: (catalog: Catalog) => Promise<void>
  draft(draft: Draft): void
}

const NO_CHANGE: Change = { names: [], draft() {} }

export interface Put {
  readonly origin: Origin
  readonly name: ObjectName
  readonly staging: Staging
  readonly digests: Digests
  readonly attributes: Attributes
  /** Whether the bucket is made when it is missing. */
  readonly createsBucket: boolean
  /** There when its application's partial upload under the name ends with it; `own` is what was prepared of it itself. */
  readonly partial?: { readonly own: PartialUpload | undefined }
  /** The version that it was made from, which must be the current one still. */
  readonly replaces?: Sequence
  /** Attributes that are the ids of the objects under these names. */
  readonly refers?: { readonly [attribute: string]: ObjectName } | undefined
  /** The room that it takes; undefined where no quota bounds it. */
  readonly allowance?: Allowance | undefined
}

/**
 * A new version under a name. The object that the name was bound to goes on; what was its current version is kept or let
 * go, as the bucket has it.
 */
export function put({
  origin,
  name,
  staging,
  digests,
  attributes,
  createsBucket,
  partial,
  replaces,
  refers = {},
  allowance,
}: Put): Change {
  return {
    names: [name, ...Object.values(refers)],
    draft(draft) {
      const { bucket, key } = name
      if (createsBucket && !draft.hasBucket(bucket)) createBucket(origin, bucket).draft(draft)
      const settings = requireBucket(draft, bucket)
      const versioning = versioningIn(settings)
      const before = draft.binding(name)
      if (replaces !== undefined && before?.version !== replaces)
        throw new StoreError('ERR_CONFLICT', `${bucket}/${key} was replaced meanwhile`)
      allowance?.settle(staging.length, before?.version)
      const older = before && replace(draft, name, before, versioning).older
      const version = draft.nextSequence
      const object = before?.object ?? draft.nextId
      const all = { ...attributes, ...referrals(draft, refers), ...defaultRetention(settings, draft.time) }
      const what = { object, bucket, key, size: staging.length, digests, attributes: all }
      const prepared = partial && endPartial(draft, origin, name, partial.own)
      const body = {
        operation: 'put',
        ...what,
        ...(versioning && { versioning }),
        ...(prepared !== undefined && { prepared }),
      } as const
      const last = draft.append(origin, before?.last ?? '', body, [staging])
      const kept = versioning === 'enabled' || undefined
      draft.bind(name, { object, version, attributes: all, last, kept, older, stream: before?.stream })
      overtake(draft, origin, name)
    },
  }
}

/** Nothing is said of a name that nothing is under. */
function referrals(draft: Draft, refers: { readonly [attribute: string]: ObjectName }): Attributes {
  const found = Object.entries(refers).map(([attribute, to]) => [attribute, draft.binding(to)?.object] as const)
  return Object.fromEntries(found.filter((pair): pair is [string, string] => pair[1] !== undefined))
}

/** What was prepared of the upload itself is taken over by the pool; of another one it is let go. */
function endPartial(draft: Draft, origin: Origin, name: ObjectName, own?: PartialUpload): Sequence | undefined {
  const place = { ...name, application: origin.principal.application }
  const prepared = draft.partial(place)?.prepared
  if (prepared === undefined) return undefined
  if (prepared !== own?.prepared) draft.release(prepared)
  draft.setPartial(place, undefined)
  return prepared
}

/** What was current is kept or let go; ERR_LOCKED when what would be let go is locked. */
function replace(draft: Draft, name: ObjectName, before: Binding, versioning: Versioning): Superseded {
  const after = supersede(before, versioning)
  if (!after.keeps) requireUnlocked(name, lockIn(before.attributes), draft.time)
  if (!after.keeps) draft.release(before.version)
  if (after.drops) requireUnlocked(name, after.drops, draft.time)
  if (after.drops) draft.release(after.drops.version)
  return after
}

type Versioning = ReturnType<typeof versioningIn>

/** Unbinds a name; draws up nothing for one that is not bound. */
export function remove(origin: Origin, name: ObjectName): Change {
  permit(origin, 'object:write')
  if (!isName(name)) return NO_CHANGE
  return {
    names: [name],
    draft(draft) {
      const before = draft.binding(name)
      if (before) unbind(draft, origin, name, before)
    },
  }
}

/** Removes an object that has expired; draws up nothing when `version` is current no more, or locked. */
export function expireCurrent(origin: Origin, name: ObjectName, version: Sequence, reason: string): Change {
  return {
    names: [name],
    draft(draft) {
      const before = draft.binding(name)
      if (before?.version !== version || isLocked(lockIn(before.attributes), draft.time)) return
      unbind(draft, origin, name, before, reason)
    },
  }
}

/** Where versions are kept, the object stays under a marker, which is the record. */
function unbind(draft: Draft, origin: Origin, name: ObjectName, before: Binding, reason?: string): void {
  const { bucket, key } = name
  const versioning = versioningIn(requireBucket(draft, bucket))
  replace(draft, name, before, versioning)
  const body = { operation: 'delete', object: before.object, bucket, key } as const
  draft.append(origin, before.last, { ...body, ...(versioning && { versioning }), ...(reason && { reason }) })
  draft.bind(name, undefined)
  overtake(draft, origin, name, before.version)
}

/**
 * Binds an object to another name, with all its versions. The object that had that name, if one had, is removed: gone, or
 * hidden where its bucket keeps versions.
 */
export function rename(origin: Origin, from: ObjectName, to: ObjectName): Change {
  permit(origin, 'object:write')
  requireObjectName(from)
  checkName(to)
  requireName(origin, to)
  return {
    names: [from, to],
    draft(draft) {
      requireBucket(draft, to.bucket)
      move(draft, origin, from, to, requireBinding(draft, from))
    },
  }
}

export interface Move {
  readonly from: ObjectName
  readonly to: ObjectName
}

/** Renames many into `bucket`; those that are gone by now are left out. */
export function renameAll(origin: Origin, bucket: string, moves: readonly Move[]): Change {
  permit(origin, 'object:write')
  for (const { to } of moves) {
    checkName(to)
    requireName(origin, to)
  }
  return {
    names: moves.flatMap(({ from, to }) => [from, to]),
    draft(draft) {
      requireBucket(draft, bucket)
      for (const { from, to } of moves) {
        const binding = draft.binding(from)
        if (binding) move(draft, origin, from, to, binding)
      }
    },
  }
}

function move(draft: Draft, origin: Origin, from: ObjectName, to: ObjectName, binding: Binding): void {
  if (from.bucket === to.bucket && from.key === to.key) return
  requireUnlocked(from, lockOfObject(binding), draft.time)
  const versioning = versioningIn(requireBucket(draft, to.bucket))
  if (versioning === undefined && binding.older)
    throw new StoreError(
      'ERR_CONFLICT',
      `${to.bucket} keeps no versions, and ${from.bucket}/${from.key} has older ones`,
    )
  const replaced = draft.binding(to)
  if (replaced && versioning) unbind(draft, origin, to, replaced)
  else if (replaced) replace(draft, to, replaced, versioning)
  const { object } = binding
  const body = { operation: 'rename', object, bucket: to.bucket, key: to.key, from: plainName(from) } as const
  const last = draft.append(origin, binding.last, body)
  draft.bind(from, undefined)
  draft.bind(to, { ...binding, last })
  overtake(draft, origin, from, binding.version)
  overtake(draft, origin, to)
}

/** Sets and unsets attributes of the current version. Whether a producer's turn it is, was seen to before. */
export function annotate(
  origin: Origin,
  name: ObjectName,
  set: Attributes,
  unset: readonly string[],
  producer?: Producer,
): Change {
  permit(origin, 'object:write')
  requireObjectName(name)
  checkChange(set, unset)
  return {
    names: [name],
    draft(draft) {
      const { bucket, key } = name
      const before = requireBinding(draft, name)
      const attributes = changed(before.attributes, { set, unset })
      checkUserAttributes(attributes)
      const { object } = before
      const body = { operation: 'attributes', object, bucket, key, set, unset, ...(producer && { producer }) } as const
      const stream = streamAfter(before.stream, body, draft.nextSequence)
      const last = draft.append(origin, before.last, body)
      draft.bind(name, { ...before, attributes, last, stream })
    },
  }
}

/** Draws up nothing for a bucket that exists. */
export function createBucket(origin: Origin, bucket: string): Change {
  permit(origin, 'bucket:create')
  checkBucket(bucket)
  return {
    names: [],
    draft(draft) {
      if (draft.hasBucket(bucket)) return
      draft.addBucket(bucket)
      draft.append(origin, '', { operation: 'bucket', bucket })
    },
  }
}

/** What a bucket keeps from now on; draws up nothing where it is so already. */
export function configure(origin: Origin, bucket: string, change: BucketChange): Change {
  permit(origin, 'bucket:manage')
  return {
    names: [],
    draft(draft) {
      const before = requireBucket(draft, bucket)
      const settings = changedSettings(before, change)
      if (isDeepStrictEqual(settings, before)) return
      draft.configure(bucket, settings)
      draft.append(origin, '', { operation: 'bucket', bucket, settings })
    },
  }
}

/** Records of applications are linked in the partition's chain alone. */
export function register(origin: Origin, id: string, registration: ApplicationRegistration | null): Change {
  permit(origin, 'application:manage')
  return {
    names: [],
    draft(draft) {
      draft.append(origin, '', { operation: 'application', id, registration })
    },
  }
}

export function route(origin: Origin, id: string, registration: RouteRegistration | null): Change {
  permit(origin, 'application:manage')
  return {
    names: [],
    draft(draft) {
      draft.append(origin, '', { operation: 'route', id, registration })
    },
  }
}

function requireObjectName(name: ObjectName): void {
  if (!isName(name)) throw noObject(name)
}

function requireBucket(draft: Draft, bucket: string): BucketSettings {
  const settings = draft.settings(bucket)
  if (!settings) throw noBucket(bucket)
  return settings
}

export function requireBinding(draft: Draft, name: ObjectName): Binding {
  const binding = draft.binding(name)
  if (!binding) throw noObject(name)
  return binding
}

/** Callers may pass a whole ObjectStat as a name. */
function plainName({ bucket, key }: ObjectName): ObjectName {
  return { bucket, key }
}
