import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Receipt, StoreError, type Upload } from '../../streams/index.ts'
import { answer, secureHeaders } from './answer.ts'
import { receive } from './body.ts'
import { envelopeOf } from './envelope.ts'
import { continueBody } from './expect.ts'
import type { Door } from './routes.ts'
import { etagOf } from './stored-headers.ts'

/** PUT of an object: 201 once it is durable, with the receipt. */
export async function put(door: Door, { raw, origin }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const started = door.clock.now()
  const envelope = envelopeOf(raw, origin)
  const { objectBytesMax } = door.limits
  if ((envelope.expected.size ?? 0) > objectBytesMax)
    throw new StoreError('ERR_TOO_LARGE', `an object has at most ${objectBytesMax} bytes`)
  const upload = await door.store.begin(envelope)
  continueBody(raw, reply.raw)
  const receipt = await store(door, raw, upload)
  door.metrics.uploaded(receipt.size, (door.clock.now() - started) / 1000)
  reply.hijack()
  const headers = ['Content-Type', 'application/json', 'Location', raw.url ?? '', 'ETag', etagOf(receipt)]
  // The line end is for whoever reads it in a terminal.
  answer(reply.raw, 201, [...headers, ...secureHeaders], `${JSON.stringify(receipt)}\n`)
}

/** Only a body that arrived whole is committed; any other is let go of at once. */
async function store({ limits }: Door, source: IncomingMessage, upload: Upload): Promise<Receipt> {
  try {
    await receive(source, upload, limits)
  } catch (error) {
    await upload.abort(error as Error)
    throw error
  }
  return upload.commit()
}
