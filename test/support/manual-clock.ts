import type { Clock } from '../../pool/stall-watch.ts'

interface Timer {
  readonly every: number
  readonly task: () => void
  due: number
}

/** Time that passes when it is told to. */
export class ManualClock implements Clock {
  #now = 1_000_000
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#now
  }

  every(milliseconds: number, task: () => void): () => void {
    const timer: Timer = { every: milliseconds, task, due: this.#now + milliseconds }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Once. */
  after(milliseconds: number, task: () => void): () => void {
    const callOff = this.every(milliseconds, () => {
      callOff()
      task()
    })
    return callOff
  }

  get timers(): number {
    return this.#timers.size
  }

  /** Lets time pass, and each timer run when it is due. */
  run(milliseconds: number): void {
    const end = this.#now + milliseconds
    for (let next = this.#next(); next && next.due <= end; next = this.#next()) {
      this.#now = next.due
      this.#fire(next)
    }
    this.#now = end
  }

  /** Lets time pass unseen, as while a process is stopped: each timer runs once, late. */
  jump(milliseconds: number): void {
    this.#now += milliseconds
    for (const timer of [...this.#timers]) this.#fire(timer)
  }

  #next(): Timer | undefined {
    return [...this.#timers].sort((a, b) => a.due - b.due)[0]
  }

  #fire(timer: Timer): void {
    timer.due = this.#now + timer.every
    timer.task()
  }
}
