import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { withWideReads } from '../../protocols/ftp/wide-reads.ts'
import { UploadSink } from '../../protocols/sink.ts'
import type { Upload } from '../../streams/index.ts'
import { giveMemory } from '../../system/index.ts'
import { seededRandom } from '../support/random.ts'

/** Both ends of a connection, the accepted one with wide reads. */
async function pair(): Promise<{ readonly client: Socket; readonly wide: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [Socket]
  server.close()
  const wide = withWideReads(accepted)
  await once(server, 'close') // The connection that was accepted counts as one that has ended.
  return { client, wide }
}

test('bytes come whole and in order, through few buffers that are used again', async () => {
  const sent = seededRandom(1).bytes(24 << 20)
  const { client, wide } = await pair()
  const memory = new Set<ArrayBufferLike>()
  const came: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      memory.add(chunk.buffer)
      came.push(Buffer.from(chunk))
      setImmediate(() => {
        giveMemory(chunk)
        done()
      })
    },
  })
  client.end(sent)
  await pipeline(wide, sink)
  expect(Buffer.concat(came).equals(sent)).toBe(true)
  expect(came.length).toBeGreaterThan(memory.size * 4)
})

test('the buffer that a connection had ready is that of the next one', async () => {
  const memory = new Set<ArrayBufferLike>()
  for (let connection = 0; connection < 20; connection++) {
    const { client, wide } = await pair()
    client.end('x')
    wide.on('data', (chunk: Buffer) => {
      memory.add(chunk.buffer)
      giveMemory(chunk)
    })
    await once(wide.resume(), 'close')
  }
  expect(memory.size).toBeLessThan(5)
})

test('a connection that is cut tells so', async () => {
  const { client, wide } = await pair()
  client.write('half')
  await once(wide, 'readable')
  const failed = once(wide, 'error')
  wide.resume()
  client.resetAndDestroy()
  const [error] = await failed
  expect(error).toMatchObject({ code: 'ECONNRESET' })
})

test('small chunks that wait go to the upload together', async () => {
  const writes: string[] = []
  let begun = () => {}
  const first = new Promise<void>((resolve) => {
    begun = resolve
  })
  const upload = {
    async write(chunk: Uint8Array) {
      writes.push(Buffer.from(chunk).toString())
      await first
    },
    async abort() {},
  } as Partial<Upload> as Upload
  const taken: string[] = []
  const sink = new UploadSink(upload, { taken: (chunk) => taken.push(Buffer.from(chunk).toString()) })
  for (const text of ['a', 'b', 'c']) sink.write(text)
  const written = new Promise((resolve) => sink.write('d', resolve))
  begun()
  await written
  sink.destroy()
  expect(writes).toEqual(['a', 'bcd'])
  expect(taken).toEqual(['a', 'b', 'c', 'd'])
})
