/*
 * Records delivered to subscribers of server-sent events: what is there already, what comes meanwhile, and how long after
 * its receipt a record is delivered. Writer and subscribers share one process and the machine with the server.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { printTable } from './table.ts'

const SUBSCRIBERS = [1, 10, 100]
const RECORDS = Number(process.env.BENCH_RECORDS ?? 20_000)
const LATENCIES = Number(process.env.BENCH_LATENCIES ?? 500)
const CHANGES_MAX = 1000
const KEY = 'bench'
const SECRET = 'bench-secret-of-32-characters-00'
const AUTHORIZATION = `Bearer ${KEY}:${SECRET}`

const folder = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
const program = new URL('../server/main.js', import.meta.url).pathname
const doors = ['--http', '127.0.0.1:0', '--ftp', 'off', '--smtp', 'off']
const server = spawn(process.execPath, [program, 'serve', '--data', join(folder, 'data'), ...doors], {
  env: { ...process.env, CENOTE_ROOT_KEY: KEY, CENOTE_ROOT_SECRET: SECRET },
  stdio: ['ignore', 'pipe', 'ignore'],
})
const port = await portOf()
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

async function portOf(): Promise<number> {
  let output = ''
  for await (const chunk of server.stdout) {
    output += String(chunk)
    const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(output)
    if (found) return Number(found[1])
  }
  throw new Error(`the server ended: ${output}`)
}

async function send(method: string, path: string, type: string, body: string): Promise<string> {
  const headers = { authorization: AUTHORIZATION, 'content-type': type, 'content-length': Buffer.byteLength(body) }
  const outgoing = request({ port, host: '127.0.0.1', method, path, headers, agent }).end(body)
  const [answer] = await once(outgoing, 'response')
  for await (const _ of answer);
  if (answer.statusCode >= 300) throw new Error(`${method} ${path} was answered ${answer.statusCode}`)
  return String(answer.headers['stream-next-offset'] ?? '')
}

/** Changes of the attributes of one object, so many records; resolves with the offset after the last one. */
async function write(count: number): Promise<string> {
  let offset = ''
  for (let left = count; left > 0; left -= CHANGES_MAX) {
    const changes = Array.from({ length: Math.min(left, CHANGES_MAX) }, (_, n) => ({ set: { 'user.n': n } }))
    offset = await send('POST', '/v1/streams/records/inbox/a', 'application/json', JSON.stringify(changes))
  }
  return offset
}

/** One subscriber. It looks for offsets in what comes, and for nothing else, so that it costs little. */
class Subscriber {
  readonly #socket: Socket
  #end = ''
  /** Offsets that it was told, and when. */
  #told: { readonly offset: string; readonly time: number }[] = []
  #awaited: { readonly offset: string; readonly resolve: (time: number) => void } | undefined

  constructor(offset: string) {
    this.#socket = connect(port, '127.0.0.1')
    const target = `/v1/streams/records?offset=${offset}&live=sse`
    this.#socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${AUTHORIZATION}\r\n\r\n`)
    this.#socket.on('data', (chunk) => this.#look(chunk.toString('latin1')))
  }

  /** Resolves with the time when it was told to go on after `offset`, or after a later one. */
  reached(offset: string): Promise<number> {
    return new Promise((resolve) => {
      this.#awaited = { offset, resolve }
      this.#tell()
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #look(text: string): void {
    const seen = this.#end + text
    const time = performance.now()
    for (const [, offset = ''] of seen.matchAll(/streamNextOffset":"(\d{16})"/g)) this.#told.push({ offset, time })
    this.#end = seen.slice(seen.lastIndexOf('\n') + 1)
    this.#tell()
  }

  #tell(): void {
    const { offset, resolve } = this.#awaited ?? {}
    const index = offset === undefined ? -1 : this.#told.findIndex((told) => told.offset >= offset)
    if (index < 0) return
    const { time } = this.#told[index]!
    this.#told = this.#told.slice(index)
    this.#awaited = undefined
    resolve?.(time)
  }
}

async function catchUp(subscribers: number, end: string): Promise<number> {
  const start = performance.now()
  const all = Array.from({ length: subscribers }, () => new Subscriber('-1'))
  await Promise.all(all.map((subscriber) => subscriber.reached(end)))
  const seconds = (performance.now() - start) / 1000
  for (const subscriber of all) subscriber.close()
  return (subscribers * Number(end)) / seconds
}

/** The rate at which they are delivered, and that at which they are written meanwhile. */
async function live(subscribers: number, from: string): Promise<readonly [delivered: number, written: number]> {
  const all = Array.from({ length: subscribers }, () => new Subscriber('now'))
  await Promise.all(all.map((subscriber) => subscriber.reached(from)))
  const start = performance.now()
  const end = await write(RECORDS)
  const written = (performance.now() - start) / 1000
  await Promise.all(all.map((subscriber) => subscriber.reached(end)))
  const delivered = (performance.now() - start) / 1000
  for (const subscriber of all) subscriber.close()
  return [(subscribers * RECORDS) / delivered, RECORDS / written]
}

/** Milliseconds from a receipt to the delivery of its record; below zero when that came first. */
async function latencies(subscribers: number, from: string): Promise<readonly number[]> {
  const all = Array.from({ length: subscribers }, () => new Subscriber('now'))
  await Promise.all(all.map((subscriber) => subscriber.reached(from)))
  const times: number[] = []
  for (let count = 0; count < LATENCIES; count++) {
    const next = await send('POST', '/v1/streams/records/inbox/a', 'application/json', '{"set":{"user.n":1}}')
    const receipt = performance.now()
    times.push(Math.max(...(await Promise.all(all.map((subscriber) => subscriber.reached(next))))) - receipt)
  }
  for (const subscriber of all) subscriber.close()
  return times.sort((one, other) => one - other)
}

const at = (sorted: readonly number[], part: number): string =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!.toFixed(2)

try {
  await send('PUT', '/v1/objects/inbox/a', 'text/plain', 'a')
  const rows: string[][] = []
  for (const subscribers of SUBSCRIBERS) {
    const [delivered, written] = await live(subscribers, await write(1))
    const caughtUp = await catchUp(subscribers, await write(1))
    const times = await latencies(subscribers, await write(1))
    rows.push([
      ...[String(subscribers), caughtUp.toFixed(0), delivered.toFixed(0), written.toFixed(0)],
      ...[at(times, 0.5), at(times, 0.99)],
    ])
  }
  console.log(`${RECORDS} records written live; latency from receipt to the last subscriber, of ${LATENCIES} records`)
  printTable(['subscribers', 'catch-up records/s', 'live records/s', 'written/s', 'latency p50 ms', 'p99 ms'], rows)
} finally {
  agent.destroy()
  server.kill('SIGTERM')
  await once(server, 'exit')
  await rm(folder, { recursive: true, force: true })
}
