import { hash, verify } from '@node-rs/argon2'
import { StoreError } from '../streams/index.ts'

/** OWASP's parameters for argon2id: m = 19 MiB, t = 2, p = 1; about 40 ms of one core. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** A hash with the same parameters that no password is known to match. */
const decoy = `$argon2id$v=19$m=19456,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`

/** Passwords of people: short ones are refused when chosen, long ones always. In bytes of UTF-8. */
export const passwordBytesMin = 8
export const passwordBytesMax = 1024

export interface PasswordOptions {
  /**
   * Hashes computed at once. Each holds 19 MiB and one of the four threads of libuv's pool, through which the catalog
   * reads, too: with two at once a read takes its usual 0.05 ms, with four it waits for 55 ms.
   */
  readonly concurrentMax?: number
  /** Hashes that wait for their turn; one more is ERR_BUSY. */
  readonly waitingMax?: number
}

/** Hashes and verifies the passwords that people choose, a bounded number at once. */
export class Passwords {
  readonly #concurrentMax: number
  readonly #waitingMax: number
  readonly #waiting: Array<() => void> = []
  #running = 0

  constructor({ concurrentMax = 2, waitingMax = 64 }: PasswordOptions = {}) {
    this.#concurrentMax = concurrentMax
    this.#waitingMax = waitingMax
  }

  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(password, parameters))
  }

  verify(encoded: string, password: string): Promise<boolean> {
    return this.#inTurn(() => verify(encoded, password))
  }

  /** Costs what verify() costs, and is never true: a stopwatch learns nothing from a refusal. */
  async refuse(): Promise<false> {
    await this.verify(decoy, '')
    return false
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#concurrentMax) this.#running++
    else await this.#turn()
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }

  /** Resolves when another one's place was handed over. */
  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) {
      throw new StoreError('ERR_BUSY', 'too many logins at once; try again in a moment')
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
