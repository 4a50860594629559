import type { FtpLimits } from './options.ts'

/**
 * One command at a time, in the order they came; bounded in number, and in the time from one to the next.
 *
 *   IDLE ──push──▶ WORKING ──last one done──▶ IDLE
 *     └───────────────┴──stop──▶ STOPPED (the command underway ends, those behind it are dropped)
 */
export class CommandQueue<Command> {
  readonly #limits: FtpLimits
  readonly #execute: (command: Command) => Promise<void>
  readonly #expire: () => void
  readonly #waiting: Command[] = []
  #working: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  /** `execute` never rejects; `expire` is called when no command came in time. */
  constructor(limits: FtpLimits, execute: (command: Command) => Promise<void>, expire: () => void) {
    this.#limits = limits
    this.#execute = execute
    this.#expire = expire
    this.#awaitCommand()
  }

  /** True when no command waits behind the one underway. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** False when the queue is full. */
  push(command: Command): boolean {
    if (this.#stopped) return true
    if (this.#waiting.length >= this.#limits.commandsQueuedMax) return false
    this.#waiting.push(command)
    this.#working ??= this.#work()
    return true
  }

  /** Resolves when the command underway is done. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#working
  }

  async #work(): Promise<void> {
    clearTimeout(this.#timer)
    while (this.#waiting.length > 0 && !this.#stopped) await this.#execute(this.#waiting.shift()!)
    this.#working = undefined
    if (!this.#stopped) this.#awaitCommand()
  }

  #awaitCommand(): void {
    this.#timer = setTimeout(this.#expire, this.#limits.controlIdleMsMax)
  }
}
