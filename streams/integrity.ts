import type { Sequence } from '../pool/index.ts'
import type { Change } from './changes.ts'
import type { Attributes, ObjectName, Origin } from './envelope.ts'

/** What was found out about the bytes of a version, which the pool knows by their record. */
export interface IntegrityVerdict {
  readonly sequence: Sequence
  readonly state: 'damaged' | 'repaired'
  /** What was found, in words. */
  readonly detail: string
  /** When, in ISO 8601. */
  readonly time: string
}

export const INTEGRITY_DETAIL_BYTES_MAX = 1024

export function integrityAttributes({ state, detail, time }: IntegrityVerdict): Attributes {
  return { 'integrity.state': state, 'integrity.detail': detail, 'integrity.time': time }
}

/** True when a version says the same already: each scrub finds damage again that nobody has removed. */
export function isKnown(attributes: Attributes, { state, detail }: IntegrityVerdict): boolean {
  return attributes['integrity.state'] === state && attributes['integrity.detail'] === detail
}

/** Says it of a version that is bound to `name`; draws up nothing when another one is by then, or none. */
export function noteIntegrity(origin: Origin, { bucket, key }: ObjectName, verdict: IntegrityVerdict): Change {
  const set = integrityAttributes(verdict)
  return {
    names: [{ bucket, key }],
    draft(draft) {
      const before = draft.binding({ bucket, key })
      if (before?.version !== verdict.sequence) return
      const body = { operation: 'attributes', object: before.object, bucket, key, set, unset: [] } as const
      const last = draft.append(origin, before.last, body)
      draft.bind({ bucket, key }, { ...before, attributes: { ...before.attributes, ...set }, last })
    },
  }
}
