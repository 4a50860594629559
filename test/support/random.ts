/** Chance as an argument: the same seed gives the same run. */
export interface Random {
  /** From 0 up to, but not including, 1. */
  next(): number
  /** A whole number from 0 up to, but not including, `bound`. */
  below(bound: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
  bytes(length: number): Buffer
}

/** Mulberry32: 32 bits of state are plenty for a test, and a seed is one number to print. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (from) => from[below(from.length)]!,
    bytes: (length) => {
      const bytes = Buffer.allocUnsafe(length)
      for (let i = 0; i < length; i++) bytes[i] = below(256)
      return bytes
    },
  }
}

/** The seed of a run: CENOTE_SEED, or `otherwise`. */
export function seedOf(otherwise: number): number {
  const given = process.env.CENOTE_SEED
  return given === undefined ? otherwise : Number(given)
}
