import { seededRandom } from './random.ts'

export interface SweepOptions {
  readonly seed: number
  readonly milliseconds: number
}

/**
 * Looks at every bit of so many bytes in a random order, one time each, for as long as it may; resolves with how many it
 * has looked at. Another seed begins elsewhere, so that runs that are cut short cover more and more between them.
 */
export async function sweepBits(
  bytes: number,
  { seed, milliseconds }: SweepOptions,
  look: (at: number, bit: number) => Promise<void>,
): Promise<number> {
  const random = seededRandom(seed)
  const order = Uint32Array.from({ length: bytes * 8 }, (_, index) => index)
  const end = performance.now() + milliseconds
  let count = 0
  for (; count < order.length && performance.now() < end; count++) {
    const other = count + random.below(order.length - count)
    const bit = order[other]!
    order[other] = order[count]!
    await look(bit >> 3, bit & 7)
  }
  return count
}
