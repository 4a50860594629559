import type { Catalog } from './catalog/catalog-port.ts'
import type { Attributes, Envelope } from './envelope.ts'
import type { ObjectStat } from './store-port.ts'

/** How long a mail is remembered as one whose acknowledgement may have been lost. */
export const RETRY_MS = 24 * 3_600_000
/** Mails of the same bytes that are compared. */
const RETRIES_MAX = 16

export interface RecognitionOptions {
  readonly catalog: Pick<Catalog, 'index' | 'lacksMessage' | 'query'>
  /** Resolves once everything acknowledged is in the catalog. */
  readonly settled: () => Promise<void>
  readonly clock: { now(): number }
}

/** What is to be said of an upload that is like an earlier one, by what was found of it. */
export type Recognise = (envelope: Envelope, found: Attributes) => Promise<Attributes>

/**
 * Recognises mail that its bucket has already. It is stored all the same: a duplicate is recorded, never dropped.
 *
 *   email.duplicate-of   the first object of the same author and Message-ID
 *   email.retry-of       one of the same bytes and envelope within `RETRY_MS`: its 250 was lost on the way, as a rule
 *
 * Of two that come at the same moment neither may know of the other. While the catalog has no whole index nothing is
 * recognised, and neither when it cannot be asked: no mail waits, or is refused, for that.
 */
export function recognition({ catalog, settled, clock }: RecognitionOptions): Recognise {
  const find = async (limit: number, ...terms: readonly string[]) =>
    (await catalog.query(terms.join(' AND '), { limit })).objects
  return async ({ facts, name }, found) => {
    if (facts.type !== 'email' || facts.part || catalog.index.phase !== 'whole') return {}
    try {
      await settled()
      const id = found['email.message-id']
      if (typeof id === 'string' && catalog.lacksMessage(id)) return {}
      const bytes = term('checksum.sha256', found['checksum.sha256'])
      const message = id === undefined ? bytes : term('email.message-id', id)
      // The same bytes have the same Message-ID: most mail is asked about once, by one equality, which needs no plan.
      if ((await find(1, message)).length === 0) return {}
      const bucket = term('object.bucket', name.bucket)
      const [first] = id === undefined ? [] : await find(1, message, authorOf(found), bucket)
      const since = new Date(clock.now() - RETRY_MS).toISOString()
      const sender = term('email.mail-from', found['email.mail-from'])
      const alike = await find(RETRIES_MAX, bytes, sender, bucket, `time >= ${since}`)
      const retried = alike.find((stat) => isTo(found, stat))
      return {
        ...(first && { 'email.duplicate-of': first.object }),
        ...(retried && { 'email.retry-of': retried.object }),
      }
    } catch {
      return {}
    }
  }
}

function authorOf(found: Attributes): string {
  const name = found['email.from'] === undefined ? 'email.mail-from' : 'email.from'
  return term(name, found[name])
}

/** The same recipients, in whatever order. */
function isTo(found: Attributes, { attributes }: ObjectStat): boolean {
  const [ours, theirs] = [found, attributes].map((of) => JSON.stringify([of['email.rcpt-to'] ?? []].flat().toSorted()))
  return ours === theirs
}

function term(name: string, value: unknown): string {
  return `${name} = "${String(value).replace(/["\\]/g, '\\$&')}"`
}
