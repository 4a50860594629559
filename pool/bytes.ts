import assert from 'node:assert/strict'
import { alignedSharedBuffer } from '../system/index.ts'

const HIGH = 2 ** 32

/** Reads an unsigned 64-bit little-endian integer that must be safe; corrupt bytes give NaN, which equals nothing. */
export function readUint64(source: Buffer, offset: number): number {
  const value = source.readUInt32LE(offset + 4) * HIGH + source.readUInt32LE(offset)
  return Number.isSafeInteger(value) ? value : Number.NaN
}

export function writeUint64(target: Buffer, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0)
  target.writeUInt32LE(value % HIGH, offset)
  target.writeUInt32LE(Math.floor(value / HIGH), offset + 4)
}

/** The next multiple of `unit` at or after `value`. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}

/** Memory that a worker thread sees without copying, and that direct I/O takes as it is. */
export const sharedBuffer = alignedSharedBuffer

/** Shared buffers that are used again and again: allocating and zeroing them anew would cost more than filling them. */
export class SharedBuffers {
  readonly #idle = new Map<number, Buffer[]>()
  readonly #idleBytesMax: number
  #idleBytes = 0

  constructor(idleBytesMax: number) {
    this.#idleBytesMax = idleBytesMax
  }

  /** A buffer of exactly `bytes`, holding anything. */
  take(bytes: number): Buffer {
    const buffer = this.#idle.get(bytes)?.pop()
    if (!buffer) return sharedBuffer(bytes)
    this.#idleBytes -= bytes
    return buffer
  }

  give(buffer: Buffer): void {
    if (this.#idleBytes + buffer.length > this.#idleBytesMax) return
    this.#idleBytes += buffer.length
    const idle = this.#idle.get(buffer.length)
    if (idle) idle.push(buffer)
    else this.#idle.set(buffer.length, [buffer])
  }
}
