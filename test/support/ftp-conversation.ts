import { connect, createServer, type Server, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { StoreError, type StoreErrorCode } from '../../streams/index.ts'
import type { Moment } from './fake-store.ts'
import { freePort } from './free-port.ts'
import type { FtpClient } from './ftp-client.ts'
import type { Door } from './ftp-door.ts'

function listening(port: number): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1', () => resolve(server))
  })
}

/** Says what ftp-command-cases.ts writes down, with data connections where they belong. */
export class Conversation {
  readonly #client: FtpClient
  readonly #door: Door
  readonly #passivePort: number
  #data: Socket | undefined
  #isProtected = false
  #taken: Server | undefined

  constructor(client: FtpClient, door: Door, passivePort: number) {
    this.#client = client
    this.#door = door
    this.#passivePort = passivePort
  }

  /** As many replies to the last of the steps as are expected. */
  async say(steps: string, count: number): Promise<readonly string[]> {
    const [last = '', ...before] = steps.split(' + ').reverse()
    for (const step of before.reverse()) await this.#step(step)
    const replies = [await this.#step(last)]
    while (replies.length < count) replies.push(await this.#client.reply())
    return replies
  }

  async end(): Promise<void> {
    this.#data?.destroy()
    this.#client.socket.destroy()
    await new Promise((resolve) => (this.#taken ? this.#taken.close(resolve) : resolve(undefined)))
  }

  async #step(step: string): Promise<string> {
    const [word, moment, code] = step.split(' ')
    if (word === 'fail') this.#door.store.fail(moment as Moment, new StoreError(code as StoreErrorCode, 'as told'))
    else if (step === 'take the port') this.#taken = await listening(this.#passivePort)
    else return this.#command(step)
    return ''
  }

  /** The first reply; what goes on then goes on. */
  async #command(step: string): Promise<string> {
    const [line = '', content] = step.replace('{port}', String(await freePort())).split(' <')
    const [command = '', interruption] = line.split(' & ')
    const reply = await this.#client.command(command)
    if (command === 'PROT P') this.#isProtected = true
    if (reply.startsWith('229')) this.#data = await this.#connect(Number(/\d+(?=\|\)$)/.exec(reply)?.[0]))
    if (reply.startsWith('150') && interruption) this.#client.write(`${interruption}\r\n`)
    else if (reply.startsWith('150') && this.#data) this.#transfer(this.#data, content)
    return reply
  }

  #connect(port: number): Promise<Socket> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket)).on('error', () => {})
    })
  }

  #transfer(connection: Socket, content = ''): void {
    const isCut = content.startsWith('!')
    const socket = this.#isProtected ? tlsConnect({ socket: connection, rejectUnauthorized: false }) : connection
    socket.on('error', () => {}).resume()
    if (isCut) socket.write(content, () => connection.resetAndDestroy())
    else socket.end(content)
  }
}
