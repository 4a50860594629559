/*
 * Moves files over plain sockets, as cheaply as JavaScript can, from a process of its own. What a server does not make
 * durable by itself is flushed here, when the target names the folder in which its files lie: fdatasync of each file, in
 * the time that is measured.
 *   ftp-load small CONNECTIONS SECONDS TARGET   prints files of 10 KiB per second
 *   ftp-load store BYTES TARGET                 prints bytes per second
 *   ftp-load retrieve BYTES TARGET              the same, of what was stored before
 * TARGET is a FtpTarget as JSON.
 */
import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'

export interface FtpTarget {
  readonly port: number
  readonly user: string
  readonly password: string
  /** Where the server lets us store. */
  readonly directory: string
  readonly tls: boolean
  /** Where what is stored there lies, for us to flush. */
  readonly folder?: string
}

const FILE_BYTES = 10 * 1024
const CHUNK_BYTES = 256 * 1024
const LARGE = 'large'

/** A control connection, logged in. */
class Session {
  readonly #target: FtpTarget
  #socket: Socket
  #session: Buffer | undefined
  #received = ''
  #ended = false
  #wake = () => {}

  private constructor(target: FtpTarget, socket: Socket) {
    this.#target = target
    this.#socket = socket
    this.#listen()
  }

  static async open(target: FtpTarget): Promise<Session> {
    const session = new Session(target, connect(target.port, '127.0.0.1').setNoDelay())
    await session.#reply()
    if (target.tls) await session.#startTls()
    await session.say(`USER ${target.user}`, '331')
    await session.say(`PASS ${target.password}`, '230')
    await session.say(`CWD ${target.directory}`, '250')
    await session.say('TYPE I', '200')
    return session
  }

  async say(line: string, expected: string): Promise<string> {
    this.#socket.write(`${line}\r\n`)
    return this.#expect(line, expected)
  }

  /** Stores what `send` writes. */
  async store(name: string, send: (data: Socket) => Promise<void> | void): Promise<void> {
    const data = await this.#transfer(`STOR ${name}`)
    await send(data)
    data.end()
    await this.#expect(name, '226')
    if (this.#target.folder) await flush(join(this.#target.folder, name))
  }

  /** The number of bytes that came. */
  async retrieve(name: string): Promise<number> {
    const port = await this.#passive()
    let bytes = 0
    const onread = {
      buffer: Buffer.allocUnsafe(CHUNK_BYTES),
      callback(count: number) {
        bytes += count
        return true
      },
    }
    const plain = connect({ port, host: '127.0.0.1', ...(!this.#target.tls && { onread }) })
    this.#socket.write(`RETR ${name}\r\n`)
    await this.#expect(name, '150', '125')
    const data = this.#protect(plain)
    data.resume() // Else nobody would come to its end.
    if (this.#target.tls)
      data.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
    await Promise.all([once(data, 'close'), this.#expect(name, '226')])
    return bytes
  }

  /** pure-ftpd spins for minutes when a client leaves without a word, and takes the processor from whoever comes next. */
  async end(): Promise<void> {
    await this.say('QUIT', '221')
    this.#socket.destroy()
  }

  async #transfer(command: string): Promise<Socket> {
    const plain = connect(await this.#passive(), '127.0.0.1').setNoDelay()
    this.#socket.write(`${command}\r\n`)
    await this.#expect(command, '150', '125')
    return this.#protect(plain)
  }

  async #passive(): Promise<number> {
    return Number(/\|\|\|(\d+)\|/.exec(await this.say('EPSV', '229'))?.[1])
  }

  #protect(socket: Socket): Socket {
    if (!this.#target.tls) return socket
    const session = this.#session
    return tlsConnect({ socket, rejectUnauthorized: false, ...(session && { session }) })
  }

  async #startTls(): Promise<void> {
    await this.say('AUTH TLS', '234')
    this.#socket.removeAllListeners('data')
    const secured: TLSSocket = tlsConnect({ socket: this.#socket, rejectUnauthorized: false })
    secured.on('session', (session) => {
      this.#session = session
    })
    this.#socket = secured
    this.#listen()
    await once(secured, 'secureConnect')
    await this.say('PBSZ 0', '200')
    await this.say('PROT P', '200')
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1')
      this.#wake()
    })
    this.#socket.once('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  async #expect(what: string, ...codes: readonly string[]): Promise<string> {
    const reply = await this.#reply()
    if (!codes.includes(reply.slice(0, 3))) throw new Error(`${what}: ${reply}`)
    return reply
  }

  /** The last line of the next reply. */
  async #reply(): Promise<string> {
    for (;;) {
      const match = /^\d{3} .*\r\n/m.exec(this.#received)
      if (match) {
        this.#received = this.#received.slice(match.index + match[0].length)
        return match[0].trimEnd()
      }
      if (this.#ended) throw new Error(`the server closed: ${this.#received}`)
      await new Promise<void>((wake) => {
        this.#wake = wake
      })
    }
  }
}

async function flush(path: string): Promise<void> {
  const file: FileHandle = await open(path, 'r+')
  await file.datasync()
  await file.close()
}

async function small(connections: number, seconds: number, target: FtpTarget): Promise<void> {
  const content = Buffer.alloc(FILE_BYTES, 'cenote ')
  const sessions = await Promise.all(Array.from({ length: connections }, () => Session.open(target)))
  const start = performance.now()
  const end = start + seconds * 1000
  let files = 0
  const store = async (session: Session, number: number) => {
    for (let i = 0; performance.now() < end; i++) {
      await session.store(`small-${process.pid}-${number}-${i}`, (data) => {
        data.write(content)
      })
      files++
    }
  }
  await Promise.all(sessions.map(store))
  console.log((files * 1000) / (performance.now() - start))
  for (const session of sessions) await session.end()
}

async function store(bytes: number, target: FtpTarget): Promise<void> {
  const session = await Session.open(target)
  const chunk = Buffer.alloc(CHUNK_BYTES, 'cenote ')
  const start = performance.now()
  await session.store(LARGE, async (data) => {
    for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) if (!data.write(chunk)) await once(data, 'drain')
  })
  console.log((bytes * 1000) / (performance.now() - start))
  await session.end()
}

async function retrieve(bytes: number, target: FtpTarget): Promise<void> {
  const session = await Session.open(target)
  const start = performance.now()
  const came = await session.retrieve(LARGE)
  const elapsed = performance.now() - start
  if (came !== bytes) throw new Error(`${came} bytes came, not ${bytes}`)
  console.log((bytes * 1000) / elapsed)
  await session.end()
}

const [kind, ...rest] = process.argv.slice(2)
const target = JSON.parse(rest.at(-1) ?? '') as FtpTarget
if (kind === 'small') await small(Number(rest[0]), Number(rest[1]), target)
else if (kind === 'store') await store(Number(rest[0]), target)
else await retrieve(Number(rest[0]), target)
