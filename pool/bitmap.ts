/*
 * Bits in memory as they are on the disk: bit n is bit n mod 8 of byte ⌊n/8⌋.
 */

export const hasBit = (bitmap: Uint8Array, bit: number): boolean => (bitmap[bit >>> 3]! & (1 << (bit & 7))) !== 0

export function setBit(bitmap: Uint8Array, bit: number): void {
  bitmap[bit >>> 3]! |= 1 << (bit & 7)
}

export function clearBit(bitmap: Uint8Array, bit: number): void {
  bitmap[bit >>> 3]! &= ~(1 << (bit & 7))
}

/** The same bits, and room for more. */
export function enlarged(bitmap: Uint8Array, bits: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.ceil(bits / 8))
  larger.set(bitmap)
  return larger
}
