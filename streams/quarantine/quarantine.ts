import type { AttributeChange } from '../attributes.ts'
import type { Attributes, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import type { ObjectStat } from '../store-port.ts'
import { isoTime } from '../versions/retention.ts'

/*
 * What is quarantined is there, listed, found and kept, and its bytes are read by nobody but those who may judge it:
 *
 *   RELEASED ──judge──▶ QUARANTINED ──release──▶ RELEASED
 *                            └──discard──▶ gone, unless it is locked
 *
 * It is an attribute of a version, so that its stream says why and when, queries find it, and a put of the whole file
 * under the same name, which is another version, is not touched by it.
 */
export const QUARANTINE_REASON = 'quarantine.reason'
export const QUARANTINE_TIME = 'quarantine.time'

/** Throws ERR_QUARANTINED for bytes that `origin` may not read before somebody has released them. */
export function requireReleased({ principal }: Origin, { bucket, key, attributes }: ObjectStat): void {
  const reason = attributes[QUARANTINE_REASON]
  if (reason === undefined || principal.permissions.includes('object:quarantine')) return
  throw new StoreError('ERR_QUARANTINED', `${bucket}/${key} is quarantined: ${reason}`)
}

/** What quarantine sets; nothing where the version is quarantined for that reason already. */
export function quarantined(attributes: Attributes, reason: string, time: number): Attributes {
  if (attributes[QUARANTINE_REASON] === reason) return {}
  return { [QUARANTINE_REASON]: reason, [QUARANTINE_TIME]: isoTime(time) }
}

/** Undefined for a version that is not quarantined. */
export function releaseOf(attributes: Attributes): AttributeChange | undefined {
  const isQuarantined = attributes[QUARANTINE_REASON] !== undefined
  return isQuarantined ? { set: {}, unset: [QUARANTINE_REASON, QUARANTINE_TIME] } : undefined
}
