import type { Sequence } from '../../pool/index.ts'
import type { AttributeChange } from '../attributes.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import type { Producer } from '../records/record.ts'
import type { TailOptions } from '../tail/tail.ts'
import type { TailPage } from '../tail/tail-page.ts'
import type { Append, AppendOutcome, StreamPlace } from './appending.ts'
import type { CreateOutcome, StreamRequest } from './stream-creation.ts'

/** An object's stream, and the messages in it where an application made it. */
export interface StreamHead extends StreamPlace {
  /** The object's first record, and its last one. */
  readonly first: Sequence
  readonly last: Sequence
  /** Of its messages; undefined where there can be none. */
  readonly contentType?: string
}

/** Streams: what is asked of the records, and what applications append to them. All methods reject with a StoreError. */
export interface Streams {
  /**
   * Follows a stream, page after page: first what is there, then what comes, until its signal ends it. A record is told
   * of once it is durable; what is asked of the store after that sees it. ERR_NOT_FOUND, ERR_INVALID for a place beyond
   * the end and for what is no query, ERR_HALTED when the store closes.
   */
  tail(origin: Origin, options: TailOptions): AsyncGenerator<TailPage>
  streamHead(origin: Origin, name: ObjectName): Promise<StreamHead>
  /** Makes a stream that applications append messages to, under a name that is free. */
  createStream(origin: Origin, name: ObjectName, request: StreamRequest): Promise<CreateOutcome>
  /** Resolves once the messages are durable, by this append or by the one that it repeats; or tells why they are not. */
  append(origin: Origin, name: ObjectName, append: Append): Promise<AppendOutcome>
  /** The same with changes of the attributes of any object. */
  appendChanges(
    origin: Origin,
    name: ObjectName,
    changes: readonly AttributeChange[],
    producer?: Producer,
  ): Promise<AppendOutcome>
}
