/*
 * Puts objects over plain sockets, as cheaply as JavaScript can, from a process of its own.
 *   load small PORT CONNECTIONS SECONDS AUTHORIZATION   prints objects per second
 *   load large PORT BYTES AUTHORIZATION                 prints bytes per second
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const OBJECT_BYTES = 4096
const CHUNK_BYTES = 256 * 1024

const head = (key: string, length: number, authorization: string): string =>
  `PUT /v1/objects/inbox/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${authorization}\r\n` +
  `Content-Type: application/octet-stream\r\nContent-Length: ${length}\r\n\r\n`

/** Resolves with the status of the next answer on `socket`. */
async function status(socket: Socket): Promise<number> {
  const [answer] = (await once(socket, 'data')) as [Buffer]
  return Number(answer.toString('latin1', 9, 12))
}

async function small(port: number, connections: number, seconds: number, authorization: string): Promise<void> {
  const body = Buffer.alloc(OBJECT_BYTES, 'cenote ')
  const start = performance.now()
  const end = start + seconds * 1000
  let objects = 0
  const connection = async (number: number) => {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    for (let i = 0; performance.now() < end; i++) {
      socket.write(
        Buffer.concat([Buffer.from(head(`bench/${process.pid}/${number}/${i}`, OBJECT_BYTES, authorization)), body]),
      )
      const code = await status(socket)
      if (code !== 201) throw new Error(`answered ${code}`)
      objects++
    }
    socket.destroy()
  }
  await Promise.all(Array.from({ length: connections }, (_, number) => connection(number)))
  console.log((objects * 1000) / (performance.now() - start))
}

async function large(port: number, bytes: number, authorization: string): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  const chunk = Buffer.alloc(CHUNK_BYTES, 'cenote ')
  const start = performance.now()
  socket.write(head(`bench/${process.pid}/large`, bytes, authorization))
  const answered = status(socket)
  for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) {
    if (!socket.write(chunk)) await once(socket, 'drain')
  }
  const code = await answered
  if (code !== 201) throw new Error(`answered ${code}`)
  console.log((bytes * 1000) / (performance.now() - start))
  socket.destroy()
}

const [kind, port, ...rest] = process.argv.slice(2)
if (kind === 'small') await small(Number(port), Number(rest[0]), Number(rest[1]), rest[2]!)
else await large(Number(port), Number(rest[0]), rest[1]!)
