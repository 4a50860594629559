import { type Device, type Limits, PoolError } from '../../pool/index.ts'
import type { Random } from './random.ts'

/** What may be damaged as a whole when power fails while part of it is written. */
export const SECTOR_BYTES = 512

/** The medium, in one buffer that is never copied: whatever is written can be taken back. */
export class Medium {
  readonly bytes: Buffer
  readonly #undo: { readonly offset: number; readonly old: Buffer }[] = []

  constructor(size: number) {
    this.bytes = Buffer.alloc(size)
  }

  write(offset: number, data: Uint8Array): void {
    this.#undo.push({ offset, old: Buffer.from(this.bytes.subarray(offset, offset + data.length)) })
    this.bytes.set(data, offset)
  }

  /** A moment to which rollback() returns. */
  mark(): number {
    return this.#undo.length
  }

  rollback(mark: number): void {
    while (this.#undo.length > mark) {
      const { offset, old } = this.#undo.pop()!
      this.bytes.set(old, offset)
    }
  }
}

/** A write that the device was given. It counts for a flush once it has resolved. */
export interface RecordedWrite {
  readonly number: number
  readonly offset: number
  readonly data: Buffer
  resolved: boolean
}

/** What happened to the device, in order; `mark` is what the workload said in between. */
export type TraceEvent<Mark> =
  | { readonly kind: 'write'; readonly write: RecordedWrite }
  | { readonly kind: 'flush'; readonly covered: readonly RecordedWrite[] }
  | { readonly kind: 'mark'; readonly mark: Mark }

/** What happened to some devices, in one order. */
export class CrashRecord<Mark> {
  readonly trace: TraceEvent<Mark>[] = []
  writes = 0
}

/** A part of the medium, which is a device of its own. */
export interface Window {
  readonly start: number
  readonly size: number
}

/** Called before each request with its number among those of its kind, from 1 on; a throw is the medium's failure. */
export type Fault = (request: Request, number: number) => void

export interface CrashDeviceOptions<Mark> {
  /** The whole medium unless given. */
  readonly window?: Window
  /** Shared by devices that fail together when power does. */
  readonly record?: CrashRecord<Mark>
  /** Lets requests take a varying number of turns; without it each takes one. */
  readonly random?: Random
  readonly fault?: Fault
}

export type Request = 'read' | 'write' | 'flush'

const DONE = Promise.resolve()
const NEVER = new Promise<never>(() => {})
const FLUSH_TURNS = 24

/** A device over a Medium that records what it is asked, so that every crash on the way can be played afterwards. */
export class CrashDevice<Mark = never> implements Device {
  readonly limits: Limits
  readonly copies = 1
  readonly #medium: Medium
  readonly #window: Window
  readonly #record: CrashRecord<Mark>
  readonly #options: CrashDeviceOptions<Mark>
  #pending: RecordedWrite[] = []
  /** Requests asked so far, those too that were refused. */
  readonly requests = { read: 0, write: 0, flush: 0 }
  #underway = 0
  #failed = false
  #isDead = false

  constructor(medium: Medium, options: CrashDeviceOptions<Mark> = {}) {
    this.#medium = medium
    this.#options = options
    this.#window = options.window ?? { start: 0, size: medium.bytes.length }
    this.#record = options.record ?? new CrashRecord()
    this.limits = limitsOf(this.#window)
  }

  get trace(): readonly TraceEvent<Mark>[] {
    return this.#record.trace
  }

  /** Says something about the run at this very moment. */
  mark(mark: Mark): void {
    this.#record.trace.push({ kind: 'mark', mark })
  }

  /** The process is gone: whatever it still asks for is never answered, and changes nothing. */
  die(): void {
    this.#isDead = true
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    if (this.#isDead) return await NEVER
    this.#count('read')
    const failure = this.#failureOf('read')
    await this.#turns(2)
    if (failure) throw failure
    const start = this.#window.start + offset
    this.#medium.bytes.copy(target, 0, start, start + target.length)
  }

  /** A write that fails may have left its bytes on the medium all the same. */
  async write(offset: number, source: Uint8Array): Promise<void> {
    if (this.#isDead) return await NEVER
    this.#count('write')
    const place = this.#window.start + offset
    const number = this.#record.writes++
    const write: RecordedWrite = { number, offset: place, data: Buffer.from(source), resolved: false }
    this.#medium.write(place, write.data)
    this.#record.trace.push({ kind: 'write', write })
    this.#pending.push(write)
    const failure = this.#failureOf('write')
    await this.#turns(8)
    if (failure) throw failure
    if (!write.data.equals(source)) throw new Error(`the source of the write at ${offset} was changed underway`)
    write.resolved = true
  }

  async flush(): Promise<void> {
    if (this.#isDead) return await NEVER
    this.#count('flush')
    const failure = this.#failureOf('flush')
    if (failure) throw failure
    const covered = this.#pending.filter(({ resolved }) => resolved)
    await this.#turns(FLUSH_TURNS)
    this.#assertUsable()
    this.#pending = this.#pending.filter((write) => !covered.includes(write))
    this.#record.trace.push({ kind: 'flush', covered })
  }

  async close(): Promise<void> {}

  /** Resolves when nothing is underway any more, nor about to begin. */
  async quiet(): Promise<void> {
    for (let still = 0; still < 100; still = this.#underway === 0 ? still + 1 : 0) await DONE
  }

  async #turns(most: number): Promise<void> {
    const { random } = this.#options
    this.#underway++
    for (let turns = random ? random.below(most) : 0; turns > 0; turns--) await DONE
    this.#underway--
  }

  #count(request: Request): void {
    this.requests[request]++
    if (request !== 'read') this.#assertUsable()
  }

  #failureOf(request: Request): unknown {
    try {
      this.#options.fault?.(request, this.requests[request])
      return undefined
    } catch (error) {
      this.#failed = request === 'flush'
      return error
    }
  }

  /** A failed flush is final, for other flushes underway too; reads go on. */
  #assertUsable(): void {
    if (this.#failed) throw new PoolError('ERR_HALTED', 'the device has failed')
  }
}

/** The same medium without a record, for the many recoveries. */
export class MediumDevice implements Device {
  readonly limits: Limits
  readonly copies = 1
  readonly #medium: Medium
  readonly #start: number
  #isDead = false

  constructor(medium: Medium, window: Window = { start: 0, size: medium.bytes.length }) {
    this.#medium = medium
    this.#start = window.start
    this.limits = limitsOf(window)
  }

  /** As a CrashDevice does. */
  die(): void {
    this.#isDead = true
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    if (this.#isDead) return NEVER
    const start = this.#start + offset
    this.#medium.bytes.copy(target, 0, start, start + target.length)
    return DONE
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    if (this.#isDead) return NEVER
    this.#medium.write(this.#start + offset, source)
    return DONE
  }

  flush(): Promise<void> {
    return DONE
  }

  close(): Promise<void> {
    return DONE
  }
}

function limitsOf({ size }: Window): Limits {
  return {
    size,
    logicalBlockSize: SECTOR_BYTES,
    physicalBlockSize: SECTOR_BYTES,
    writeCache: 'write-back',
    flushable: true,
    requestBytesMax: size,
  }
}
