import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type Addresses, DOORS, type Door } from './upload-ledger.ts'

/** How an acknowledgement begins: of HTTP, of FTP and of mail. */
const ACKNOWLEDGEMENT = /^(?:HTTP\/1\.1 2\d\d|226|250) /

/**
 * Stands between a client and a server's doors, and notes where the log of writes was when the server said yes: a client's
 * process ends milliseconds later, when other commits have flushed what an early yes had left unflushed.
 */
export class Tap implements Addresses {
  readonly #doors = new Map<Door, Server>()
  readonly #position: () => number
  /** Where the log was when the last yes came by; undefined when none did since the last reset(). */
  acknowledged: number | undefined

  private constructor(position: () => number) {
    this.#position = position
  }

  static async open(server: Addresses, position: () => number): Promise<Tap> {
    const tap = new Tap(position)
    for (const door of DOORS) tap.#doors.set(door, await tap.#listen(server.host(door)))
    return tap
  }

  address(door: Door): string {
    return `${door}://${this.host(door)}`
  }

  host(door: Door): string {
    const { port } = this.#doors.get(door)!.address() as AddressInfo
    return `127.0.0.1:${port}`
  }

  reset(): void {
    this.acknowledged = undefined
  }

  [Symbol.dispose](): void {
    for (const door of this.#doors.values()) door.close()
  }

  async #listen(host: string): Promise<Server> {
    const target = new URL(`tcp://${host}`)
    const door = createServer({ allowHalfOpen: true }, (client) => {
      this.#join(client, connect({ host: target.hostname, port: Number(target.port), allowHalfOpen: true }))
    })
    door.listen(0, '127.0.0.1')
    await once(door, 'listening')
    return door
  }

  #join(client: Socket, server: Socket): void {
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('end', () => other.end())
      one.on('close', () => other.end())
    }
    client.on('data', (chunk) => server.write(chunk))
    server.on('data', (chunk) => {
      if (ACKNOWLEDGEMENT.test(chunk.toString('latin1', 0, 16))) this.acknowledged = this.#position()
      client.write(chunk)
    })
  }
}
