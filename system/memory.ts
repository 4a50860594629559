import koffi from 'koffi'

/** No disk asks direct I/O for a coarser alignment of memory than a page. */
export const PAGE_BYTES = 4096

/**
 * Memory that threads share without copying and that direct I/O takes: `bytes` of a SharedArrayBuffer, from the first
 * page border in it on. Not a WebAssembly.Memory, which is aligned by itself: V8 reserves 10 GiB of addresses for each,
 * so that a process dies at the 13,000th (measured), and sooner where addresses are limited.
 */
export function alignedSharedBuffer(bytes: number): Buffer {
  const memory = new SharedArrayBuffer(bytes + PAGE_BYTES - 1)
  const beyond = Number(koffi.address(new Uint8Array(memory)) % BigInt(PAGE_BYTES))
  return Buffer.from(memory, (PAGE_BYTES - beyond) % PAGE_BYTES, bytes)
}

/** True when the memory under `bytes` begins at a multiple of `alignment`. Shared memory never moves. */
export function isAligned(bytes: Uint8Array, alignment: number): boolean {
  return koffi.address(bytes) % BigInt(alignment) === 0n
}
