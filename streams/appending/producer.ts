import { StoreError } from '../errors.ts'
import type { Producer } from '../records/record.ts'
import { PRODUCERS_MAX, type ProducerState, type StreamState } from './stream-state.ts'

export const PRODUCER_ID_BYTES_MAX = 256

/** Why something is not appended: it was already, or does not follow what was. */
export type ProducerVerdict =
  | { readonly kind: 'duplicate'; readonly producer: ProducerState }
  /** A later life of the producer was heard of. */
  | { readonly kind: 'stale'; readonly epoch: number }
  | { readonly kind: 'gap'; readonly expected: number; readonly received: number }

/**
 * Whether what a producer sends is next; undefined when it is. An epoch begins with 0, and goes on one by one; what was
 * heard before is a duplicate, however often it comes. Throws ERR_INVALID, and ERR_QUOTA for one producer too many.
 */
export function verdictOn(
  producer: Producer,
  { producers }: Pick<StreamState, 'producers'>,
): ProducerVerdict | undefined {
  checkProducer(producer)
  const { id, epoch, sequence } = producer
  const known = Object.hasOwn(producers, id) ? producers[id] : undefined
  if (known === undefined && Object.keys(producers).length >= PRODUCERS_MAX)
    throw new StoreError('ERR_QUOTA', `a stream has at most ${PRODUCERS_MAX} producers`)
  if (known && epoch < known.epoch) return { kind: 'stale', epoch: known.epoch }
  if (known && epoch > known.epoch && sequence !== 0)
    throw new StoreError('ERR_INVALID', `an epoch begins with sequence 0, and epoch ${epoch} is new`)
  const last = known?.epoch === epoch ? known.sequence : -1
  if (known && sequence <= last) return { kind: 'duplicate', producer: known }
  return sequence === last + 1 ? undefined : { kind: 'gap', expected: last + 1, received: sequence }
}

function checkProducer({ id, epoch, sequence }: Producer): void {
  if (id === '' || Buffer.byteLength(id) > PRODUCER_ID_BYTES_MAX)
    throw new StoreError('ERR_INVALID', `a producer's id has 1 to ${PRODUCER_ID_BYTES_MAX} bytes`)
  for (const number of [epoch, sequence])
    if (!(Number.isSafeInteger(number) && number >= 0))
      throw new StoreError('ERR_INVALID', "a producer's epoch and sequence are whole numbers from 0 on")
}
