const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const charactersCount = 26
const randomBits = 80n
const randomBytesCount = 10

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
}

export interface Random {
  bytes(count: number): Uint8Array
}

/** A ULID and the time in it, milliseconds since 1970. */
export interface Ulid {
  readonly time: number
  readonly text: string
}

/**
 * ULIDs (github.com/ulid/spec): 48 bits of time and 80 of chance in 26 characters of Crockford's base 32, whose order
 * is the order in which they were made. Within one millisecond, and while the clock stands behind its last reading,
 * the next one is the last one plus one.
 */
export class UlidSource {
  readonly #clock: Clock
  readonly #random: Random
  #last = -1n

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  next(): Ulid {
    const now = BigInt(Math.floor(this.#clock.now()))
    this.#last = now > this.#last >> randomBits ? (now << randomBits) | this.#chance() : this.#last + 1n
    return { time: Number(this.#last >> randomBits), text: encode(this.#last) }
  }

  #chance(): bigint {
    return BigInt(`0x${Buffer.from(this.#random.bytes(randomBytesCount)).toString('hex')}`)
  }
}

function encode(value: bigint): string {
  let text = ''
  for (let rest = value; text.length < charactersCount; rest >>= 5n) text = alphabet[Number(rest & 31n)] + text
  return text
}
