import type { Sequence } from '../../pool/index.ts'
import type { Change } from '../changes.ts'
import type { Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { permit } from '../permission.ts'
import type { DeliveryRecord, SubscriptionRegistration } from '../records/record.ts'
import { isRecordFormat } from '../records/record-format.ts'
import { recordTest } from '../tail/record-query.ts'

/** What is asked for; `now` begins with what is to come. */
export interface NewSubscription extends Omit<SubscriptionRegistration, 'after'> {
  readonly after: Sequence | 'now'
}

/** How far a subscription has come since it was noted last. */
export type DeliveryProgress = Pick<DeliveryRecord, 'id' | 'after' | 'dead' | 'settled'>

/** Records of subscriptions are linked in the partition's chain alone. Null ends one. */
export function subscribe(origin: Origin, id: string, asked: NewSubscription | null): Change {
  permit(origin, 'subscription:manage')
  if (asked !== null) checkAsked(origin, asked)
  return {
    names: [],
    draft(draft) {
      const registration = asked && { ...asked, after: placeOf(asked.after, draft.nextSequence) }
      draft.append(origin, '', { operation: 'subscription', id, registration })
    },
  }
}

export function noteDelivery(origin: Origin, progress: DeliveryProgress): Change {
  permit(origin, 'subscription:manage')
  return {
    names: [],
    draft(draft) {
      placeOf(progress.after, draft.nextSequence)
      draft.append(origin, '', { operation: 'delivery', ...progress })
    },
  }
}

function checkAsked(origin: Origin, { query, format }: NewSubscription): void {
  permit(origin, 'object:read')
  recordTest(query)
  if (!isRecordFormat(format)) throw new StoreError('ERR_INVALID', `there is no format ${JSON.stringify(format)}`)
}

/** `next` is the sequence of the record that says so itself. */
function placeOf(after: Sequence | 'now', next: Sequence): Sequence {
  if (after === 'now') return next
  if (Number.isSafeInteger(after) && after >= 0 && after < next) return after
  throw new StoreError('ERR_INVALID', `no stream goes on after record ${after}: the last one is ${next - 1}`)
}
