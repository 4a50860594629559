import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What comes by of a message: bytes of it, its final dot, and the reply to that, before and after it was passed on. */
export const moments = ['message', 'end', 'reply', 'replied'] as const
export type Moment = (typeof moments)[number]

const FINAL_DOT = '\r\n.\r\n'

/**
 * Stands between a mail server that relays and a door that dies and comes back elsewhere, and sees where each message is.
 * While there is no door it takes nobody's connection for long.
 */
export class MailTap implements AsyncDisposable {
  /** Told of each moment as it comes; what it says no to is not passed on, and the connection is cut. */
  happened: (moment: Moment) => boolean = () => true
  /** Where the door is, as `127.0.0.1:1234`. */
  target: string | undefined
  /** Messages whose final dot the door was sent, and whose reply never came to who sent them. */
  unanswered = 0
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()

  private constructor() {
    this.#listener = createServer((client) => this.#join(client))
  }

  static async open(): Promise<MailTap> {
    const tap = new MailTap()
    await once(tap.#listener.listen(0, '127.0.0.1'), 'listening')
    return tap
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#listener.close(), 'close')
  }

  #join(client: Socket): void {
    this.#sockets.add(client)
    client.on('error', () => {}).on('close', () => this.#sockets.delete(client))
    if (this.target === undefined) {
      client.destroy()
      return
    }
    const [host = '', port = ''] = this.target.split(':')
    const door = connect(Number(port), host)
    const conversation = new Conversation((moment) => this.happened(moment))
    client.on('data', (chunk) => {
      if (conversation.sees(chunk, 'client')) door.write(chunk)
      else client.destroy()
    })
    door.on('data', (chunk) => {
      if (conversation.sees(chunk, 'door')) client.write(chunk)
      else client.destroy()
    })
    client.on('close', () => door.destroy())
    door
      .on('error', () => {})
      .on('close', () => {
        if (conversation.isWaiting) this.unanswered += 1
        client.end()
      })
  }
}

/** Where one connection is, as told from the bytes that come by. */
class Conversation {
  /** Between 354 and the final dot, and from there to the reply. */
  isWaiting = false
  #isMessage = false
  #tail = ''
  readonly #happened: MailTap['happened']

  constructor(happened: MailTap['happened']) {
    this.#happened = happened
  }

  /** False when this is not to be passed on. */
  sees(chunk: Buffer, from: 'client' | 'door'): boolean {
    const text = chunk.toString('latin1')
    return from === 'client' ? this.#client(text) : this.#door(text)
  }

  #client(text: string): boolean {
    if (!this.#isMessage) return true
    const all = this.#tail + text
    this.#tail = all.slice(-FINAL_DOT.length)
    if (!all.includes(FINAL_DOT)) return this.#happened('message')
    this.#isMessage = false
    this.isWaiting = true
    return this.#happened('end')
  }

  #door(text: string): boolean {
    if (!this.isWaiting) {
      this.#isMessage ||= /^354/m.test(text)
      this.#tail = ''
      return true
    }
    if (!this.#happened('reply')) return false
    this.isWaiting = false
    this.#happened('replied')
    return true
  }
}
