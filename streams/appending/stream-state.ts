import type { Sequence } from '../../pool/index.ts'
import type { Attributes } from '../envelope.ts'
import type { AppendRecord, AttributesRecord, Producer } from '../records/record.ts'

/** The last that a producer was heard of, and the record that tells of it. */
export interface ProducerState {
  readonly epoch: number
  readonly sequence: number
  readonly record: Sequence
}

/**
 * What a next append to an object's stream depends on. It is a fold of the object's records, so that it is there again
 * after a crash, true of the very records that are.
 */
export interface StreamState {
  /** The last record with messages. */
  readonly tail?: Sequence
  readonly isClosed?: boolean
  readonly order?: string
  readonly producers: { readonly [id: string]: ProducerState }
}

/** Producers that one stream remembers. It forgets none, since what one sent before may come again. */
export const PRODUCERS_MAX = 64

/** The media type of the messages of a stream that an application made; objects that are none lack it. */
export const STREAM_TYPE = 'stream.content-type'

const NO_STREAM: StreamState = { producers: {} }

export function streamTypeOf(attributes: Attributes): string | undefined {
  const type = Object.hasOwn(attributes, STREAM_TYPE) ? attributes[STREAM_TYPE] : undefined
  return typeof type === 'string' ? type : undefined
}

type Told =
  | Pick<AppendRecord, 'operation' | 'closes' | 'order' | 'producer'>
  | Pick<AttributesRecord, 'operation' | 'producer'>

/** The state after a record of `sequence`; undefined while there is nothing to remember. */
export function streamAfter(state: StreamState | undefined, told: Told, sequence: Sequence): StreamState | undefined {
  const { producer } = told
  const before = state ?? NO_STREAM
  const producers = producer ? { ...before.producers, [producer.id]: heard(producer, sequence) } : before.producers
  if (told.operation === 'attributes') return producer ? { ...before, producers } : state
  const { closes, order } = told
  return {
    ...before,
    tail: sequence,
    ...(closes && { isClosed: true }),
    ...(order !== undefined && { order }),
    producers,
  }
}

function heard({ epoch, sequence }: Producer, record: Sequence): ProducerState {
  return { epoch, sequence, record }
}
