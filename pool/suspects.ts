import { clearBit } from './bitmap.ts'

/** Units that may have no owner that can be found. */
export class Suspects {
  readonly #units: Uint8Array

  constructor(owned: Uint8Array) {
    this.#units = owned.slice()
  }

  clear(unit: number): void {
    if (unit >>> 3 < this.#units.length) clearBit(this.#units, unit)
  }

  *[Symbol.iterator](): Generator<number> {
    for (const [byte, bits] of this.#units.entries()) {
      for (let bit = 0; bits >>> bit > 0; bit++) if ((bits >>> bit) & 1) yield byte * 8 + bit
    }
  }
}
