import type { Sequence } from '../../pool/index.ts'
import type { AttributeChange } from '../attributes.ts'
import type { Binding } from '../bindings.ts'
import { compareUtf8 } from '../catalog/catalog-keys.ts'
import { annotate, type Change, requireBinding } from '../changes.ts'
import type { Draft } from '../draft.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { isName, noObject } from '../names.ts'
import { permit } from '../permission.ts'
import type { AppendRecord, Producer } from '../records/record.ts'
import { type ProducerVerdict, verdictOn } from './producer.ts'
import { streamAfter, streamTypeOf } from './stream-state.ts'

type Content = Pick<AppendRecord, 'messages' | 'encoding' | 'closes' | 'order' | 'producer'>

/** What an application appends to a stream of its own. */
export interface Append extends Content {
  /** Must be the stream's. A close without a message has none. */
  readonly contentType?: string
}

export interface StreamPlace {
  /** A reader goes on after this record. */
  readonly next: Sequence
  readonly isClosed: boolean
}

type Refusal =
  | ProducerVerdict
  /** `closed-before` is a mere close, of what is closed. */
  | { readonly kind: 'closed' | 'closed-before' | 'another-type' | 'out-of-order' | 'no-stream' }

/** Where a stream is after an append, or why there was none. */
export type AppendOutcome = ({ readonly kind: 'appended' } | Refusal) & StreamPlace

/** Messages of one append. */
export const MESSAGES_MAX = 10_000
export const ORDER_BYTES_MAX = 1024
const NONE = { producers: {} }

/** Messages at the end of a stream. What is refused, or was appended before, is told, and draws up nothing. */
export function append(
  origin: Origin,
  name: ObjectName,
  { contentType, ...content }: Append,
  tell: (outcome: AppendOutcome) => void,
): Change {
  permit(origin, 'object:write')
  if (!isName(name)) throw noObject(name)
  checkMessages(content.messages)
  if (Buffer.byteLength(content.order ?? '') > ORDER_BYTES_MAX)
    throw new StoreError('ERR_INVALID', `a place in an order has at most ${ORDER_BYTES_MAX} bytes`)
  return {
    names: [name],
    draft(draft) {
      const before = requireBinding(draft, name)
      const refusal = refusalOf(before, content, contentType)
      if (!refusal) appendTo(draft, origin, name, content)
      tell({ ...(refusal ?? { kind: 'appended' }), ...placeOf(draft.binding(name)!) })
    },
  }
}

/** What comes again is a duplicate even when the stream is closed by now: its sender does not know that it came in. */
function refusalOf({ attributes, stream }: Binding, content: Content, contentType?: string): Refusal | undefined {
  const { order, producer } = content
  const type = streamTypeOf(attributes)
  if (type === undefined) return { kind: 'no-stream' }
  const verdict = producer && verdictOn(producer, stream ?? NONE)
  if (verdict?.kind === 'duplicate' || verdict?.kind === 'stale') return verdict
  if (stream?.isClosed) return { kind: isMereClose(content) && !producer ? 'closed-before' : 'closed' }
  if (contentType !== undefined && !isSameType(contentType, type)) return { kind: 'another-type' }
  if (verdict) return verdict
  const follows = order === undefined || stream?.order === undefined || compareUtf8(stream.order, order) < 0
  return follows ? undefined : { kind: 'out-of-order' }
}

function isMereClose({ messages, closes = false }: Content): boolean {
  return closes && messages.length === 0
}

/** What a producer says of an object: all changes of one request, or none. */
export function appendChanges(
  origin: Origin,
  name: ObjectName,
  changes: readonly AttributeChange[],
  producer: Producer | undefined,
  tell: (outcome: AppendOutcome) => void,
): Change {
  if (changes.length === 0) throw new StoreError('ERR_INVALID', 'there is nothing to append')
  const drafted = changes.map(({ set, unset }) => annotate(origin, name, set, unset, producer))
  return {
    names: [name],
    draft(draft) {
      const { stream } = requireBinding(draft, name)
      const verdict = producer && verdictOn(producer, stream ?? NONE)
      if (verdict) return tell({ ...verdict, next: recordOf(verdict), isClosed: false })
      for (const change of drafted) change.draft(draft)
      tell({ kind: 'appended', next: draft.nextSequence - 1, isClosed: false })
    },
  }
}

function recordOf(verdict: ProducerVerdict): Sequence {
  return verdict.kind === 'duplicate' ? verdict.producer.record : 0
}

export function appendTo(draft: Draft, origin: Origin, name: ObjectName, content: Content): void {
  const before = requireBinding(draft, name)
  const { bucket, key } = name
  const body = { operation: 'append', object: before.object, bucket, key, ...content } as const
  const stream = streamAfter(before.stream, body, draft.nextSequence)
  const last = draft.append(origin, before.last, body)
  draft.bind(name, { ...before, last, stream })
}

/** A stream without a message is at the record that made it. */
export function placeOf({ object, stream }: Pick<Binding, 'object' | 'stream'>): StreamPlace {
  return { next: stream?.tail ?? Number(object), isClosed: stream?.isClosed ?? false }
}

/** Media types are compared without their parameters (RFC 9110 section 8.3.1 has them case-insensitive). */
export function isSameType(one: string, other: string): boolean {
  return essenceOf(one) === essenceOf(other)
}

export function essenceOf(type: string): string {
  return (type.split(';', 1)[0] ?? '').trim().toLowerCase()
}

export function checkMessages(messages: readonly string[]): void {
  if (messages.length > MESSAGES_MAX)
    throw new StoreError('ERR_TOO_LARGE', `at most ${MESSAGES_MAX} messages are appended at once`)
}
