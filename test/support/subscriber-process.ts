import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AttributeRecord } from '../../streams/index.ts'

export interface Heard {
  readonly id: string
  readonly record: AttributeRecord
}

/** A subscriber process on a port that stays its own. */
export class SubscriberProcess {
  readonly #file: string
  #child: ChildProcess | undefined
  port = 0

  constructor(file: string) {
    this.#file = file
  }

  async start(): Promise<void> {
    if (this.#child) return
    const script = fileURLToPath(new URL('subscriber.mjs', import.meta.url))
    this.#child = spawn(process.execPath, [script, `${this.port}`, this.#file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [ready] = await once(this.#child.stdout!, 'data')
    this.port = Number(ready)
  }

  async kill(): Promise<void> {
    if (!this.#child) return
    const child = this.#child
    this.#child = undefined
    child.kill('SIGKILL')
    await once(child, 'close')
  }

  /** What it has written down, a last line that was cut off left out. */
  heard(): readonly Heard[] {
    if (!existsSync(this.#file)) return []
    const lines = readFileSync(this.#file, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Heard)
  }
}
