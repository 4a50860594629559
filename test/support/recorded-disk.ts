import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TraceEvent } from './crash-device.ts'
import { countEntries, readWriteLog } from './write-log.ts'

/**
 * A block file of which every write and flush is written down: a file in FUSE, served by qemu-storage-daemon.
 *
 *   the server ─▶ export (FUSE) ─▶ blklogwrites ─┬▶ base    what lies on the disk
 *                                                └▶ log     what came, in order (write-log.ts)
 *
 * FUSE has no cache of its own for writes: each pwrite(2) is an entry of the log when it returns, each fdatasync(2) a flush.
 */
export class RecordedDisk {
  /** What a pool lies on. */
  readonly path: string
  /** Where its bytes are; it outlives the disk. */
  readonly base: string
  readonly #log: string
  readonly #daemon: ChildProcess

  private constructor(folder: string) {
    this.path = join(folder, 'export.img')
    this.base = join(folder, 'base.img')
    this.#log = join(folder, 'writes.log')
    this.#daemon = spawn('qemu-storage-daemon', this.#flags(), { stdio: ['pipe', 'pipe', 'inherit'] })
  }

  /** Resolves when the export is there. `folder` must be empty; the disk holds `image` at first. */
  static async start(folder: string, image: Uint8Array): Promise<RecordedDisk> {
    writeFileSync(join(folder, 'base.img'), image)
    for (const name of ['export.img', 'writes.log']) writeFileSync(join(folder, name), '')
    const disk = new RecordedDisk(folder)
    await disk.#answered()
    return disk
  }

  /** Entries in the log at this moment. */
  position(): number {
    return countEntries(this.#log)
  }

  /** Everything that came, in order. */
  trace(): readonly TraceEvent<never>[] {
    return readWriteLog(this.#log)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemon.exitCode !== null) return
    const ended = once(this.#daemon, 'exit')
    this.#say('quit')
    await ended
  }

  /** The daemon answers only once all that its command line asks for stands. */
  async #answered(): Promise<void> {
    this.#say('qmp_capabilities')
    for await (const line of createInterface({ input: this.#daemon.stdout! })) if ('return' in JSON.parse(line)) return
    throw new Error('qemu-storage-daemon ended before its export stood')
  }

  #say(execute: string): void {
    this.#daemon.stdin?.write(`${JSON.stringify({ execute })}\n`)
  }

  /**
   * The log's superblock is written with each entry, so that it can be read at any time. Nothing here needs to outlive the
   * machine, so flushes end at the daemon: it notes them, and that is all.
   */
  #flags(): string[] {
    const file = (name: string, path: string) => `driver=file,node-name=${name},filename=${path},cache.no-flush=on`
    const nodes = [
      file('base', this.base),
      file('log', this.#log),
      'driver=raw,node-name=base-raw,file=base',
      'driver=raw,node-name=log-raw,file=log',
      'driver=blklogwrites,node-name=recorded,file=base-raw,log=log-raw,log-sector-size=512,log-super-update-interval=1',
    ]
    return [
      ...['--chardev', 'stdio,id=monitor', '--monitor', 'chardev=monitor'],
      ...nodes.flatMap((node) => ['--blockdev', node]),
      ...['--export', `type=fuse,id=export,node-name=recorded,mountpoint=${this.path},writable=on`],
    ]
  }
}

/** An ordinary block file, which records nothing: what survives on it is what the process's death leaves. */
export class PlainDisk {
  readonly path: string
  readonly base: string

  constructor(folder: string, image: Uint8Array) {
    this.base = this.path = join(folder, 'plain.img')
    writeFileSync(this.path, image)
  }

  position(): number {
    return 0
  }

  trace(): readonly TraceEvent<never>[] {
    return []
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export type Disk = RecordedDisk | PlainDisk
