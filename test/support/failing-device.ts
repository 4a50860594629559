import { MemoryDevice, PoolError } from '../../pool/index.ts'

export type FailingRequest = 'read' | 'write' | 'flush'

/** A device whose every request of some kind fails once it is told to. */
export class FailingDevice extends MemoryDevice {
  fails: FailingRequest | 'everything' | undefined
  /** Called before each request; what it waits for the request waits for, and a throw is the medium's failure. */
  before: (request: FailingRequest, offset: number) => Promise<void> | void = () => {}

  override async read(offset: number, target: Uint8Array): Promise<void> {
    await this.#ask('read', offset)
    await super.read(offset, target)
  }

  override async write(offset: number, source: Uint8Array): Promise<void> {
    await this.#ask('write', offset)
    await super.write(offset, source)
  }

  override async flush(): Promise<void> {
    await this.#ask('flush', 0)
  }

  async #ask(request: FailingRequest, offset: number): Promise<void> {
    // Without a wait between them, so that of writes begun together one may be seen without the other.
    const wait = this.before(request, offset)
    if (wait !== undefined) await wait
    if (this.fails === request || this.fails === 'everything') throw new PoolError('ERR_IO', `no ${request}`)
  }
}
