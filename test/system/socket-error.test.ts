import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { cutOf } from '../../system/index.ts'

/** What the end of a connection is told to be, when `leave` is all that the peer does after its bytes. */
async function endAfter(leave: (peer: Socket) => void): Promise<string | undefined> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { readonly port: number }
  const peer = connect(port, '127.0.0.1').on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [Socket]
  server.close()
  await new Promise((written) => peer.write('bytes', written))
  leave(peer)
  await once(peer, 'close')
  const cut = new Promise<string | undefined>((resolve) => {
    socket.once('end', () => resolve(cutOf((socket as unknown as { _handle: { fd: number } })._handle.fd)))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
  socket.resume()
  return cut.finally(() => socket.destroy())
}

test('a FIN is an end', async () => {
  expect(
    await endAfter((peer) =>
      peer
        .end()
        .resume()
        .once('finish', () => peer.destroy()),
    ),
  ).toBeUndefined()
})

test('a reset is none, whatever waits before it', async () => {
  expect(await endAfter((peer) => peer.resetAndDestroy())).toBe('ECONNRESET')
})

test('what is no socket has not ended well', () => {
  expect(cutOf(-1)).toBe('EBADF')
})
