import type { Origin } from './envelope.ts'
import type { ApplicationRecord, ApplicationRegistration, AttributeRecord } from './record.ts'

/** What is told of an application: not how its secret is kept. */
export type ShownRegistration = Omit<ApplicationRegistration, 'secret'>

export interface ShownApplicationRecord extends Omit<ApplicationRecord, 'registration'> {
  readonly registration: ShownRegistration | null
}

/** A record as applications get it. */
export type ShownRecord = Exclude<AttributeRecord, ApplicationRecord> | ShownApplicationRecord

type Show<R extends AttributeRecord> = (record: R, origin: Origin) => ShownRecord | undefined

const whole = <R extends Exclude<AttributeRecord, ApplicationRecord>>(record: R): ShownRecord => record

/**
 * What of each record may be seen with `object:read`. There is a row for each operation, so that a new one does not
 * compile until somebody has thought about what it tells.
 */
const SHOWN: { readonly [O in AttributeRecord['operation']]: Show<Extract<AttributeRecord, { operation: O }>> } = {
  put: whole,
  delete: whole,
  attributes: whole,
  rename: whole,
  bucket: whole,
  application: showApplication,
}

/** The record as `origin` may see it; undefined when it is none of its business. */
export function shown(record: AttributeRecord, origin: Origin): ShownRecord | undefined {
  const show = SHOWN[record.operation] as Show<AttributeRecord>
  return show(record, origin)
}

/** Who there is is told to those who manage applications; a secret is told to nobody, sealed and hashed ones neither. */
function showApplication(record: ApplicationRecord, { principal }: Origin): ShownRecord | undefined {
  if (!principal.permissions.includes('application:manage')) return undefined
  if (record.registration === null) return { ...record, registration: null }
  const { types, permissions } = record.registration
  return { ...record, registration: { types, permissions } }
}
