import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server as Listener, type Socket } from 'node:net'

/** One upload as a client began it. */
export interface Attempt {
  readonly command: string
  /** Where it goes on, by REST or, for APPE, by what SIZE told. */
  readonly start: number
  /** What SIZE had told last. */
  readonly told: number
  /** Bytes that the server's process has taken from its socket, as far as that was looked at. */
  taken: number
}

/** Replies that say which port a data connection goes to: EPSV's, and PASV's. */
const EXTENDED = /^229 .*\|\|\|(\d+)\|/
const PASSIVE = /^227 .*\((\d+,\d+,\d+,\d+),(\d+),(\d+)\)/

/** Between FTP clients and a server that comes and goes: listens to what they say, and counts what the server takes. */
export class FtpProxy {
  /** `127.0.0.1:1234`; changes when the server is started again. */
  target = ''
  /** Of the file that is uploaded now. */
  attempts: Attempt[] = []
  /** What SIZE has told, in order. */
  told: number[] = []
  readonly #listener: Listener
  readonly #sockets = new Set<Socket>()
  /** The way of the last data connection to the server: it is there before the upload is asked for. */
  #data: Socket | undefined
  #current: Attempt | undefined
  #waiting: { bytes: number; readonly resolve: () => void } | undefined

  private constructor(listener: Listener) {
    this.#listener = listener
    listener.on('connection', (client) => this.#control(client))
  }

  static async open(): Promise<FtpProxy> {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    return new FtpProxy(listener)
  }

  get url(): string {
    return `ftp://127.0.0.1:${portOf(this.#listener)}`
  }

  close(): void {
    this.#listener.close()
    this.cut()
  }

  /** Ends every connection, as they end when both processes die. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  /** Resolves once so many bytes of the next upload were passed on to the server. */
  passed(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { bytes, resolve }
    })
  }

  /** Looks how much of the upload underway the server has taken: it must not be running meanwhile. */
  look(): void {
    const [socket, attempt] = [this.#data, this.#current]
    if (!socket || !attempt) return
    const sent = socket.bytesWritten - socket.writableLength
    attempt.taken = Math.max(attempt.taken, sent - queued(socket.localPort ?? 0, socket.remotePort ?? 0))
  }

  #control(client: Socket): void {
    const [host = '', port = ''] = this.target.split(':')
    const server = this.#keep(connect(Number(port), host))
    this.#keep(client)
    const asked: string[] = ['(greeting)']
    let offset = 0
    eachLine(client, (line) => {
      asked.push(line)
      if (/^REST /i.test(line)) offset = Number(line.slice(5))
      if (/^(STOR|APPE) /i.test(line)) {
        this.#begin(line, offset)
        offset = 0
      }
      server.write(`${line}\r\n`)
    })
    eachLine(server, (line) => {
      const isLast = /^\d{3} /.test(line)
      if (isLast && /^SIZE /i.test(asked[0] ?? '') && line.startsWith('213 ')) this.told.push(Number(line.slice(4)))
      if (isLast && !line.startsWith('1')) asked.shift()
      void this.#redirected(line).then((told) => client.write(`${told}\r\n`))
    })
    tie(client, server)
  }

  #begin(command: string, offset: number): void {
    const start = /^APPE/i.test(command) ? (this.told.at(-1) ?? 0) : offset
    this.#current = { command, start, told: this.told.at(-1) ?? 0, taken: 0 }
    this.attempts.push(this.#current)
  }

  /** A reply that names a port names one of ours instead. */
  async #redirected(line: string): Promise<string> {
    const port = EXTENDED.exec(line)?.[1]
    if (port !== undefined) return line.replace(`|||${port}|`, `|||${await this.#dataPort(Number(port))}|`)
    const [, , high, low] = PASSIVE.exec(line) ?? []
    if (high === undefined || low === undefined) return line
    const own = await this.#dataPort(Number(high) * 256 + Number(low))
    return `227 Entering passive mode (127,0,0,1,${own >> 8},${own & 255})`
  }

  async #dataPort(port: number): Promise<number> {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    listener.once('connection', (client) => {
      listener.close()
      this.#keep(client)
      const server = this.#keep(connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
      this.#data = server
      client.pipe(server)
      client.on('data', ({ length }) => this.#pass(length))
      server.pipe(client)
      tie(client, server)
    })
    return portOf(listener)
  }

  #pass(length: number): void {
    if (!this.#waiting) return
    this.#waiting.bytes -= length
    if (this.#waiting.bytes > 0) return
    this.#waiting.resolve()
    this.#waiting = undefined
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    return socket.setNoDelay(true).on('close', () => this.#sockets.delete(socket))
  }
}

/** Bytes that are in the kernel between two ends of a connection on this machine: not acknowledged, or not read. */
function queued(localPort: number, remotePort: number): number {
  let bytes = 0
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', remote = '', , queues = ''] = line.trim().split(/\s+/)
    const [from, to] = [portIn(local), portIn(remote)]
    const [sending = 0, receiving = 0] = queues.split(':').map((hex) => Number.parseInt(hex, 16))
    if (from === localPort && to === remotePort) bytes += sending
    if (from === remotePort && to === localPort) bytes += receiving
  }
  return bytes
}

const portIn = (address: string): number => Number.parseInt(address.split(':')[1] ?? '', 16)
const portOf = (listener: Listener): number => (listener.address() as AddressInfo).port

function eachLine(socket: Socket, take: (line: string) => void): void {
  let rest = ''
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\r\n')
    rest = lines.pop() ?? ''
    lines.forEach(take)
  })
}

/** What becomes of one end becomes of the other, a reset as well as an end. */
function tie(one: Socket, other: Socket): void {
  for (const [socket, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    socket.on('error', () => peer.resetAndDestroy())
    socket.on('end', () => peer.end())
    socket.on('close', () => peer.destroySoon())
  }
}
