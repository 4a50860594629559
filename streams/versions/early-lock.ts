import type { Catalog, ObjectHead } from '../catalog/catalog-port.ts'
import type { Envelope } from '../envelope.ts'
import { type BucketSettings, versioningIn } from './bucket-settings.ts'
import { isLocked, type Lock, lockIn, requireUnlocked } from './retention.ts'
import { supersede } from './versions.ts'

export interface EarlyLockOptions {
  readonly catalog: Pick<Catalog, 'head'>
  readonly buckets: ReadonlyMap<string, BucketSettings>
  readonly clock: { now(): number }
  /** Resolves once everything acknowledged is in the catalog. */
  readonly settled: () => Promise<void>
}

/** Bytes declared of an upload from which it is worth to look before they come; fewer are sooner read. */
export const EARLY_BYTES_MIN = 64 * 1024

/**
 * Refuses an upload before its first byte that would replace what is locked: ERR_LOCKED. It is looked at again when the
 * upload gets its place, which alone counts. The key of a mail is new, so that there is nothing to look for.
 */
export function earlyLock({
  catalog,
  buckets,
  clock,
  settled,
}: EarlyLockOptions): (envelope: Envelope) => Promise<void> {
  return async ({ origin, name, expected }) => {
    const settings = buckets.get(name.bucket)
    const isSmall = (expected.size ?? EARLY_BYTES_MIN) < EARLY_BYTES_MIN
    if (settings === undefined || isSmall || origin.protocol === 'smtp') return
    const look = async (): Promise<readonly Lock[]> => locksOver(await catalog.head(name), settings)
    if (!(await look()).some((lock) => isLocked(lock, clock.now()))) return
    // The catalog may not have heard yet that it is locked no more.
    await settled()
    for (const lock of await look()) requireUnlocked(name, lock, clock.now())
  }
}

/** What is said of versions that a put would let go of: nothing, as a rule. */
function locksOver(head: ObjectHead | undefined, settings: BucketSettings): readonly Lock[] {
  if (head === undefined) return []
  const { stat, kept, older } = head
  const { sequence: version, attributes } = stat
  const { keeps, drops } = supersede({ version, attributes, kept, older }, versioningIn(settings))
  return [keeps ? {} : lockIn(attributes), drops ?? {}].filter(({ until, held }) => until !== undefined || held)
}
