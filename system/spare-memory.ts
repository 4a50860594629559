/** Bytes of what is worth keeping: a record of TLS, a read of a socket, a large one. */
const SIZES = [16 * 1024, 64 * 1024, 512 * 1024]

/** Kept of each size; the rest is left to the collector. */
const SPARE_BYTES_MAX = 16 << 20

const spare = new Map<number, Buffer[]>(SIZES.map((bytes) => [bytes, []]))
const taken = new WeakSet<ArrayBufferLike>()

/**
 * A buffer of `bytes`, holding anything. To find memory again takes node longer than to move the bytes through it: whoever
 * knows that nobody looks at these any more says so by giveMemory(). What is never given back is collected as usual.
 */
export function takeMemory(bytes: number): Buffer {
  const size = SIZES.find((each) => each >= bytes) ?? bytes
  const buffer = spare.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size)
  taken.add(buffer.buffer)
  return buffer.subarray(0, bytes)
}

/** Takes back the memory that `bytes` are a part of; nothing happens to memory that did not come from here. */
export function giveMemory({ buffer }: Uint8Array): void {
  const kept = spare.get(buffer.byteLength)
  if (!taken.delete(buffer) || !kept || (kept.length + 1) * buffer.byteLength > SPARE_BYTES_MAX) return
  kept.push(Buffer.from(buffer as ArrayBuffer))
}
