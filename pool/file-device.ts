import { closeSync, fstatSync, openSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { lockExclusively } from '../system/index.ts'
import { SharedBuffers } from './bytes.ts'
import type { Device, Limits, WriteOptions } from './device.ts'
import { PoolError } from './errors.ts'
import { checkRequest, checkUnsplit } from './request.ts'

/** A request to the device's thread. `bytes` lie in shared memory, so that nothing is copied between threads. */
export type IoRequest =
  | { readonly id: number; readonly kind: 'flush' }
  | { readonly id: number; readonly kind: 'read' | 'write'; readonly offset: number; readonly bytes: Uint8Array }

export interface IoReply {
  readonly id: number
  readonly failure?: string
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: PoolError) => void
}

const LOGICAL_BLOCK_BYTES = 512
const PHYSICAL_BLOCK_BYTES = 4096
/** Larger buffered writes fall into a slow path of ext4 (measured: a third of the rate at 1 and 2 MiB). */
export const WRITE_BYTES_MAX = 512 * 1024

const SCRATCH_BYTES_MAX = 16 << 20

export interface FileDeviceOptions {
  /** The compiled program of the device's thread, when it does not lie beside this file. */
  readonly worker?: URL
}

/** A block file of fixed size, held exclusively, its I/O on a thread of its own. */
export class FileDevice implements Device {
  readonly limits: Limits
  readonly copies = 1
  readonly #descriptor: number
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #scratch = new SharedBuffers(SCRATCH_BYTES_MAX)
  #nextId = 0
  #failure: PoolError | undefined
  #closed = false

  private constructor(descriptor: number, options: FileDeviceOptions) {
    this.#descriptor = descriptor
    this.limits = {
      size: fstatSync(descriptor).size,
      logicalBlockSize: LOGICAL_BLOCK_BYTES,
      physicalBlockSize: PHYSICAL_BLOCK_BYTES,
      writeCache: 'write-back',
      flushable: true,
      requestBytesMax: WRITE_BYTES_MAX,
    }
    const program = options.worker ?? new URL('./file-device-worker.js', import.meta.url)
    this.#worker = new Worker(program, { workerData: { descriptor } })
    this.#worker.on('message', (reply: IoReply) => this.#settle(reply))
    this.#worker.on('error', (error) => this.#fail(new PoolError('ERR_IO', 'the device thread died', { cause: error })))
  }

  /** ERR_NOT_FOUND when there is no such file, ERR_LOCKED when another process holds it. */
  static open(path: string, options: FileDeviceOptions = {}): FileDevice {
    const descriptor = openFile(path)
    try {
      if (!lockExclusively(descriptor)) {
        throw new PoolError('ERR_LOCKED', `${path} is in use by another process`)
      }
      return new FileDevice(descriptor, options)
    } catch (error) {
      closeSync(descriptor)
      throw error
    }
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    this.#check(offset, target.length)
    const bytes = this.#scratch.take(powerOfTwo(target.length))
    try {
      const shared = bytes.subarray(0, target.length)
      await this.#send({ id: this.#nextId++, kind: 'read', offset, bytes: shared })
      target.set(shared)
    } finally {
      this.#scratch.give(bytes)
    }
  }

  async write(offset: number, source: Uint8Array, { unsplit }: WriteOptions = {}): Promise<void> {
    this.#check(offset, source.length)
    checkUnsplit(this.limits, source.length, unsplit)
    if (source.buffer instanceof SharedArrayBuffer) {
      await this.#send({ id: this.#nextId++, kind: 'write', offset, bytes: source })
      return
    }
    const bytes = this.#scratch.take(powerOfTwo(source.length))
    try {
      const shared = bytes.subarray(0, source.length)
      shared.set(source)
      await this.#send({ id: this.#nextId++, kind: 'write', offset, bytes: shared })
    } finally {
      this.#scratch.give(bytes)
    }
  }

  /** The kernel drops what it could not write and forgets the error, so a failed flush is never tried again. */
  async flush(): Promise<void> {
    this.#assertUsable()
    try {
      await this.#send({ id: this.#nextId++, kind: 'flush' })
    } catch (error) {
      this.#fail(new PoolError('ERR_HALTED', 'a flush of the device failed', { cause: error }))
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#worker.terminate()
    this.#fail(new PoolError('ERR_CLOSED', 'the device is closed'))
    closeSync(this.#descriptor)
  }

  #check(offset: number, length: number): void {
    this.#assertUsable()
    checkRequest(this.limits, offset, length)
  }

  #assertUsable(): void {
    if (this.#closed) throw new PoolError('ERR_CLOSED', 'the device is closed')
    if (this.#failure) throw this.#failure
  }

  #send(request: IoRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject })
      this.#worker.postMessage(request)
    })
  }

  #settle({ id, failure }: IoReply): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (failure === undefined) waiting?.resolve()
    else waiting?.reject(new PoolError('ERR_IO', failure))
  }

  #fail(error: PoolError): void {
    this.#failure ??= error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r+')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'ERR_NOT_FOUND' : 'ERR_IO'
    throw new PoolError(code, `cannot open ${path}: ${(error as Error).message}`, { cause: error })
  }
}

const powerOfTwo = (bytes: number): number => 2 ** Math.ceil(Math.log2(Math.max(bytes, 512)))
