import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  streamDecode,
  streamEncode,
  TRUNCATED_RESPONSE,
} from 'dns-packet'

/** What a name server does instead of its duty. */
export type Fault = 'SERVFAIL' | 'REFUSED' | 'silence' | 'truncated' | 'late'

/** Records by name and type, as text: `{ 'a.example': { TXT: ['v=spf1 -all'], MX: ['10 mx.a.example'] } }`. */
export type Zone = { readonly [name: string]: { readonly [type: string]: readonly string[] } }

/** A small authoritative name server on loopback, UDP and TCP, for all the zones of a test. */
export class ZoneServer implements AsyncDisposable {
  readonly zone = new Map<string, { readonly [type: string]: readonly string[] }>()
  readonly faults = new Map<string, Fault>()
  /** Questions that came, in order: `TXT a.example`. */
  readonly asked: string[] = []
  #goOn: (() => void)[] = []
  #waiting: (() => void)[] = []
  #isClosed = false
  readonly #udp: UdpSocket
  readonly #tcp: Server

  private constructor(udp: UdpSocket, tcp: Server) {
    this.#udp = udp
    this.#tcp = tcp
  }

  static async open(zone: Zone = {}): Promise<ZoneServer> {
    const tcp = createServer()
    tcp.listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const udp = createSocket('udp4')
    udp.bind((tcp.address() as { port: number }).port, '127.0.0.1')
    await once(udp, 'listening')
    const server = new ZoneServer(udp, tcp)
    server.add(zone)
    udp.on('message', (bytes, from) => void server.#answerDatagram(bytes, from))
    tcp.on('connection', (socket) => {
      socket.on('error', () => {})
      socket.once('data', async (bytes) => {
        const reply = await server.#reply(streamDecode(bytes), true)
        if (reply) socket.end(streamEncode(reply))
      })
    })
    return server
  }

  get address(): string {
    return `127.0.0.1:${this.#udp.address().port}`
  }

  add(zone: Zone): void {
    for (const [name, records] of Object.entries(zone)) this.zone.set(name.toLowerCase(), records)
  }

  /** Resolves when a question is there that waits to be answered late. */
  async isAsked(): Promise<void> {
    if (this.#goOn.length === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Answers what waits. */
  answerLate(): void {
    for (const goOn of this.#goOn.splice(0)) goOn()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.answerLate()
    this.#udp.close()
    this.#tcp.close()
  }

  async #answerDatagram(bytes: Buffer, { address, port }: RemoteInfo): Promise<void> {
    const reply = await this.#reply(decode(bytes), false)
    if (reply && !this.#isClosed) this.#udp.send(encode(reply), port, address, () => {})
  }

  async #reply({ id, questions }: Packet, isStream: boolean): Promise<Packet | undefined> {
    const [{ name = '', type = 'A' } = {}] = questions ?? []
    this.asked.push(`${type} ${name}`)
    const fault = this.faults.get(name.toLowerCase())
    if (fault === 'silence') return undefined
    if (fault === 'late') await this.#late()
    const header = { type: 'response', id, questions } as const
    if (fault === 'truncated' && !isStream) return { ...header, flags: AUTHORITATIVE_ANSWER | TRUNCATED_RESPONSE }
    if (fault === 'SERVFAIL') return { ...header, flags: AUTHORITATIVE_ANSWER | 2 }
    if (fault === 'REFUSED') return { ...header, flags: AUTHORITATIVE_ANSWER | 5 }
    const answers = this.#answersTo(name, type)
    const isThere = answers.length > 0 || this.zone.has(name.toLowerCase())
    return { ...header, flags: AUTHORITATIVE_ANSWER | (isThere ? 0 : 3), answers }
  }

  /** Follows aliases as far as a server would. */
  #answersTo(name: string, type: string): Answer[] {
    const answers: Answer[] = []
    for (let at = name, hops = 0; hops < 8; hops++) {
      const records = this.zone.get(at.toLowerCase()) ?? {}
      const [alias] = records.CNAME ?? []
      for (const text of records[type] ?? []) answers.push(answerOf(at, type, text))
      if (alias === undefined) return answers
      answers.push({ name: at, type: 'CNAME', data: alias, ttl: 60 })
      at = alias
    }
    return answers
  }

  async #late(): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#goOn.push(resolve))
    for (const tell of this.#waiting.splice(0)) tell()
    await answered
  }
}

function answerOf(name: string, type: string, text: string): Answer {
  const common = { name, ttl: 60 }
  if (type === 'MX') {
    const [preference, exchange = ''] = text.split(' ')
    return { ...common, type, data: { preference: Number(preference), exchange } }
  }
  if (type === 'TXT') return { ...common, type, data: text.match(/.{1,255}/gsu) ?? [''] }
  return { ...common, type: type as 'A', data: text }
}
