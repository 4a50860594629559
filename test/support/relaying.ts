import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect } from 'vitest'
import { MailTap, type Moment, moments } from './mail-tap.ts'
import { Postfix } from './postfix.ts'
import type { Random } from './random.ts'
import { rootAuthorization, rootEnvironment, Server } from './server-process.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Message bytes: a note, a page, more than one buffer of anybody, and more than is held in memory before the commit. */
const SIZES = [0, 500, 2000, 6000, 20_000, 60_000, 300_000]
const doors = ['smtp', 'lmtp'] as const
/** Behind a final dot a commit takes some of these. */
const COMMIT_MS = 12

export interface Plan {
  readonly messages: number
  /** Room for all of them, and for those that come again. */
  readonly poolBytes: string
  /** Moments of a kind that come by until the server is killed at one of them, at the most. */
  readonly patienceMax: number
  /** Whether another kill is wanted, after so many. */
  readonly goesOn: (kills: number) => boolean
}

export interface RelayCounts {
  readonly objects: number
  /** Final dots whose reply Postfix never saw. */
  readonly unanswered: number
  readonly kills: { readonly [moment in Moment]: number }
}

interface Message {
  readonly id: string
  readonly recipient: string
  readonly text: string
  readonly digest: string
}

/**
 * A Postfix with a queue of messages relays them, half by SMTP and half by LMTP, into a server that is killed at moments of
 * their delivery, again and again, until none is left in the queue. Resolves once each of them has been found.
 */
export class Relaying implements AsyncDisposable {
  readonly #folder: string
  readonly #random: Random
  readonly #plan: Plan
  readonly #taps: readonly MailTap[]
  readonly #postfix: Postfix
  readonly #kills = { message: 0, end: 0, reply: 0, replied: 0 }
  /** The server that runs is about to be killed. */
  #isDoomed = false

  private constructor(folder: string, random: Random, plan: Plan, taps: readonly MailTap[], postfix: Postfix) {
    this.#folder = folder
    this.#random = random
    this.#plan = plan
    this.#taps = taps
    this.#postfix = postfix
  }

