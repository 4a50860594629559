import { type ChildProcess, spawn } from 'node:child_process'
import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { FtpProxy } from './ftp-proxy.ts'
import type { Random } from './random.ts'
import { ROOT, rootAuthorization, rootEnvironment, Server } from './server-process.ts'

const MIB = 1 << 20
/** What may be asked for again beyond what was told (docs/doors/ftp.md). */
const LOST_BYTES_MAX = 8 * MIB
/** What the server's process has taken and not come to look at: a stream's buffers. */
const BUFFERED_BYTES_MAX = MIB
const ATTEMPTS_MAX = 40
/** Bytes a second: what is sent is soon taken, or a server that is killed would have seen little of it. */
const RATE = 30 * MIB

type Client = 'curl' | 'lftp'
const CLIENTS: readonly Client[] = ['curl', 'lftp']

export interface ResumeCounts {
  uploads: number
  attempts: number
  serverKills: number
  clientKills: number
  /** Bytes that were sent more than once: of all attempts, and of the one that lost the most. */
  sentAgain: number
  sentAgainMost: number
}

/**
 * Uploads with real clients that resume, of which the client or the server is killed at any time, again and again. It holds
 * what they ask against what the server told, and what is stored at the end against the file.
 */
export class Resuming {
  readonly counts: ResumeCounts = {
    uploads: 0,
    attempts: 0,
    serverKills: 0,
    clientKills: 0,
    sentAgain: 0,
    sentAgainMost: 0,
  }
  readonly #folder: string
  readonly #random: Random
  readonly #proxy: FtpProxy
  #server: Server

  private constructor(folder: string, random: Random, proxy: FtpProxy, server: Server) {
    this.#folder = folder
    this.#random = random
    this.#proxy = proxy
    this.#server = server
  }

  static async open(folder: string, random: Random): Promise<Resuming> {
    const proxy = await FtpProxy.open()
    const server = await start(folder)
    proxy.target = server.host('ftp')
    return new Resuming(folder, random, proxy, server)
  }

  async close(): Promise<void> {
    this.#proxy.close()
    await this.#server.kill()
  }

  /** One file, until its client says that it is there. */
  async upload(): Promise<void> {
    const random = this.#random
    const client = random.pick(CLIENTS)
    const name = `${client}-${this.counts.uploads}`
    const bytes = content(name, MIB + random.below(24 * MIB))
    const file = join(this.#folder, name)
    await writeFile(file, bytes)
    this.#proxy.attempts = []
    this.#proxy.told = []
    for (let attempt = 0; !(await this.#attempt(client, file, name, bytes.length)); attempt++) {
      this.#check(name)
      expect(attempt, `${name} comes to an end`).toBeLessThan(ATTEMPTS_MAX)
    }
    this.#check(name)
    await this.#verify(name, bytes)
    await rm(file)
    this.counts.uploads += 1
  }

  /** True when the client has told its user that all is well. */
  async #attempt(client: Client, file: string, name: string, size: number): Promise<boolean> {
    const random = this.#random
    // Anywhere, also before the first byte; and beyond the end, so that nobody is killed.
    const passed = this.#proxy.passed(random.below(size * 1.2) - size * 0.05)
    const child = this.#spawn(client, file, name)
    const ended = once(child, 'close') as Promise<[number | null]>
    const isCut = await Promise.race([ended.then(() => false), passed.then(() => true)])
    if (isCut && random.chance(0.5)) await this.#killServer(child)
    else if (isCut) this.#killClient(child)
    const [code] = await ended
    return code === 0
  }

  #spawn(client: Client, file: string, name: string): ChildProcess {
    const { url } = this.#proxy
    const commands: { readonly [C in Client]: readonly string[] } = {
      curl: [
        'curl',
        '-sS',
        '-C',
        '-',
        '--limit-rate',
        `${RATE}`,
        '-u',
        `${ROOT.key}:${ROOT.secret}`,
        '-T',
        file,
        `${url}/inbox/${name}`,
      ],
      lftp: [
        ...['lftp', '-u', `${ROOT.key},${ROOT.secret}`, '-e'],
        `set cmd:fail-exit yes; set net:max-retries 1; set net:limit-rate 0:${RATE}; put -c ${file} -o /inbox/${name}; bye`,
        url,
      ],
    }
    const [command = '', ...args] = commands[client]
    this.counts.attempts += 1
    return spawn(command, args, { stdio: 'ignore' })
  }

  /** Stopped first, so that what it has taken can be counted; and it takes nothing more then. */
  async #killServer(child: ChildProcess): Promise<void> {
    this.#server.signal('SIGSTOP')
    this.#proxy.look()
    await this.#server.kill()
    child.kill('SIGKILL') // lftp would try again by itself, from the beginning and without asking.
    this.#proxy.cut()
    this.counts.serverKills += 1
    this.#server = await start(this.#folder)
    this.#proxy.target = this.#server.host('ftp')
  }

  #killClient(process: ChildProcess): void {
    process.kill('SIGKILL')
    this.counts.clientKills += 1
  }

  /** No byte is asked for that was told to be there, and of what was there, not more than may be lost. */
  #check(name: string): void {
    const { attempts, told } = this.#proxy
    for (let i = 1; i < told.length; i++)
      expect(told[i], `${name}: what was told stays (${told.join()})`).toBeGreaterThanOrEqual(told[i - 1]!)
    const last = attempts.at(-1)
    const before = attempts.at(-2)
    if (!last) return
    expect(last.start, `${name}: goes on where it was told to`).toBeGreaterThanOrEqual(last.told)
    if (!before) return
    const reached = before.start + before.taken
    expect(last.start, `${name}: ${before.command} had come to ${reached}`).toBeGreaterThanOrEqual(
      reached - LOST_BYTES_MAX - BUFFERED_BYTES_MAX,
    )
    before.taken = 0 // Looked at once.
    this.counts.sentAgain += Math.max(0, reached - last.start)
    this.counts.sentAgainMost = Math.max(this.counts.sentAgainMost, reached - last.start)
  }

  async #verify(name: string, bytes: Buffer): Promise<void> {
    const headers = { authorization: rootAuthorization }
    const url = `${this.#server.address('http')}/v1/objects/inbox/${name}`
    const response = await fetch(url, { headers })
    expect(response.status, name).toBe(200)
    expect(sha256(Buffer.from(await response.arrayBuffer())), `${name} is whole`).toBe(sha256(bytes))
    const removed = await fetch(url, { method: 'DELETE', headers })
    expect(removed.status).toBe(204)
  }
}

const start = (folder: string) => Server.start(folder, ['--pool-bytes', '512MiB'], rootEnvironment)

/** Bytes that only this name has, no two pieces of them alike. */
function content(name: string, size: number): Buffer {
  const key = createHash('sha256').update(name).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
