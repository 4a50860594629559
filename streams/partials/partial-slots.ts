/** Who goes on with which partial upload: one at a time. */
export class PartialSlots {
  readonly #claimed = new Set<string>()

  isClaimed(slot: string): boolean {
    return this.#claimed.has(slot)
  }

  /** Undefined while somebody else has it. */
  claim(slot: string): SlotClaim | undefined {
    if (this.#claimed.has(slot)) return undefined
    this.#claimed.add(slot)
    return { release: () => void this.#claimed.delete(slot) }
  }
}

export interface SlotClaim {
  release(): void
}
