import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ftpLimits } from '../../protocols/ftp/options.ts'
import { DATA_WAITING_BYTES } from '../../protocols/ftp/protection.ts'
import { Transfer } from '../../protocols/ftp/transfer.ts'
import { takeMemory } from '../../system/index.ts'

const CHUNK_BYTES = 64 * 1024
const CHUNKS = 200

test('memory of what was sent is used again, and not before it was sent', async () => {
  const server = createServer({ highWaterMark: DATA_WAITING_BYTES }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as { port: number }).port, '127.0.0.1').pause()
  const [socket] = (await once(server, 'connection')) as [Socket]
  server.close()
  const channel = { open: async () => socket, close() {} }
  const transfer = new Transfer({
    channel,
    limits: ftpLimits,
    announce() {},
    protect: (connection) => connection,
    buckets: [],
  })
  const memory = new Set<ArrayBufferLike>()
  async function* body() {
    for (let number = 0; number < CHUNKS; number++) {
      const chunk = takeMemory(CHUNK_BYTES).fill(number)
      memory.add(chunk.buffer)
      yield chunk
    }
  }
  const sent = transfer.send(body())
  const came: Buffer[] = []
  for await (const chunk of client.resume()) {
    came.push(chunk as Buffer)
    await setImmediate() // A slow client: what waits for it is not used again.
  }
  await sent
  const whole = Buffer.concat(Array.from({ length: CHUNKS }, (_, number) => Buffer.alloc(CHUNK_BYTES, number)))
  expect(Buffer.concat(came).equals(whole)).toBe(true)
  expect(memory.size).toBeLessThan(CHUNKS / 2)
})
