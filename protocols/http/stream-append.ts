import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import { Check } from 'typebox/value'
import { type AppendOutcome, type AttributeChange, type ObjectName, StoreError } from '../../streams/index.ts'
import { answer, answerNothing } from './answer.ts'
import { receive } from './body.ts'
import { HttpError } from './error.ts'
import { continueBody } from './expect.ts'
import type { Door } from './routes.ts'
import { Annotation } from './schemas.ts'
import { fields, invalid, isClosing, offsetText, producerOf, refuseUnsupported } from './stream-fields.ts'
import { messagesOf } from './stream-messages.ts'
import { isJsonType, isolated } from './stream-view.ts'

const TYPE_DEFAULT = 'application/octet-stream'

/** PUT: makes a stream, with what it begins with. */
export async function putStream(
  door: Door,
  name: ObjectName,
  { raw, origin, protocol, host }: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  refuseUnsupported(raw.headers)
  const contentType = raw.headers['content-type'] ?? TYPE_DEFAULT
  const messages = messagesOf(await bodyOf(door, raw, reply), contentType)
  const closes = isClosing(raw.headers)
  const request = { contentType, ...messages, ...(closes && { closes }) }
  const { kind, next, isClosed } = await door.store.createStream(origin, name, request)
  if (kind === 'another') throw conflict('there is another stream, or an object, of that name')
  const place = [fields.nextOffset, offsetText(next), ...(isClosed ? [fields.closed, 'true'] : [])]
  const location = kind === 'created' ? ['Location', `${protocol}://${host}${raw.url}`] : []
  reply.hijack()
  const headers = ['Content-Type', contentType, 'Cache-Control', 'no-store', ...place, ...location, ...isolated]
  answer(reply.raw, kind === 'created' ? 201 : 200, headers, '')
}

/** POST to a stream of messages. */
export async function postMessages(
  door: Door,
  name: ObjectName,
  { raw, origin }: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const producer = producerOf(raw.headers)
  const { 'content-type': contentType, 'stream-seq': order } = raw.headers
  const body = await bodyOf(door, raw, reply)
  const closes = isClosing(raw.headers)
  if (body.length === 0 && !closes) throw invalid('there is nothing to append')
  if (body.length > 0 && contentType === undefined) throw invalid('what is appended has a Content-Type')
  const messages = messagesOf(body, contentType ?? TYPE_DEFAULT)
  if (messages.messages.length === 0 && !closes) throw invalid('there is nothing to append: the array is empty')
  const outcome = await door.store.append(origin, name, {
    ...messages,
    ...(body.length > 0 && contentType !== undefined && { contentType }),
    ...(closes && { closes }),
    ...(typeof order === 'string' && { order }),
    ...(producer && { producer }),
  })
  // As the protocol's suite has it, a close without a message is answered without one.
  answerOutcome(outcome, raw, reply, body.length > 0 ? 200 : 204)
}

/** POST to the records of an object: each message is a change of its attributes. */
export async function postChanges(
  door: Door,
  name: ObjectName,
  { raw, origin }: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const producer = producerOf(raw.headers)
  const contentType = raw.headers['content-type']
  if (contentType === undefined || !isJsonType(contentType)) throw conflict('the stream is application/json')
  const changes = changesOf(await bodyOf(door, raw, reply))
  answerOutcome(await door.store.appendChanges(origin, name, changes, producer), raw, reply)
}

function changesOf(body: Buffer): readonly AttributeChange[] {
  const { messages } = messagesOf(body, 'application/json')
  return messages.map((message) => {
    const change: unknown = JSON.parse(message)
    if (!Check(Annotation as TSchema, change)) throw invalid('a message is {"set": {…}, "unset": […]}, one or both')
    const { set = {}, unset = [] } = change as Partial<AttributeChange>
    return { set, unset }
  })
}

function answerOutcome(
  outcome: AppendOutcome,
  { headers }: IncomingMessage,
  reply: FastifyReply,
  heardStatus: 200 | 204 = 200,
): void {
  const { kind, next, isClosed } = outcome
  const closed = isClosed ? [fields.closed, 'true'] : []
  const place = [fields.nextOffset, offsetText(next), ...closed]
  if (kind === 'stale')
    throw new HttpError(403, 'ERR_FORBIDDEN', `the producer has gone on to epoch ${outcome.epoch}`, [
      fields.producerEpoch,
      String(outcome.epoch),
    ])
  if (kind === 'gap')
    throw conflict(`of this producer ${outcome.expected} is next`, [
      ...[fields.expectedSequence, String(outcome.expected), fields.receivedSequence, String(outcome.received)],
    ])
  if (kind === 'closed') throw conflict('the stream is closed', place)
  if (kind === 'another-type') throw conflict('the stream is of another media type')
  if (kind === 'out-of-order') throw conflict('Stream-Seq is not after the last one')
  if (kind === 'no-stream') throw new StoreError('ERR_NOT_FOUND', 'that object is no stream of messages')
  const heard = kind === 'duplicate' ? outcome.producer : producerOf(headers)
  const echoed = heard
    ? [fields.producerEpoch, String(heard.epoch), fields.producerSequence, String(heard.sequence)]
    : []
  reply.hijack()
  const said = ['Cache-Control', 'no-store', ...place, ...echoed, ...isolated]
  if (heard && kind === 'appended' && heardStatus === 200) answer(reply.raw, 200, said, '')
  else answerNothing(reply.raw, 204, said)
}

function conflict(message: string, headers: readonly string[] = []): HttpError {
  return new HttpError(409, 'ERR_CONFLICT', message, headers)
}

async function bodyOf({ limits }: Door, source: IncomingMessage, reply: FastifyReply): Promise<Buffer> {
  continueBody(source, reply.raw)
  const sink = new BodySink()
  await receive(source, sink, { objectBytesMax: limits.appendBytesMax, bodyIdleMsMax: limits.bodyIdleMsMax })
  return Buffer.concat(sink.chunks)
}

class BodySink {
  readonly chunks: Uint8Array[] = []
  size = 0

  async write(chunk: Uint8Array): Promise<void> {
    this.chunks.push(chunk)
    this.size += chunk.length
  }
}
