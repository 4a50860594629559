import assert from 'node:assert/strict'
import type { Sequence } from './contract.ts'

/** A write that the map shows and that is not known to be durable yet. */
export interface PendingWrite {
  readonly sequence: Sequence
  readonly undo: () => void
  readonly ended: Promise<boolean>
  readonly end: (durable: boolean) => void
}

/**
 * Pending writes in the order of their sequences. Of one that was refused another one may have the sequence by now.
 *
 *   add ──▶ PENDING ──finish──▶ durable
 *              └──withdraw──▶ undone, with all that came after
 */
export class PendingWrites {
  readonly #writes: PendingWrite[] = []

  add(sequence: Sequence, undo: () => void): PendingWrite {
    assert(sequence > (this.#writes.at(-1)?.sequence ?? 0), 'writes are drafted in order')
    let end: PendingWrite['end'] = () => {}
    const ended = new Promise<boolean>((resolve) => {
      end = resolve
    })
    const write = { sequence, undo, ended, end }
    this.#writes.push(write)
    return write
  }

  /** It is durable. */
  finish(write: PendingWrite): void {
    this.#writes.splice(this.#writes.indexOf(write), 1)
    write.end(true)
  }

  /** It was refused, or nobody knows: the map is as it was before. What came after has failed with it. */
  withdraw(write: PendingWrite): void {
    while (this.#writes.includes(write)) {
      const { undo, end } = this.#writes.pop()!
      undo()
      end(false)
    }
  }

  /** Resolves once every write up to `sequence` has ended; false when one of them was undone. */
  async settled(sequence: Sequence): Promise<boolean> {
    const waiting = this.#writes.filter((write) => write.sequence <= sequence).map(({ ended }) => ended)
    return waiting.length === 0 || (await Promise.all(waiting)).every((durable) => durable)
  }
}
