/*
 * Mails with an attachment, and with AUTH where the target has a login, which smtp-source cannot; from a process of its own.
 *   smtp-load SESSIONS MESSAGES BYTES kept|new TARGET   prints mails per second
 * BYTES is the length of the attachment as it is sent. TARGET is a SmtpTarget as JSON.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface SmtpTarget {
  readonly port: number
  readonly recipient: string
  readonly login?: { readonly key: string; readonly secret: string }
}

const LINE = `${'VGhpcyBpcyBiYXNlNjQgb2YgYSBzY2FuLCA1NyBieXRlcyBhIGxpbmUgYXMgTUlNRSBhc2tz'.slice(0, 76).padEnd(76, 'A')}\r\n`
const CHUNK = Buffer.from(LINE.repeat(4096))
const HEAD = [
  'From: scanner@example.org',
  'To: inbox@cenote.local',
  'Subject: a scan',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=cut',
  '',
  '--cut',
  'Content-Type: text/plain',
  '',
  'see there',
  '--cut',
  'Content-Type: application/pdf; name=scan.pdf',
  'Content-Disposition: attachment; filename=scan.pdf',
  'Content-Transfer-Encoding: base64',
  '',
  '',
].join('\r\n')

const [sessions, messages, bytes] = process.argv.slice(2, 5).map(Number) as [number, number, number]
const isKept = process.argv[5] === 'kept'
const target = JSON.parse(process.argv[6] ?? '') as SmtpTarget
const run = `${process.pid}.${Date.now()}`
let begun = 0

class Session {
  readonly #socket: Socket
  #heard = ''
  #wake = () => {}

  private constructor() {
    this.#socket = connect(target.port, '127.0.0.1').setNoDelay()
    this.#socket.on('data', (chunk: Buffer) => {
      this.#heard += chunk.toString('latin1')
      this.#wake()
    })
    this.#socket.on('close', () => this.#wake())
  }

  static async open(): Promise<Session> {
    const session = new Session()
    await session.#hear('220')
    await session.#say('EHLO bench', '250')
    const { login } = target
    const token = login && Buffer.from(`\0${login.key}\0${login.secret}`).toString('base64')
    if (token) await session.#say(`AUTH PLAIN ${token}`, '235')
    return session
  }

  async send(number: number): Promise<void> {
    await this.#say('MAIL FROM:<scanner@example.org>', '250')
    await this.#say(`RCPT TO:<${target.recipient}>`, '250')
    await this.#say('DATA', '354')
    this.#socket.write(`Message-ID: <${run}.${number}@example.org>\r\n${HEAD}`)
    for (let left = Math.ceil(bytes / LINE.length) * LINE.length; left > 0; left -= CHUNK.length)
      if (!this.#socket.write(CHUNK.subarray(0, left))) await once(this.#socket, 'drain')
    await this.#say('--cut--\r\n.', '250')
  }

  async close(): Promise<void> {
    this.#socket.end('QUIT\r\n')
    await once(this.#socket, 'close')
  }

  #say(line: string, code: string): Promise<void> {
    this.#socket.write(`${line}\r\n`)
    return this.#hear(code)
  }

  /** A reply, all of its lines. */
  async #hear(code: string): Promise<void> {
    while (!/^\d{3} .*\r\n/m.test(this.#heard)) {
      if (this.#socket.closed) throw new Error(`${code} was expected, and the connection closed: ${this.#heard}`)
      await new Promise<void>((wake) => {
        this.#wake = wake
      })
    }
    if (!this.#heard.startsWith(code)) throw new Error(`${code} was expected: ${this.#heard}`)
    this.#heard = ''
  }
}

async function work(): Promise<void> {
  let session: Session | undefined
  while (begun < messages) {
    const number = begun++
    session ??= await Session.open()
    await session.send(number)
    if (isKept) continue
    await session.close()
    session = undefined
  }
  await session?.close()
}

const start = performance.now()
await Promise.all(Array.from({ length: sessions }, work))
console.log((messages * 1000) / (performance.now() - start))
