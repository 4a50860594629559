import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'

/** An FTP client that sends bytes as they are and reads replies one by one. */
export class FtpClient {
  socket: Socket
  /** The last one that the server gave, to go on with. */
  tlsSession: Buffer | undefined
  #received = ''
  #ended = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    this.#listen(socket)
  }

  /** After AUTH: everything from here on goes through TLS. */
  async startTls(options: ConnectionOptions): Promise<void> {
    const secured: TLSSocket = tlsConnect({ ...options, socket: this.socket.removeAllListeners('data') })
    secured.on('session', (session) => {
      this.tlsSession = session
    })
    this.socket = secured
    this.#listen(secured)
    await once(secured, 'secureConnect')
  }

  /** Connected, before the greeting. */
  static async open(address: string): Promise<FtpClient> {
    const colon = address.lastIndexOf(':')
    const socket = connect(Number(address.slice(colon + 1)), address.slice(0, colon))
    await once(socket, 'connect')
    return new FtpClient(socket)
  }

  static async greeted(address: string): Promise<FtpClient> {
    const client = await FtpClient.open(address)
    await client.reply()
    return client
  }

  static async loggedIn(address: string, user = 'camera', password = 'correct horse'): Promise<FtpClient> {
    const client = await FtpClient.greeted(address)
    await client.commands(`USER ${user}`, `PASS ${password}`)
    return client
  }

  /** What came and was not yet read as a reply. */
  get unread(): string {
    return this.#received
  }

  /** The next reply, all of its lines, without the last line end; '' once the server has closed. */
  async reply(): Promise<string> {
    for (;;) {
      const [reply] = /^(?:\d{3}-.*\r\n(?: .*\r\n)*)?\d{3} .*\r\n/.exec(this.#received) ?? []
      if (reply !== undefined) {
        this.#received = this.#received.slice(reply.length)
        return reply.slice(0, -2)
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

  /** Sends each command and requires a yes to it; resolves with the last reply. */
  async commands(...lines: string[]): Promise<string> {
    let reply = ''
    for (const line of lines) {
      reply = await this.command(line)
      if (!/^[123]/.test(reply)) throw new Error(`${line}: ${reply || 'closed'}`)
    }
    return reply
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** The port that EPSV tells. */
  async passivePort(): Promise<number> {
    const reply = await this.commands('EPSV')
    return Number(/\|\|\|(\d+)\|/.exec(reply)?.[1])
  }

  /** A data connection by EPSV, connected. */
  async data(): Promise<Socket> {
    const socket = connect(await this.passivePort(), this.socket.remoteAddress)
    await once(socket, 'connect')
    return socket
  }

  /** Sends `command` and waits for 150; the data connection that goes with it. */
  async transfer(command: string): Promise<Socket> {
    const socket = await this.data()
    const reply = await this.command(command)
    if (!reply.startsWith('150 ')) throw new Error(`${command}: ${reply || 'closed'}`)
    return socket
  }

  /** A whole upload; resolves with the reply after it. */
  async upload(path: string, bytes: string | Uint8Array): Promise<string> {
    const socket = await this.transfer(`STOR ${path}`)
    socket.end(bytes)
    return this.reply()
  }

  /** What comes over the data connection of `command`; throws unless 226 follows. */
  async download(command: string): Promise<Buffer> {
    const socket = await this.transfer(command)
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk)
    const reply = await this.reply()
    if (!reply.startsWith('226 ')) throw new Error(`${command}: ${reply || 'closed'}`)
    return Buffer.concat(chunks)
  }

  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close')
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#take(chunk.toString()))
    socket.on('error', () => this.#finish())
    socket.on('close', () => this.#finish())
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
