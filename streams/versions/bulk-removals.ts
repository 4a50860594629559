import type { Sequence } from '../../pool/index.ts'
import type { DurableRecord } from '../catalog/catalog-port.ts'
import { type Change, remove } from '../changes.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { isName } from '../names.ts'
import { permit } from '../permission.ts'
import { toStoreError } from '../store-errors.ts'
import { type Removed, removeVersions } from './bulk-removal.ts'
import { parseVersion, type VersionId } from './version-changes.ts'
import type { KeyVersion, Removal } from './version-port.ts'
import type { VersionReader } from './version-reader.ts'

export interface BulkParts {
  readonly reader: Pick<VersionReader, 'idOf' | 'settled'>
  readonly commit: (change: Change) => Promise<readonly DurableRecord[]>
}

/** Removals of one call. */
export const REMOVALS_MAX = 1000
/** Names whose removals are underway at once; what is durable of them goes to the disk together. */
const NAMES_MAX = 64

/** Removes many versions, those of each name in one transaction, and tells what became of each. */
export async function bulkRemoval(
  parts: BulkParts,
  origin: Origin,
  bucket: string,
  asked: readonly KeyVersion[],
): Promise<readonly Removal[]> {
  permit(origin, 'object:write')
  if (asked.length > REMOVALS_MAX)
    throw new StoreError('ERR_TOO_LARGE', `at most ${REMOVALS_MAX} versions are removed at once`)
  for (const { version } of asked) if (version !== undefined) parseVersion(version)
  await parts.reader.settled()
  const outcomes = new Map<KeyVersion, Removed>()
  const names = [...byKey(asked)]
  const workers = Array.from({ length: NAMES_MAX }, async () => {
    for (let next = names.shift(); next !== undefined; next = names.shift()) {
      const [key, ones] = next
      await removeUnder(parts, origin, { bucket, key }, ones, outcomes)
    }
  })
  await Promise.all(workers)
  return asked.map((one) => removalOf(one, outcomes.get(one) ?? false))
}

function byKey(asked: readonly KeyVersion[]): ReadonlyMap<string, readonly KeyVersion[]> {
  const keys = new Map<string, KeyVersion[]>()
  for (const one of asked) {
    const ones = keys.get(one.key)
    if (ones) ones.push(one)
    else keys.set(one.key, [one])
  }
  return keys
}

/** Versions by their ids first; then what is current by then, if that was asked for. */
async function removeUnder(
  { reader, commit }: BulkParts,
  origin: Origin,
  name: ObjectName,
  ones: readonly KeyVersion[],
  outcomes: Map<KeyVersion, Removed>,
): Promise<void> {
  const ids = new Map<Sequence, VersionId>()
  const told = new Map<Sequence, Removed>()
  const current = ones.filter(({ version }) => version === undefined)
  const failure = await failureOf(async () => {
    if (!isName(name)) return
    for (const { version } of ones) {
      const id = version === undefined ? undefined : await reader.idOf(parseVersion(version))
      if (id) ids.set(id.version, id)
    }
    const change = removeVersions(origin, name, [...ids.values()], (version, outcome) => told.set(version, outcome))
    if (ids.size > 0) await commit(change)
  })
  for (const one of ones)
    if (one.version !== undefined) outcomes.set(one, failure ?? told.get(parseVersion(one.version)) ?? false)
  if (current.length === 0) return
  let isRemoved = false
  const refused = await failureOf(async () => {
    isRemoved = (await commit(remove(origin, name))).length > 0
  })
  for (const one of current) outcomes.set(one, refused ?? isRemoved)
}

async function failureOf(work: () => Promise<void>): Promise<StoreError | undefined> {
  return work().then(
    () => undefined,
    (error: unknown) => toStoreError(error),
  )
}

function removalOf({ key, version }: KeyVersion, outcome: Removed): Removal {
  const one = { key, ...(version !== undefined && { version }) }
  if (outcome instanceof StoreError) return { ...one, outcome: 'refused', error: outcome }
  return { ...one, outcome: outcome ? 'removed' : 'missing' }
}
