import { type Device, FileDevice, type Limits } from '../pool/index.ts'

/** A file device that counts what is asked of it. */
export class CountingDevice implements Device {
  readonly limits: Limits
  readonly copies = 1
  readonly #device: FileDevice
  bytesWritten = 0
  bytesRead = 0
  writes = 0
  reads = 0
  flushes = 0
  /** Told where each read lies. */
  onRead: (offset: number, length: number) => void = () => {}

  constructor(path: string) {
    this.#device = FileDevice.open(path)
    this.limits = this.#device.limits
  }

  get io(): string {
    return this.#device.io
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    this.reads++
    this.bytesRead += target.length
    this.onRead(offset, target.length)
    await this.#device.read(offset, target)
  }

  async write(offset: number, source: Uint8Array, options?: { readonly unsplit?: boolean }): Promise<void> {
    this.writes++
    this.bytesWritten += source.length
    await this.#device.write(offset, source, options)
  }

  async flush(): Promise<void> {
    this.flushes++
    await this.#device.flush()
  }

  close(): Promise<void> {
    return this.#device.close()
  }
}
