import type { Finding } from '../../streams/index.ts'
import type { SenderCheck } from '../senders/contract.ts'
import { Refusal } from './refusal.ts'
import type { MailRoute } from './route.ts'
import { findingOf } from './sender.ts'

/** Sees a stranger's message on its way, and says at its end what is noted of it in each folder. */
export class Inspection {
  readonly #check: SenderCheck
  readonly #routes: readonly (MailRoute | undefined)[]

  /** `routes` are those of the folders, in their order; undefined where the mail is no stranger's. */
  constructor(check: SenderCheck, routes: readonly (MailRoute | undefined)[]) {
    this.#check = check
    this.#routes = routes
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#check.write(chunk)
  }

  /** Throws where one of the routes does not take the message, and 451 for what nobody knows yet. */
  async finish(): Promise<readonly (Finding | undefined)[]> {
    const verdict = await this.#check.finish()
    if (verdict.trouble !== undefined)
      throw new Refusal(451, '4.4.3', `The sender cannot be verified now: ${verdict.trouble}`)
    return this.#routes.map((route) => route && findingOf(verdict, route))
  }

  abort(): void {
    this.#check.abort()
  }
}
