import type { Disposition, Origin, Receipt } from '../../streams/index.ts'
import type { VerdictQueue } from '../verdict-queue.ts'

/** What is known of the end of a file that came over FTP. */
export const COMPLETION = 'ftp.completion'

/**
 * FTP ends a file by closing its data connection, and so does a client that dies. What tells them apart comes later: who
 * says another word on the control connection is alive, and meant the end that it made.
 *
 *   stored (226) ──▶ UNCONFIRMED ──another command──▶ confirmed
 *                        ├──ABOR──▶ aborted                  (the policy decides what becomes of it)
 *                        ├──the client leaves──▶ control-lost (the same)
 *                        └──the server ends the session──▶ unconfirmed for good: nobody knows
 *
 * A command counts that came after the end of the bytes: one that came while they were on their way was sent before.
 */
export class Completion {
  readonly #verdicts: VerdictQueue
  #last: { readonly origin: Origin; readonly receipt: Receipt } | undefined

  constructor(verdicts: VerdictQueue) {
    this.#verdicts = verdicts
  }

  stored(origin: Origin, receipt: Receipt): void {
    this.#last = { origin, receipt }
  }

  confirm(): void {
    this.#conclude('confirmed', 'keep')
  }

  abort(): void {
    this.#conclude('aborted', this.#policy, 'the client asked for the transfer to be aborted')
  }

  lose(): void {
    this.#conclude('control-lost', this.#policy, 'the client left without a word after the upload')
  }

  /** Nothing more will be known. */
  forget(): void {
    this.#last = undefined
  }

  get #policy(): Disposition {
    return this.#last?.origin.principal.policy?.controlLost ?? 'quarantine'
  }

  #conclude(completion: string, disposition: Disposition, reason?: string): void {
    if (this.#last === undefined) return
    const { origin, receipt } = this.#last
    const { bucket, key, sequence: version } = receipt
    this.#last = undefined
    const set = { [COMPLETION]: completion }
    this.#verdicts.add({ origin, name: { bucket, key }, version, set, disposition, ...(reason && { reason }) })
  }
}
