import type { ServerResponse } from 'node:http'

/** The answers that wait for what is to come: each ends with its connection, and all when the door closes. */
export class LiveReads {
  readonly #open = new Set<AbortController>()
  #isEnded = false

  get size(): number {
    return this.#open.size
  }

  /** Aborted when the client has gone, after `msMax`, or with the door. */
  begin(response: ServerResponse, msMax: number): AbortSignal {
    const ending = new AbortController()
    if (this.#isEnded || response.destroyed) ending.abort()
    if (response.destroyed) return ending.signal // Nobody will be told of its end any more.
    const timer = setTimeout(() => ending.abort(), msMax)
    this.#open.add(ending)
    response.once('close', () => {
      clearTimeout(timer)
      this.#open.delete(ending)
      ending.abort()
    })
    return ending.signal
  }

  end(): void {
    this.#isEnded = true
    for (const ending of this.#open) ending.abort()
  }
}
