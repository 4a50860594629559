import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

/** An SMTP client that sends bytes as they are and reads replies one by one. */
export class SmtpClient {
  #socket: Socket | TLSSocket
  #received = ''
  #ended = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = this.#adopt(socket)
  }

  /** Connected, before the greeting. */
  static async open(address: string): Promise<SmtpClient> {
    const colon = address.lastIndexOf(':')
    const socket = connect(Number(address.slice(colon + 1)), address.slice(0, colon))
    await once(socket, 'connect')
    return new SmtpClient(socket)
  }

  /** Connected and greeted, after EHLO. */
  static async greeted(address: string): Promise<SmtpClient> {
    const client = await SmtpClient.open(address)
    await client.reply()
    await client.command('EHLO client.example')
    return client
  }

  /** What came and was not yet read as a reply. */
  get unread(): string {
    return this.#received
  }

  /** The next reply, all of its lines, without the last line end; '' once the server has closed. */
  async reply(): Promise<string> {
    for (;;) {
      const [reply] = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(this.#received) ?? []
      if (reply !== undefined) {
        this.#received = this.#received.slice(reply.length)
        return reply.trimEnd()
      }
      if (this.#ended) return ''
      await new Promise<void>((wake) => {
        this.#wake = wake
      })
    }
  }

  command(line: string): Promise<string> {
    this.write(`${line}\r\n`)
    return this.reply()
  }

  /** Sends each command and requires a yes to it. */
  async commands(...lines: string[]): Promise<void> {
    for (const line of lines) {
      const reply = await this.command(line)
      if (!/^[23]/.test(reply)) throw new Error(`${line}: ${reply || 'closed'}`)
    }
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Waits until the server has taken what was written into its socket. */
  async written(bytes: string | Uint8Array): Promise<void> {
    await new Promise((resolve) => this.#socket.write(bytes, resolve))
  }

  /** MAIL, RCPT for each, DATA: the next bytes are the message's. */
  async envelope(...recipients: string[]): Promise<void> {
    await this.commands('MAIL FROM:<ada@example.org>', ...recipients.map((to) => `RCPT TO:<${to}>`), 'DATA')
  }

  /** A whole message, in wire form up to its final dot; resolves with the reply to it. */
  async message(wire: string | Uint8Array, ...recipients: string[]): Promise<string> {
    await this.envelope(...recipients)
    this.write(wire)
    return this.reply()
  }

  async startTls(): Promise<void> {
    this.write('STARTTLS\r\n')
    await this.secure()
  }

  /** Goes on over TLS once the server says yes. */
  async secure(): Promise<void> {
    const reply = await this.reply()
    if (!reply.startsWith('220 ')) throw new Error(`STARTTLS: ${reply || 'closed'}`)
    await this.wrap()
  }

  /** Goes on over TLS. */
  async wrap(): Promise<void> {
    this.#socket.removeAllListeners()
    const socket = connectTls({ socket: this.#socket, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    this.#socket = this.#adopt(socket)
  }

  /** Sends FIN. */
  end(): void {
    this.#socket.end()
  }

  /** Sends RST. */
  reset(): void {
    this.#socket.resetAndDestroy()
  }

  async closed(): Promise<void> {
    if (!this.#socket.closed) await once(this.#socket, 'close')
  }

  #adopt(socket: Socket | TLSSocket): Socket | TLSSocket {
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#take(chunk.toString('latin1')))
    socket.on('error', () => this.#finish())
    socket.on('close', () => this.#finish())
    return socket
  }

  #take(text: string): void {
    this.#received += text
    this.#wake()
  }

  #finish(): void {
    this.#ended = true
    this.#wake()
  }
}

/** Credentials as AUTH PLAIN takes them (RFC 4616). */
export function plainToken(key: string, secret: string, actingAs = ''): string {
  return Buffer.from(`${actingAs}\0${key}\0${secret}`).toString('base64')
}

/** A message as it travels: dots at the start of a line doubled (RFC 5321 section 4.5.2), and the final dot. */
export function wireForm(message: string | Uint8Array): Buffer {
  const text = Buffer.from(message).toString('latin1')
  const stuffed = text.replace(/^\./, '..').replaceAll('\r\n.', '\r\n..')
  return Buffer.from(`${stuffed}${text === '' || text.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1')
}
