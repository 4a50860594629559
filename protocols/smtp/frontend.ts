import type { AddressInfo } from 'node:net'
import { hostPort } from '../address.ts'
import type { Frontend } from '../frontend.ts'
import { type SmtpOptions, type SmtpSettings, settingsOf } from './options.ts'
import { Refusal } from './refusal.ts'
import { MailServer } from './server.ts'

const closing = new Refusal(421, '4.3.2', 'Closing, try again in a moment')

/** The door for e-mail (RFC 5321, 2033): a message becomes one object in each bucket that it is addressed to. */
export function smtpFrontend(options: SmtpOptions): Frontend {
  return new SmtpFrontend(settingsOf(options))
}

class SmtpFrontend implements Frontend {
  readonly protocol = 'smtp'
  readonly scheme: string
  readonly #host: string
  readonly #port: number
  readonly #server: MailServer
  #address = ''
  #closed = Promise.resolve()

  constructor(settings: SmtpSettings) {
    this.scheme = `${settings.lmtp ? 'lmtp' : 'smtp'}${settings.tls?.mode === 'implicit' ? 's' : ''}`
    this.#host = settings.host
    this.#port = settings.port
    this.#server = new MailServer(settings)
  }

  get address(): string {
    return this.#address
  }

  listen(): Promise<void> {
    const listener = this.#server.server
    return new Promise((resolve, reject) => {
      listener.once('error', reject)
      this.#server.listen(this.#port, this.#host, () => {
        listener.off('error', reject)
        const { address, port } = listener.address() as AddressInfo
        this.#address = hostPort(address, port)
        this.#closed = new Promise((closed) => listener.once('close', () => closed()))
        resolve()
      })
    })
  }

  /** Waits `drainMsMax` at most: connections are closed then, and what they were sending is not stored. */
  async drain(): Promise<void> {
    this.#server.stop()
    this.#server.dismiss(closing, (connection) => !connection.receiving)
    await Promise.all(this.#server.messages)
  }

  async close(): Promise<void> {
    this.#server.stop()
    this.#server.dismiss(closing, () => true)
    await this.#closed
    await Promise.all(this.#server.messages)
  }
}
