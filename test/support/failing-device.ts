import { MemoryDevice, PoolError } from '../../pool/index.ts'

/** A device whose every write or flush fails once it is told to. */
export class FailingDevice extends MemoryDevice {
  fails: 'write' | 'flush' | undefined

  override async write(offset: number, source: Uint8Array): Promise<void> {
    if (this.fails === 'write') throw new PoolError('ERR_IO', 'no write')
    await super.write(offset, source)
  }

  override async flush(): Promise<void> {
    if (this.fails === 'flush') throw new PoolError('ERR_IO', 'no flush')
  }
}
