import type { Staging } from '../pool/index.ts'
import type { Binding } from './bindings.ts'
import { checkChange, checkUserAttributes } from './client-attributes.ts'
import type { Draft } from './draft.ts'
import type { Attributes, ObjectName, Origin } from './envelope.ts'
import { checkBucket, checkName, isName, noBucket, noObject } from './names.ts'
import { permit } from './permission.ts'
import type { ApplicationRegistration, Digests } from './record.ts'

/**
 * What a transaction may change. Who may ask for it, and whether it can be asked, is checked when it is made; what it
 * needs to find is checked when it draws its records up, as the transaction gets its place: then it is true of the
 * record before. A throw refuses the whole transaction.
 */
export interface Change {
  /** The names whose bindings it looks at. */
  readonly names: readonly ObjectName[]
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
}

/** A new version under a name. The object that the name was bound to goes on; its old version's payload is let go. */
export function put({ origin, name, staging, digests, attributes, createsBucket }: Put): Change {
  return {
    names: [name],
    draft(draft) {
      const { bucket, key } = name
      if (createsBucket && !draft.hasBucket(bucket)) createBucket(origin, bucket).draft(draft)
      requireBucket(draft, bucket)
      const before = draft.binding(name)
      if (before) draft.release(before.version)
      const version = draft.nextSequence
      const object = before?.object ?? draft.nextId
      const size = staging.length
      const body = { operation: 'put', object, bucket, key, size, digests, attributes } as const
      const last = draft.append(origin, before?.last ?? '', body, [staging])
      draft.bind(name, { object, version, attributes, last })
    },
  }
}

/** Unbinds a name; draws up nothing for one that is not bound. */
export function remove(origin: Origin, name: ObjectName): Change {
  permit(origin, 'object:write')
  if (!isName(name)) return NO_CHANGE
  return {
    names: [name],
    draft(draft) {
      const { bucket, key } = name
      const before = draft.binding(name)
      if (!before) return
      draft.release(before.version)
      draft.append(origin, before.last, { operation: 'delete', object: before.object, bucket, key })
      draft.bind(name, undefined)
    },
  }
}

/** Binds an object to another name; the object that had that name, if one had, is gone. */
export function rename(origin: Origin, from: ObjectName, to: ObjectName): Change {
  permit(origin, 'object:write')
  requireName(from)
  checkName(to)
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
  for (const { to } of moves) checkName(to)
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
  const replaced = draft.binding(to)
  if (replaced) draft.release(replaced.version)
  const { object } = binding
  const body = { operation: 'rename', object, bucket: to.bucket, key: to.key, from: plainName(from) } as const
  const last = draft.append(origin, binding.last, body)
  draft.bind(from, undefined)
  draft.bind(to, { ...binding, last })
}

/** Sets and unsets attributes of the current version. */
export function annotate(origin: Origin, name: ObjectName, set: Attributes, unset: readonly string[]): Change {
  permit(origin, 'object:write')
  requireName(name)
  checkChange(set, unset)
  return {
    names: [name],
    draft(draft) {
      const { bucket, key } = name
      const before = requireBinding(draft, name)
      const kept = Object.entries(before.attributes).filter(([attribute]) => !unset.includes(attribute))
      const attributes = { ...Object.fromEntries(kept), ...set }
      checkUserAttributes(attributes)
      const body = { operation: 'attributes', object: before.object, bucket, key, set, unset } as const
      const last = draft.append(origin, before.last, body)
      draft.bind(name, { ...before, attributes, last })
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

function requireName(name: ObjectName): void {
  if (!isName(name)) throw noObject(name)
}

function requireBucket(draft: Draft, bucket: string): void {
  if (!draft.hasBucket(bucket)) throw noBucket(bucket)
}

function requireBinding(draft: Draft, name: ObjectName): Binding {
  const binding = draft.binding(name)
  if (!binding) throw noObject(name)
  return binding
}

/** Callers may pass a whole ObjectStat as a name. */
function plainName({ bucket, key }: ObjectName): ObjectName {
  return { bucket, key }
}
