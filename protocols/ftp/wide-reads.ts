import { Socket } from 'node:net'
import { giveMemory, takeMemory } from '../../system/index.ts'
import { DATA_WAITING_BYTES } from './protection.ts'

/** Of one read from the system, at first, and once such a read was filled. */
const READ_BYTES = 64 * 1024
const WIDE_READ_BYTES = 512 * 1024

/**
 * The same connection, of which nothing was read yet, with reads into memory that is used again, and into more of it
 * where much comes at once. Node's own reads are of 64 KiB, each into memory of its own.
 */
export function withWideReads(connection: Socket): Socket {
  const inner = connection as Socket & { _handle: unknown }
  const handle = inner._handle
  let bytesNext = READ_BYTES
  let next: Buffer
  const wide: Socket = new Socket({
    handle,
    pauseOnCreate: true,
    writableHighWaterMark: DATA_WAITING_BYTES,
    onread: {
      buffer() {
        next = takeMemory(bytesNext)
        return next
      },
      callback(bytes: number, buffer: Uint8Array) {
        if (bytes === buffer.length) bytesNext = WIDE_READ_BYTES
        return wide.push(buffer.subarray(0, bytes))
      },
    },
  } as ConstructorParameters<typeof Socket>[0])
  inner._handle = null
  connection.destroy()
  return wide.once('close', () => giveMemory(next))
}