  static async open(folder: string, random: Random, plan: Plan): Promise<Relaying> {
    const listen = '127.0.0.1:0'
    const smtp = { listen, lmtpListen: listen, networks: ['127.0.0.1'], domains: doors.map(domainOf) }
    writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ smtp }))
    const taps = [await MailTap.open(), await MailTap.open()]
    const routes = doors.map((door, at) => `{ ${domainOf(door)} = ${door}:[127.0.0.1]:${taps[at]!.port} }`)
    const settings = [
      `relay_domains = ${doors.map(domainOf).join(', ')}`,
      `transport_maps = inline:{ ${routes.join(', ')} }`,
    ]
    return new Relaying(folder, random, plan, taps, await Postfix.start(temporaryFolder(), settings))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#postfix[Symbol.asyncDispose]()
    for (const tap of this.#taps) await tap[Symbol.asyncDispose]()
  }

  async run(): Promise<RelayCounts> {
    const messages = Array.from({ length: this.#plan.messages }, (_, number) => messageOf(number, this.#random))
    await this.#postfix.take(messages)
    for (;;) {
      await using server = await this.#start()
      await this.#relay(server)
      if (server.hasEnded) continue
      expect(this.#postfix.logged('status=bounced')).toEqual([])
      expect(this.#postfix.logged('status=sent')).toHaveLength(messages.length)
      const unanswered = sum(this.#taps.map((tap) => tap.unanswered))
      return { objects: await objectsOf(server, messages), unanswered, kills: this.#kills }
    }
  }

  #start(): Promise<Server> {
    const args = ['--config', 'cenote.json', '--smtp', '127.0.0.1:0', '--pool-bytes', this.#plan.poolBytes]
    return Server.start(this.#folder, args, rootEnvironment)
  }

  /** Until the server is killed, or the queue is empty. */
  async #relay(server: Server): Promise<void> {
    const isEmpty = () => {
      expect(this.#postfix.refusals).toEqual([])
      return this.#postfix.removed >= this.#plan.messages
    }
    this.#isDoomed = false
    if (!isEmpty() && this.#plan.goesOn(sum(Object.values(this.#kills)))) this.#arm(server)
    for (const [at, tap] of this.#taps.entries()) tap.target = server.host(doors[at]!)
    await this.#postfix.flush()
    await Promise.race([server.ended(), this.#postfix.until(isEmpty)])
    if (this.#isDoomed) await server.ended()
    for (const tap of this.#taps) tap.target = undefined
  }

  #arm(server: Server): void {
    const chosen = this.#random.pick(moments)
    const delayMs = chosen === 'end' ? this.#random.below(COMMIT_MS) : 0
    let patience = 1 + this.#random.below(this.#plan.patienceMax)
    const happened = (moment: Moment) => {
      if (moment !== chosen || patience === 0 || --patience > 0) return true
      this.#kills[chosen] += 1
      this.#isDoomed = true
      if (delayMs === 0) server.signal('SIGKILL')
      else void wait(delayMs).then(() => server.signal('SIGKILL'))
      return chosen !== 'reply'
    }
    for (const tap of this.#taps) tap.happened = happened
  }
}

const domainOf = (door: (typeof doors)[number]): string => `${door}.example.org`

function messageOf(number: number, random: Random): Message {
  const id = `${number}.${random.below(2 ** 32)}@origin.example.org`
  const line = `${sha256(id)}\r\n`
  const body = `${id}\r\n${line.repeat(Math.ceil(random.pick(SIZES) / line.length))}`
  const head = `From: Origin <origin@example.org>\r\nSubject: message ${number}\r\nMessage-ID: <${id}>\r\n\r\n`
  const recipient = `inbox@${domainOf(doors[number % doors.length]!)}`
  return { id, recipient, text: head + body, digest: sha256(body) }
}

/** Each message is there, whole; of one that is there again it is recorded. Resolves with how many objects there are. */
async function objectsOf(server: Server, messages: readonly Message[]): Promise<number> {
  let objects = 0
  for (const { id, digest } of messages) {
    const [first, ...again] = await found(server, id)
    expect(first, `${id} is there`).toBeDefined()
    expect(first!.attributes['email.retry-of'], `${id} came once`).toBeUndefined()
    const earlier = [first!.object]
    for (const { object, attributes } of again) {
      expect(earlier, `${id} came again, and that is known`).toContain(attributes['email.retry-of'])
      earlier.push(object)
    }
    for (const { key } of [first!, ...again]) expect(await bodyDigest(server, key), `${id} is whole`).toBe(digest)
    objects += earlier.length
  }
  expect((await ask(server, '/v1/query?q=email.from:*&limit=1000')).objects).toHaveLength(objects)
  return objects
}

interface Found {
  readonly object: string
  readonly key: string
  readonly attributes: { readonly [name: string]: unknown }
}

/** In the order in which they came. */
async function found(server: Server, id: string): Promise<readonly Found[]> {
  const { objects } = await ask(server, `/v1/query?q=${encodeURIComponent(`email.message-id = "${id}"`)}`)
  return [...objects].sort((one, other) => (one.object < other.object ? -1 : 1))
}

async function ask(server: Server, path: string): Promise<{ readonly objects: readonly Found[] }> {
  return (await (await get(server, path)).json()) as { objects: Found[] }
}

async function bodyDigest(server: Server, key: string): Promise<string> {
  const text = await (await get(server, `/v1/objects/inbox/${key}`)).text()
  return sha256(text.slice(text.indexOf('\r\n\r\n') + 4))
}

async function get(server: Server, path: string): Promise<Response> {
  const response = await fetch(server.address('http') + path, { headers: { authorization: rootAuthorization } })
  expect(response.status, path).toBe(200)
  return response
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
