import { MemoryDevice, PoolError } from '../../pool/index.ts'

export type FailingRequest = 'read' | 'write' | 'flush'

/** A device whose every request of some kind fails once it is told to. */
export class FailingDevice extends MemoryDevice {
  fails: FailingRequest | 'everything' | undefined
  /**
   * Called before each request; what it waits for the request waits for, and a throw is the medium's failure. Where there
   * is nothing to wait for a write is done at once, so that of some begun together one may be seen without the others.
   */
  before: (request: FailingRequest, offset: number) => Promise<void> | void = () => {}

  override async read(offset: number, target: Uint8Array): Promise<void> {
    const wait = this.before('read', offset)
    if (wait !== undefined) await wait
    this.#assertWorks('read')
    await super.read(offset, target)
  }

  override async write(offset: number, source: Uint8Array): Promise<void> {
    const wait = this.before('write', offset)
    if (wait !== undefined) await wait
    this.#assertWorks('write')
    await super.write(offset, source)
  }

  override async flush(): Promise<void> {
    const wait = this.before('flush', 0)
    if (wait !== undefined) await wait
    this.#assertWorks('flush')
  }

  #assertWorks(request: FailingRequest): void {
    if (this.fails === request || this.fails === 'everything') throw new PoolError('ERR_IO', `no ${request}`)
  }
}
