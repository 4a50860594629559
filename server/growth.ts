import type { Logger } from 'pino'
import { type MemberRequest, POOL_BYTES_MIN, type PoolStatus } from '../pool/index.ts'
import { blockFileBytes } from './data-folder.ts'

export interface GrowthParts {
  readonly pool: { status(): PoolStatus; addDevice(member: MemberRequest): Promise<void> }
  readonly bytesMax: number
  readonly log: Logger
  /** Repeats until the returned function is called. */
  every(milliseconds: number, task: () => void): () => void
  now(): number
}

/** Begun early, because the zeros of a block file take their time, and it is to be there before 80 % are taken. */
const FULLNESS = 0.7
const LOOK_MS = 500
const RETRY_MS = 60_000

/** Bytes by which a pool may still grow. */
export function growableBytes({ layout, bytes }: Pick<PoolStatus, 'layout' | 'bytes'>, bytesMax: number): number {
  const left = Math.floor((bytesMax - bytes) / 2 ** 20) * 2 ** 20
  return layout === 'concat' && left >= POOL_BYTES_MIN ? left : 0
}

/** Lets a concat pool grow by block files of its own, up to a bound, as it fills. What keeps it from it is told once. */
export class Growth {
  readonly #parts: GrowthParts
  readonly #stop: () => void
  #underway: Promise<void> | undefined
  #told = ''
  #pauseUntil = 0

  constructor(parts: GrowthParts) {
    this.#parts = parts
    this.#stop = parts.every(LOOK_MS, () => this.look())
  }

  /** Resolves when no file is being made any more. */
  async close(): Promise<void> {
    this.#stop()
    await this.#underway
  }

  look(): void {
    const { pool, now } = this.#parts
    const status = pool.status()
    const taken = status.bytes - status.freeBytes + status.promisedBytes
    const isDue = status.state === 'open' && taken > FULLNESS * status.bytes
    if (!isDue || this.#underway !== undefined || now() < this.#pauseUntil) return
    this.#underway = this.#grow(status).finally(() => {
      this.#underway = undefined
    })
  }

  async #grow({ layout, bytes }: PoolStatus): Promise<void> {
    const { pool, bytesMax, log } = this.#parts
    const room = Math.min(blockFileBytes, growableBytes({ layout, bytes }, bytesMax))
    if (layout !== 'concat') return this.#tell(`only a concat pool grows, and this one is a ${layout}`)
    if (room === 0) return this.#tell(`it has reached ${bytes} of ${bytesMax} bytes (--pool-max)`)
    try {
      await pool.addDevice({ bytes: room })
      this.#told = ''
    } catch (error) {
      log.debug({ err: error }, 'growing failed')
      this.#tell((error as Error).message)
    }
  }

  #tell(reason: string): void {
    const { log, now } = this.#parts
    this.#pauseUntil = now() + RETRY_MS
    if (reason !== this.#told) log.warn({ reason }, 'the pool fills up and cannot grow')
    this.#told = reason
  }
}
