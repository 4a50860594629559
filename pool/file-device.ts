import { closeSync } from 'node:fs'
import { isAligned, queueLimit, queueLimitNumber } from '../system/index.ts'
import { mayBeAtomic } from './atomic-shape.ts'
import { SharedBuffers } from './bytes.ts'
import type { Device, DeviceFigures, Limits, WriteOptions } from './device.ts'
import { type ChosenIo, chooseIo, type IoMode } from './io-choice.ts'
import { REQUEST_BYTES_MAX } from './io-measure.ts'
import { type IoKind, IoThread, type IoThreadOptions } from './io-thread.ts'
import { type OpenedFile, openExclusively } from './opened-file.ts'
import { checkRequest, checkUnsplit } from './request.ts'

const SCRATCH_BYTES_MAX = 16 << 20

export interface FileDeviceOptions extends IoThreadOptions {
  /** Around the page cache, through it, or what a measurement finds better (io-choice.ts); by default the last. */
  readonly io?: IoMode | 'auto'
}

/** A block file of fixed size or a raw block device, held exclusively, its I/O on a thread of its own. */
export class FileDevice implements Device {
  readonly limits: Limits
  readonly copies = 1
  readonly name: string
  readonly io: IoMode
  readonly #kind: OpenedFile['kind']
  readonly #memoryAlignment: number
  readonly #thread: IoThread
  readonly #scratch = new SharedBuffers(SCRATCH_BYTES_MAX)

  private constructor(file: OpenedFile, io: ChosenIo, options: FileDeviceOptions) {
    this.name = file.path
    this.io = io.mode
    this.#kind = file.kind
    this.limits = limitsOf(file, io)
    this.#memoryAlignment = io.mode === 'direct' ? io.alignment.memory : 1
    const { requestBytesMax } = this.limits
    this.#thread = new IoThread({ descriptor: file.descriptor, requestBytesMax, direct: io.mode === 'direct' }, options)
  }

  /**
   * ERR_NOT_FOUND when nothing is at `path`, ERR_LOCKED when somebody holds it, ERR_LIMITS when it cannot be used as
   * asked, ERR_IO when it cannot be opened. What it holds is read from the medium, not from what the page cache makes
   * of an earlier failure (page-cache.ts says what that cannot promise).
   */
  static open(path: string, options: FileDeviceOptions = {}): FileDevice {
    const file = openExclusively(path)
    try {
      return new FileDevice(file, chooseIo(file, options.io ?? 'auto'), options)
    } catch (error) {
      closeSync(file.descriptor)
      throw error
    }
  }

  get figures(): DeviceFigures {
    const { latency: flushes, stalls, isStalled } = this.#thread
    return { kind: this.#kind, io: this.io, flushes, stalls, isStalled }
  }

  /** Always by way of memory of the device: a read that was given up may land later, when `target` holds another copy. */
  async read(offset: number, target: Uint8Array): Promise<void> {
    this.#check('read', offset, target.length)
    await this.#withScratch(target.length, async (bytes) => {
      await this.#thread.send({ kind: 'read', offset, bytes })
      target.set(bytes)
    })
  }

  async write(offset: number, source: Uint8Array, { unsplit }: WriteOptions = {}): Promise<void> {
    this.#check('write', offset, source.length)
    checkUnsplit(this.limits, source.length, unsplit)
    if (this.#isShareable(source)) return await this.#write(offset, source, unsplit)
    await this.#withScratch(source.length, async (bytes) => {
      bytes.set(source)
      await this.#write(offset, bytes, unsplit)
    })
  }

  async flush(): Promise<void> {
    this.#thread.assertUsable('flush')
    await this.#thread.send({ kind: 'flush' })
  }

  close(): Promise<void> {
    return this.#thread.close()
  }

  #check(kind: IoKind, offset: number, length: number): void {
    this.#thread.assertUsable(kind)
    checkRequest(this.limits, offset, length)
  }

  /** A write of the device's own shape is atomic in the kernel too; any other is one system call, and no more. */
  #write(offset: number, bytes: Uint8Array, unsplit = false): Promise<void> {
    if (!unsplit) return this.#thread.send({ kind: 'write', offset, bytes })
    const atomic = mayBeAtomic(this.limits.atomicWrite, offset, bytes.length)
    return this.#thread.send({ kind: 'write', offset, bytes, unsplit: atomic ? 'atomic' : 'plain' })
  }

  /** Memory that the thread, and direct I/O, take as it is. */
  #isShareable(bytes: Uint8Array): boolean {
    return bytes.buffer instanceof SharedArrayBuffer && isAligned(bytes, this.#memoryAlignment)
  }

  async #withScratch(length: number, use: (bytes: Buffer) => Promise<void>): Promise<void> {
    const buffer = this.#scratch.take(powerOfTwo(length))
    try {
      await use(buffer.subarray(0, length))
    } finally {
      this.#scratch.give(buffer)
    }
  }
}

function limitsOf(file: OpenedFile, io: ChosenIo): Limits {
  const direct = io.mode === 'direct'
  const { unitMin, unitMax, boundary } = (direct && io.atomic) || NOTHING_ATOMIC
  return {
    size: file.bytes,
    logicalBlockSize: Math.max(file.logicalBlockBytes, direct ? io.alignment.offset : 0),
    physicalBlockSize: file.physicalBlockBytes,
    writeCache: writeCacheOf(file),
    flushable: true,
    requestBytesMax: direct ? directRequestBytesMax(file) : REQUEST_BYTES_MAX.buffered,
    ...(unitMax > 0 && { atomicWrite: { unitMin, unitMax, boundary } }),
  }
}

const NOTHING_ATOMIC = { unitMin: 0, unitMax: 0, boundary: 0 }

/** Above a file there is the file system's own cache, whatever the disk has. */
function writeCacheOf({ kind, disk }: OpenedFile): Limits['writeCache'] {
  const through = kind === 'block device' && queueLimit(disk, 'write_cache') === 'write through'
  return through ? 'write-through' : 'write-back'
}

/** The block layer would split what is larger than the disk takes at once. */
function directRequestBytesMax({ disk, physicalBlockBytes }: OpenedFile): number {
  const bytes = Math.min(REQUEST_BYTES_MAX.direct, (queueLimitNumber(disk, 'max_sectors_kb') ?? 512) * 1024)
  return bytes - (bytes % Math.max(4096, physicalBlockBytes))
}

const powerOfTwo = (bytes: number): number => 2 ** Math.ceil(Math.log2(Math.max(bytes, 512)))
