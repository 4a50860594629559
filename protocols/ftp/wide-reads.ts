import { Socket } from 'node:net'

/** Of one read from the system, at first, and once such a read was filled. */
const READ_BYTES = 64 * 1024
const WIDE_READ_BYTES = 512 * 1024

/** Buffers that wait to be read into again, by their size; the rest is left to the collector. */
const FREE_BYTES_MAX = 8 << 20
const free = new Map<number, Buffer[]>([READ_BYTES, WIDE_READ_BYTES].map((bytes) => [bytes, []]))

/**
 * The same connection, of which nothing was read yet, with reads into buffers that are used again, and into large ones
 * where much comes at once. Node's own reads are of 64 KiB, each into fresh memory, and to find that memory again takes it
 * longer than to move the bytes.
 */
export function withWideReads(connection: Socket): Socket {
  const inner = connection as Socket & { _handle: unknown }
  const handle = inner._handle
  let bytesNext = READ_BYTES
  let next: Buffer
  const wide: Socket = new Socket({
    handle,
    pauseOnCreate: true,
    onread: {
      buffer() {
        next = free.get(bytesNext)?.pop() ?? Buffer.allocUnsafeSlow(bytesNext)
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
  return wide.once('close', () => reuse(next))
}

/** Takes back the memory of bytes that were read, and that nobody looks at any more. */
export function reuse({ buffer }: Uint8Array): void {
  const waiting = free.get(buffer.byteLength)
  if (waiting && waiting.length * buffer.byteLength < FREE_BYTES_MAX) waiting.push(Buffer.from(buffer as ArrayBuffer))
}
