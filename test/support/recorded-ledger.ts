/** What a client asked for: these bytes under this name, or nothing under it. */
export interface Wish {
  readonly name: string
  /** SHA-256 of the bytes; absent for a removal. */
  readonly digest?: string
  /** Entries in the log of writes before the client began. */
  readonly begun: number
  /** Entries in it when the server said yes; absent while it has not. */
  acknowledged?: number
}

/** What is shown: the SHA-256 of the bytes under each name. */
export type Shown = ReadonlyMap<string, string>

/**
 * What clients asked for and were told yes to, and where the log of writes was then. At most one client works on a name.
 *
 * After a crash a name must show the last wish that was acknowledged by then, or a later one that had begun: those were
 * underway, and may be there, whole, or not at all.
 */
export class RecordedLedger {
  readonly #wishes = new Map<string, Wish[]>()

  begin(name: string, digest: string | undefined, begun: number): Wish {
    const wish: Wish = { name, begun, ...(digest === undefined ? {} : { digest }) }
    const wishes = this.#wishes.get(name)
    if (wishes) wishes.push(wish)
    else this.#wishes.set(name, [wish])
    return wish
  }

  acknowledge(wish: Wish, position: number): void {
    wish.acknowledged = position
  }

  get acknowledged(): number {
    return [...this.#wishes.values()].flat().filter((wish) => wish.acknowledged !== undefined).length
  }

  /** Sentences on what is shown and must not be, or is not and must be, after a crash at `entries`. */
  problems(shown: Shown, entries: number): readonly string[] {
    const problems: string[] = []
    for (const name of shown.keys()) if (!this.#wishes.has(name)) problems.push(`${name}: nobody asked for it`)
    for (const [name, wishes] of this.#wishes) {
      const problem = problemOf(wishes, shown.get(name), entries)
      if (problem) problems.push(`${name}: ${problem}`)
    }
    return problems
  }

  /** Whether anybody ever sent these bytes under this name. */
  asked(name: string, digest: string): boolean {
    return this.#wishes.get(name)?.some((wish) => wish.digest === digest) ?? false
  }

  /** What the first start after a crash has shown stays: from then on it counts as acknowledged before anything else. */
  settle(shown: Shown): RecordedLedger {
    const settled = new RecordedLedger()
    for (const name of this.#wishes.keys()) settled.acknowledge(settled.begin(name, shown.get(name), 0), 0)
    return settled
  }
}

function problemOf(wishes: readonly Wish[], digest: string | undefined, entries: number): string | undefined {
  const settled = wishes.findLastIndex(({ acknowledged }) => acknowledged !== undefined && acknowledged <= entries)
  const possible = wishes.slice(Math.max(settled, 0)).filter(({ begun }) => begun <= entries)
  if (possible.some((wish) => wish.digest === digest)) return undefined
  if (settled < 0 && digest === undefined) return undefined
  const last = wishes[settled]
  if (digest === undefined) return `acknowledged at ${last?.acknowledged}, and lost`
  if (!wishes.some((wish) => wish.digest === digest)) return 'its bytes are none that anybody sent'
  if (last && last.digest === undefined) return `its removal was acknowledged at ${last.acknowledged}, and it is back`
  return last ? `replaced at ${last.acknowledged}, and its old bytes are back` : 'there before anybody asked for it'
}
