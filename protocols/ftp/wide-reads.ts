import type { Socket } from 'node:net'
import { giveMemory, takeMemory } from '../../system/index.ts'

/** Bytes of one read from a connection. */
export interface ReadBytes {
  readonly first: number
  /** Once a read filled its memory. */
  readonly filled: number
}

/** Of the system, as much as there is. */
export const PLAIN_READS: ReadBytes = { first: 64 * 1024, filled: 512 * 1024 }
/** Of TLS, a record at a time (RFC 8446 section 5.1). */
export const RECORD_READS: ReadBytes = { first: 16 * 1024, filled: 16 * 1024 }

/** What node's net keeps of `onread`, an option of sockets that connect, under symbols of its own. */
const NAMES = ['kBuffer', 'kBufferCb', 'kBufferGen'] as const

/**
 * Has a connection, of which nothing was read yet, read into memory that is used again: whoever has used a chunk says so
 * by giveMemory(). Node's own reads are into memory of their own, and to find that again costs more than the bytes.
 * `onread` is this for a socket that connects; one that was accepted, or speaks TLS over another, is told here. Where
 * node keeps it no more in this way, the connection reads as it did.
 */
export function readIntoSpareMemory(connection: Socket, { first, filled }: ReadBytes): void {
  const symbols = Object.getOwnPropertySymbols(connection)
  const [kBuffer, kBufferCb, kBufferGen] = NAMES.map((name) => symbols.find(({ description }) => description === name))
  if (!kBuffer || !kBufferCb || !kBufferGen) return
  let bytesNext = first
  let next = takeMemory(bytesNext)
  const told = connection as unknown as { _handle: { useUserBuffer(memory: Buffer): void }; [symbol: symbol]: unknown }
  told[kBuffer] = next
  told[kBufferGen] = () => {
    next = takeMemory(bytesNext)
    return next
  }
  told[kBufferCb] = (bytes: number, memory: Buffer) => {
    if (bytes === memory.length) bytesNext = filled
    return connection.push(memory.subarray(0, bytes))
  }
  told._handle.useUserBuffer(next)
  connection.once('close', () => giveMemory(next))
}
