import type { Sequence } from '../pool/index.ts'
import type { AttributeChange } from './attributes.ts'
import type { Attributes } from './envelope.ts'

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

/** What a verdict changes; nothing where the version says so already: each scrub finds damage again that stays. */
export function verdictChange(attributes: Attributes, verdict: IntegrityVerdict): AttributeChange | undefined {
  const { state, detail, time } = verdict
  if (attributes['integrity.state'] === state && attributes['integrity.detail'] === detail) return undefined
  return { set: { 'integrity.state': state, 'integrity.detail': detail, 'integrity.time': time }, unset: [] }
}
