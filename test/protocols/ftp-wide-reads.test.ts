import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createSecureContext, connect as tlsConnect } from 'node:tls'
import { expect, test } from 'vitest'
import { type FtpTls, protect } from '../../protocols/ftp/protection.ts'
import { PLAIN_READS, readIntoSpareMemory } from '../../protocols/ftp/wide-reads.ts'
import { UploadSink } from '../../protocols/sink.ts'
import { selfSigned } from '../../server/self-signed.ts'
import type { Upload } from '../../streams/index.ts'
import { giveMemory, takeMemory } from '../../system/index.ts'
import { seededRandom } from '../support/random.ts'

/** Both ends of a connection, the accepted one with wide reads. */
async function pair(): Promise<{ readonly client: Socket; readonly wide: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [Socket]
  server.close()
  readIntoSpareMemory(accepted, PLAIN_READS)
  return { client, wide: accepted }
}

/** The same under TLS, as a data connection is after PROT P. */
async function securedPair(): Promise<{ readonly client: Socket; readonly wide: Socket }> {
  const { client, wide } = await pair()
  const { certificate: cert, key } = await selfSigned(Date.now())
  const tls: FtpTls = { mode: 'required', reuseRequired: false, context: () => createSecureContext({ cert, key }) }
  const secured = protect(wide, tls, 10_000)
  return { client: tlsConnect({ socket: client, rejectUnauthorized: false }), wide: await secured }
}

test.each([
  ['plain', pair],
  ['under TLS', securedPair],
])('bytes come whole and in order, through few buffers that are used again: %s', async (_, connected) => {
  const sent = seededRandom(1).bytes(24 << 20)
  const { client, wide } = await connected()
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
  const sink = new UploadSink(upload)
  for (const text of ['a', 'b', 'c']) sink.write(text)
  const written = new Promise((resolve) => sink.write('d', resolve))
  begun()
  await written
  sink.destroy()
  expect(writes).toEqual(['a', 'bcd'])
})

test('memory is given back once the upload has taken it, and no sooner', async () => {
  let take = () => {}
  const upload = { write: () => new Promise<void>((resolve) => (take = resolve)), async abort() {} }
  const sink = new UploadSink(upload as Partial<Upload> as Upload)
  const chunk = takeMemory(64 * 1024)
  const written = new Promise((resolve) => sink.write(chunk, resolve))
  const meanwhile = takeMemory(64 * 1024)
  expect(meanwhile.buffer).not.toBe(chunk.buffer)
  take()
  await written
  expect(takeMemory(64 * 1024).buffer).toBe(chunk.buffer)
  sink.destroy()
})
