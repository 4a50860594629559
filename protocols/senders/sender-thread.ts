import { Worker } from 'node:worker_threads'
import type { SenderVerdict } from './contract.ts'
import type { Ask } from './questions.ts'
import type { Order, Report, ThreadSetup } from './thread-messages.ts'
import { putOff } from './verdicts.ts'

/** Whoever waits for a check. */
export interface CheckListener {
  taken(bytes: number): void
  ended(verdict: SenderVerdict): void
}

/** A thread that verifies senders, seen from the event loop. One that dies is no more; its checks are put off. */
export class SenderThread {
  readonly #worker: Worker
  readonly #listeners = new Map<number, CheckListener>()
  readonly #ask: Ask
  /** Who wants to know that it is alive: one sign of it is enough for all. */
  #proving: (() => void)[] = []
  #ids = 0
  isDead = false

  constructor(program: URL, setup: ThreadSetup, ask: Ask) {
    this.#ask = ask
    this.#worker = new Worker(program, { workerData: setup, stdout: true })
    this.#worker.stdout.resume() // mailauth tells of odd signatures there, where our log is.
    this.#worker.on('message', (report: Report) => this.#hear(report))
    this.#worker.on('error', () => this.#die('what verifies it failed'))
    this.#worker.on('exit', () => this.#die('what verifies it ended'))
    this.#worker.unref()
  }

  /** Checks underway. */
  get size(): number {
    return this.#listeners.size
  }

  /** The id of a new check. */
  begin(facts: Extract<Order, { kind: 'begin' }>['facts'], listener: CheckListener): number {
    const id = ++this.#ids
    this.#listeners.set(id, listener)
    this.#send({ kind: 'begin', id, facts })
    return id
  }

  /** The bytes are copied, and the caller's again. */
  write(id: number, chunk: Uint8Array): void {
    const bytes = Uint8Array.from(chunk)
    this.#send({ kind: 'bytes', id, bytes }, [bytes.buffer])
  }

  end(id: number): void {
    this.#send({ kind: 'end', id })
  }

  /** Nothing is told of the check any more. */
  drop(id: number): void {
    if (this.#listeners.delete(id)) this.#send({ kind: 'drop', id })
  }

  /** Resolves when the thread says that it is alive; kills it when it does not within `msMax`. */
  async prove(msMax: number): Promise<void> {
    let late: NodeJS.Timeout | undefined
    const isAlive = await new Promise<boolean>((resolve) => {
      late = setTimeout(() => resolve(false), msMax)
      this.#proving.push(() => resolve(true))
      this.#send({ kind: 'ping' })
    })
    clearTimeout(late)
    if (!isAlive) await this.close('what verifies it hangs')
  }

  /** Checks underway are put off. */
  async close(why: string): Promise<void> {
    this.#die(why)
    await this.#worker.terminate()
  }

  #send(order: Order, transferred: ArrayBuffer[] = []): void {
    if (!this.isDead) this.#worker.postMessage(order, transferred)
  }

  #hear(report: Report): void {
    if (report.kind === 'taken') this.#listeners.get(report.id)?.taken(report.bytes)
    else if (report.kind === 'verdict') this.#end(report.id, report.verdict)
    else if (report.kind === 'question') void this.#answer(report)
    else this.#proved()
  }

  #proved(): void {
    for (const prove of this.#proving.splice(0)) prove()
  }

  async #answer({ question, name, type }: Extract<Report, { kind: 'question' }>): Promise<void> {
    this.#send({ kind: 'answer', question, answer: await this.#ask(name, type) })
  }

  #end(id: number, verdict: SenderVerdict): void {
    const listener = this.#listeners.get(id)
    this.#listeners.delete(id)
    listener?.ended(verdict)
  }

  #die(why: string): void {
    this.isDead = true
    this.#proved()
    for (const id of [...this.#listeners.keys()]) this.#end(id, putOff(why))
  }
}
