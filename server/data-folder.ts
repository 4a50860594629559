import { closeSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { lockExclusively } from '../system/index.ts'
import { makeFolder } from './durable-file.ts'

/** Of each block file in the pool's folder, unless another size is asked for. */
export const blockFileBytes = 2 ** 30

/** Where everything is in a data folder (docs/OPERATING.md shows the tree). */
export class DataFolder {
  readonly path: string
  /** The folder that names the members of the pool. */
  readonly pool: string
  readonly catalog: string
  readonly masterKey: string
  /** The keys that sign checkpoints, sealed. */
  readonly signingKeys: string
  readonly cli: string
  /** The self-signed certificate and its key. */
  readonly tls: string
  /** Where a scrub is, and when the last one finished. */
  readonly scrub: string

  constructor(path: string) {
    this.path = path
    this.pool = join(path, 'pool', 'main')
    this.catalog = join(path, 'catalog', 'main')
    this.masterKey = join(path, 'master.key')
    this.signingKeys = join(path, 'signing-keys.json')
    this.cli = join(path, 'cli.json')
    this.tls = join(path, 'tls')
    this.scrub = join(path, 'scrub.json')
  }

  /** The folder holds mail and secrets: nobody else may look into it. */
  async create(): Promise<void> {
    await makeFolder(this.path).catch((cause) => {
      throw new Error(`the data folder cannot be made: ${cause.message}`, { cause })
    })
  }

  /** The folder that the folder of a new pool goes to. */
  async createPoolFolder(): Promise<void> {
    await makeFolder(dirname(this.pool))
  }

  /**
   * Makes this process the only one that serves the folder, for as long as it lives (flock(2) on the folder itself:
   * there is no file that a crash could leave behind). Undefined when another has it; else what gives it back.
   */
  lock(): (() => void) | undefined {
    const descriptor = openSync(this.path, 'r')
    if (lockExclusively(descriptor)) return () => closeSync(descriptor)
    closeSync(descriptor)
    return undefined
  }
}
