import { type Principal, StoreError } from '../streams/index.ts'
import { guestOf } from './address.ts'
import { LoginThrottle } from './login-throttle.ts'
import { type BucketClock, systemBucketClock, TokenBucket } from './token-bucket.ts'

/** Every bound on who comes, over all listeners of a door. */
export interface GuestLimits {
  /** Connections from one address, or one IPv6 network of 64 bits; one more is answered 421. */
  readonly connectionsPerAddressMax: number
  /** Refused logins from one such, or for one user name, within the window; then they are refused unseen. */
  readonly failuresPerAddressMax: number
  readonly failuresPerUserMax: number
  readonly failuresWindowMs: number
  /** Addresses, and user names, whose failures are remembered. */
  readonly failuresKeysMax: number
}

export const guestLimits: GuestLimits = {
  connectionsPerAddressMax: 256,
  failuresPerAddressMax: 20,
  failuresPerUserMax: 100,
  failuresWindowMs: 600_000,
  failuresKeysMax: 10_000,
}

/** Somebody is refused for having come, or failed, too often; each door says so with a code of its own. */
export class TurnedAway extends Error {
  override readonly name = 'TurnedAway'
}

/** Who is there, through whichever listener of a door: how many from where and of whom, who failed to log in, how fast. */
export class Guests {
  readonly #limits: GuestLimits
  readonly #clock: BucketClock
  readonly #addresses = new Map<string, number>()
  readonly #applications = new Map<string, number>()
  readonly #byAddress: LoginThrottle
  readonly #byUser: LoginThrottle
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(limits: Partial<GuestLimits> = {}, clock: BucketClock = systemBucketClock) {
    this.#limits = { ...guestLimits, ...limits }
    this.#clock = clock
    const { failuresPerAddressMax, failuresPerUserMax, failuresWindowMs, failuresKeysMax } = this.#limits
    const bounds = { windowMs: failuresWindowMs, keysMax: failuresKeysMax, clock }
    this.#byAddress = new LoginThrottle({ ...bounds, failuresMax: failuresPerAddressMax })
    this.#byUser = new LoginThrottle({ ...bounds, failuresMax: failuresPerUserMax })
  }

  /** False when there are too many from that address. */
  enter(address: string): boolean {
    return enter(this.#addresses, guestOf(address), this.#limits.connectionsPerAddressMax)
  }

  leave(address: string): void {
    leave(this.#addresses, guestOf(address))
  }

  /** @throws {TurnedAway} when the application has as many sessions as it may */
  join({ application, policy }: Principal): void {
    const connectionsMax = policy?.connectionsMax ?? Number.POSITIVE_INFINITY
    if (!enter(this.#applications, application, connectionsMax))
      throw new TurnedAway(`${application} has ${connectionsMax} sessions, and no more may be`)
  }

  part(application: string): void {
    leave(this.#applications, application)
  }

  /**
   * Lets somebody prove who it is. Who has failed too often is refused without a look at the proof; and again when it was
   * looked at, before a word of that, so that guesses underway together are no more than those one after the other. A
   * success forgets the failures of the name and not those of the address: who has one secret must not guess at others
   * by it.
   *
   * @throws {TurnedAway} for who has failed too often
   */
  async logIn(address: string, user: string, prove: () => Promise<Principal>): Promise<Principal> {
    this.#requirePatience(address, user)
    try {
      const principal = await prove().finally(() => this.#requirePatience(address, user))
      this.#byUser.succeeded(user)
      return principal
    } catch (error) {
      if (error instanceof StoreError && error.code === 'ERR_UNAUTHENTICATED') this.#failed(address, user)
      throw error
    }
  }

  #requirePatience(address: string, user: string): void {
    const waitMs = Math.max(this.#byAddress.waitOf(guestOf(address)), this.#byUser.waitOf(user))
    if (waitMs > 0) throw new TurnedAway(`Too many failed logins: try again in ${Math.ceil(waitMs / 1000)} s`)
  }

  #failed(address: string, user: string): void {
    this.#byAddress.failed(guestOf(address))
    this.#byUser.failed(user)
  }

  /** What bounds the rate of one session more: its own bucket, and that of its application. */
  bucketsOf({ application, policy }: Principal, sessionBytesPerSecond: number | undefined): readonly TokenBucket[] {
    const own = sessionBytesPerSecond === undefined ? [] : [new TokenBucket(sessionBytesPerSecond, this.#clock)]
    const rate = policy?.bytesPerSecond
    return rate === undefined ? own : [...own, this.#sharedBucket(application, rate)]
  }

  #sharedBucket(application: string, rate: number): TokenBucket {
    const known = this.#buckets.get(application)
    if (known?.bytesPerSecond === rate) return known
    this.#forgetBuckets()
    const bucket = new TokenBucket(rate, this.#clock)
    this.#buckets.set(application, bucket)
    return bucket
  }

  /** Who leaves and comes again finds its bucket as it left it; one that is full is as good as new. */
  #forgetBuckets(): void {
    for (const [application, bucket] of this.#buckets)
      if (bucket.isFull && !this.#applications.has(application)) this.#buckets.delete(application)
  }
}

function enter(counts: Map<string, number>, key: string, max: number): boolean {
  const count = counts.get(key) ?? 0
  if (count >= max) return false
  counts.set(key, count + 1)
  return true
}

function leave(counts: Map<string, number>, key: string): void {
  const count = (counts.get(key) ?? 0) - 1
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}
