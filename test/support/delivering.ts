import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect } from 'vitest'
import type { AttributeRecord, Subscribed, SubscriptionSummary } from '../../streams/index.ts'
import { type Random, seededRandom } from './random.ts'
import { rootAuthorization, rootEnvironment, Server } from './server-process.ts'
import { type Heard, SubscriberProcess } from './subscriber-process.ts'

const KEYS = ['a', 'b', 'c', 'd', 'e']
const CLIENTS = 3
const ANSWERS_MAX = 12
const KILL_AFTER_MS_MAX = 60

/** Everything is tried again soon, and on and on; what was delivered is noted soon, so that lives do not only repeat. */
const webhooks = {
  networks: ['127.0.0.0/8'],
  backoffMsMin: 10,
  backoffMsMax: 100,
  attemptsMax: 1000,
  timeoutMsMax: 2000,
  noteMsMax: 20,
}

export interface Delivered {
  readonly records: number
  readonly repeated: number
  readonly notes: number
}

/**
 * A server and its subscriber, each killed at random while clients change objects; in the end both are let be until
 * everything was delivered, and what the subscriber heard is held against the records of the pool.
 */
export async function deliverThroughKills(
  folder: string,
  rounds: number,
  seed: number,
  milliseconds = Number.POSITIVE_INFINITY,
): Promise<Delivered> {
  const end = performance.now() + milliseconds
  const random = seededRandom(seed)
  const subscriber = new SubscriberProcess(join(folder, 'heard'))
  await subscriber.start()
  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ webhooks }))
  const start = () => Server.start(folder, ['--config', 'cenote.json', '--pool-bytes', '128MiB'], rootEnvironment)
  let server = await start()
  try {
    const { id } = await json<Subscribed>(server, 'POST', '/v1/subscriptions', {
      url: `http://127.0.0.1:${subscriber.port}/`,
      after: 0,
    })
    for (let round = 0; round < rounds && performance.now() < end; round++) {
      const victim = random.pick(['server', 'subscriber', 'both'] as const)
      await changeUntilKilled(server, random, async () => {
        if (victim !== 'server') await subscriber.kill()
        if (victim !== 'subscriber') await server.kill()
      })
      if (victim !== 'subscriber') server = await start()
      await subscriber.start()
    }
    const { after } = await untilIdle(server, id)
    await server.kill()
    return verify(await recordsIn(folder), subscriber.heard(), id, after)
  } finally {
    await server.kill()
    await subscriber.kill()
  }
}

async function changeUntilKilled(server: Server, random: Random, kill: () => Promise<void>): Promise<void> {
  const answersMax = 1 + random.below(ANSWERS_MAX)
  let answers = 0
  let isKilled = false
  let killing: Promise<void> | undefined
  const killLater = async (): Promise<void> => {
    await wait(random.below(KILL_AFTER_MS_MAX))
    isKilled = true
    await kill()
  }
  const client = async (): Promise<void> => {
    while (!isKilled) {
      if (await change(server, random).catch(() => false)) answers += 1
      if (answers >= answersMax) killing ??= killLater()
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  await killing
}

/** True when it was done: what is not there can be neither changed nor removed. */
async function change(server: Server, random: Random): Promise<boolean> {
  const path = `inbox/${random.pick(KEYS)}`
  const kind = random.next()
  if (kind < 0.5) return (await ask(server, 'PUT', `/v1/objects/${path}`, 'bytes')).ok
  const content = JSON.stringify({ set: { 'user.number': random.below(1000) } })
  if (kind < 0.8) return (await ask(server, 'PATCH', `/v1/attributes/${path}`, content)).ok
  return (await ask(server, 'DELETE', `/v1/objects/${path}`)).ok
}

async function untilIdle(server: Server, id: string): Promise<SubscriptionSummary> {
  for (;;) {
    const summary = await json<SubscriptionSummary>(server, 'GET', `/v1/subscriptions/${id}`)
    expect(summary.deadLetters).toBe(0)
    if (summary.health === 'idle') return summary
  }
}

function ask(server: Server, method: string, path: string, body?: string): Promise<Response> {
  const headers = {
    authorization: rootAuthorization,
    ...(body !== undefined && { 'content-type': 'application/json' }),
  }
  return fetch(`${server.address('http')}${path}`, { method, headers, ...(body !== undefined && { body }) })
}

async function json<T>(server: Server, method: string, path: string, content?: object): Promise<T> {
  const response = await ask(server, method, path, content && JSON.stringify(content))
  expect([path, response.ok]).toEqual([path, true])
  return (await response.json()) as T
}

const built = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href

/** What the pool holds, read without a server. */
async function recordsIn(folder: string): Promise<readonly AttributeRecord[]> {
  const { openPool } = (await import(built('pool/index.js'))) as typeof import('../../pool/index.ts')
  const { decodeRecord } = (await import(built('streams/index.js'))) as typeof import('../../streams/index.ts')
  const pool = await openPool(join(folder, 'cenote-data/pool/main'))
  try {
    const records: AttributeRecord[] = []
    for await (const { content } of pool.replay(1)) records.push(decodeRecord(content))
    return records
  } finally {
    await pool.close()
  }
}

/** Of everything up to `after`: all was heard, nothing invented, each object's first hearing in order and without a gap. */
function verify(records: readonly AttributeRecord[], heard: readonly Heard[], id: string, after: number): Delivered {
  const stored = new Map(records.map((record) => [record.sequence, record]))
  const due = records.filter(({ operation, sequence }) => operation !== 'delivery' && sequence <= after)
  const told = new Set<number>()
  const waiting = new Map<string, number[]>()
  for (const record of due) waiting.set(laneOf(record), [...(waiting.get(laneOf(record)) ?? []), record.sequence])
  for (const { id: message, record } of heard) {
    const { sequence } = record
    expect(message).toBe(`${id}-${String(sequence).padStart(16, '0')}`)
    expect(record, `record ${sequence} as it is stored`).toEqual(visible(stored.get(sequence)))
    if (told.has(sequence)) continue
    told.add(sequence)
    if (sequence <= after) expect(waiting.get(laneOf(record))!.shift(), 'in its order').toBe(sequence)
  }
  expect([...waiting.values()].flat(), 'committed, but never delivered').toEqual([])
  const notes = records.filter(({ operation }) => operation === 'delivery').length
  return { records: due.length, repeated: heard.length - told.size, notes }
}

function laneOf(record: AttributeRecord): string {
  return 'object' in record ? record.object : ''
}

/** Nobody is told how a secret is sealed. */
function visible(record: AttributeRecord | undefined): unknown {
  if (record?.operation !== 'subscription' && record?.operation !== 'application') return record
  if (record.registration === null) return record
  const { secret: _, ...registration } = record.registration
  return { ...record, registration }
}
