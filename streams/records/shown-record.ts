import type { Origin } from '../envelope.ts'
import type {
  AbandonRecord,
  ApplicationRecord,
  ApplicationRegistration,
  AttributeRecord,
  DeliveryRecord,
  PrepareRecord,
  RouteRecord,
  SubscriptionRecord,
  SubscriptionRegistration,
} from './record.ts'

/** What is told of an application: not how its secret is kept. */
export type ShownRegistration = Omit<ApplicationRegistration, 'secret'>

export interface ShownApplicationRecord extends Omit<ApplicationRecord, 'registration'> {
  readonly registration: ShownRegistration | null
}

export interface ShownSubscriptionRecord extends Omit<SubscriptionRecord, 'registration'> {
  readonly registration: Omit<SubscriptionRegistration, 'secret' | 'retiring'> | null
}

type Hidden = DeliveryRecord | PrepareRecord | AbandonRecord
type Whole = Exclude<AttributeRecord, ApplicationRecord | SubscriptionRecord | Hidden>

/** A record as applications get it. */
export type ShownRecord = Whole | ShownApplicationRecord | ShownSubscriptionRecord

type Show<R extends AttributeRecord> = (record: R, origin: Origin) => ShownRecord | undefined

const whole = <R extends Whole>(record: R): ShownRecord => record

/**
 * What of each record may be seen with `object:read`. There is a row for each operation, so that a new one does not
 * compile until somebody has thought about what it tells.
 */
const SHOWN: { readonly [O in AttributeRecord['operation']]: Show<Extract<AttributeRecord, { operation: O }>> } = {
  put: whole,
  delete: whole,
  attributes: whole,
  append: whole,
  rename: whole,
  bucket: whole,
  application: showApplication,
  route: showRoute,
  subscription: showSubscription,
  delivery: hidden,
  prepare: hidden,
  abandon: hidden,
  key: whole,
  checkpoint: whole,
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
  const { secret: _, ...registration } = record.registration
  return { ...record, registration }
}

function showRoute(record: RouteRecord, { principal }: Origin): ShownRecord | undefined {
  return principal.permissions.includes('application:manage') ? record : undefined
}

/** Where an application is told of what is told to it, and to those who manage applications. */
function showSubscription(record: SubscriptionRecord, { principal }: Origin): ShownRecord | undefined {
  const isOwn = record.application === principal.application
  if (!isOwn && !principal.permissions.includes('application:manage')) return undefined
  if (record.registration === null) return { ...record, registration: null }
  const { secret: _, retiring: _retiring, ...registration } = record.registration
  return { ...record, registration }
}

/**
 * The server's own notes. Who is told of a delivery and answers would be told of that, too, without end; and of an upload
 * nobody is told before it is whole.
 */
function hidden(): undefined {
  return undefined
}
