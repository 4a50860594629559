import type { FastifyReply } from 'fastify'
import { StoreError, type VerifyEvent } from '../../streams/index.ts'
import { secureHeaders } from './answer.ts'
import { openBody, sendChunked } from './body.ts'
import { objectTargetOf } from './envelope.ts'
import { type Application, answers, answersStream, type Door } from './routes.ts'
import * as schemas from './schemas.ts'

const tar = 'application/x-tar'
const lines = 'application/x-ndjson'

/** Proof of what is stored. The keys themselves are public, and told by operations(). */
export function custody(application: Application, door: Door): void {
  const { custody } = door
  application.route({
    method: 'POST',
    url: '/keys',
    schema: { response: answers(201, schemas.PublicKey, 'Rotated: this key signs from here on') },
    handler: async ({ origin }, reply) => reply.code(201).send(await custody.rotate(origin)),
  })
  application.route({
    method: 'GET',
    url: '/verify',
    schema: {
      querystring: schemas.VerifyQuery,
      response: answersStream(lines, 'A JSON value a line: findings and progress as they come, the summary last'),
    },
    async handler({ origin, query: { bucket, key, trust } }, reply) {
      if (key !== undefined && bucket === undefined) throw new StoreError('ERR_INVALID', 'a key is in a bucket')
      const scope = { ...(bucket !== undefined && { bucket }), ...(key !== undefined && { key }) }
      const events = await custody.verify(origin, { ...scope, trust: trust?.split(',') ?? [] })
      await stream(door, reply, lines, linesOf(events))
    },
  })
  application.route({
    method: 'GET',
    url: '/evidence/:bucket/*',
    schema: {
      querystring: schemas.EvidenceQuery,
      response: answersStream(tar, 'The evidence bundle of the object (docs/EVIDENCE.md)'),
    },
    async handler({ raw, origin }, reply) {
      const { name, value } = objectTargetOf(raw.url ?? '', 'versions')
      const versions = value === 'all' ? value : (value?.split(',') ?? [])
      await stream(door, reply, tar, await custody.evidence(origin, name, versions))
    },
  })
}

/** What fails before its first bytes is refused; later, the connection breaks. */
async function stream(
  { logger }: Door,
  reply: FastifyReply,
  type: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  const open = await openBody(bytes, 0)
  reply.hijack()
  reply.raw.writeHead(200, ['Content-Type', type, 'Cache-Control', 'no-store', ...secureHeaders])
  await sendChunked(reply.raw, open).catch((error) => {
    logger.error({ err: error, request: reply.request.id }, 'an answer broke off')
  })
}

async function* linesOf(events: AsyncIterable<VerifyEvent>): AsyncGenerator<Uint8Array> {
  for await (const event of events) yield Buffer.from(`${JSON.stringify(event)}\n`)
}
