import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Store } from '../../streams/index.ts'
import { type Medium, MediumDevice } from './crash-device.ts'
import { MemoryCatalog } from './memory-catalog.ts'
import type { Shown } from './recorded-ledger.ts'
import { rootAuthorization, type Server } from './server-process.ts'
import { origin } from './store-harness.ts'

/* What can be seen of the objects in a pool, over HTTP and by the built program's own modules. */

interface Seen {
  readonly key: string
  readonly size: number
  readonly attributes: Readonly<Record<string, unknown>>
}

/** A mail is known by its Message-ID: its key is the server's to choose. */
const nameOf = ({ key, attributes }: Seen): string => (attributes['email.message-id'] as string | undefined) ?? key

/** Bytes and attributes came in one transaction: each of them says the other's digest. */
function holdTogether(seen: Seen, digest: string, length: number): void {
  expect([seen.size, seen.attributes['checksum.sha256']], `${seen.key} is as its attributes say`).toEqual([
    length,
    digest,
  ])
}

/** Lists and reads everything through a running server. */
export async function shownOver(server: Server): Promise<Shown> {
  const shown = new Map<string, string>()
  const http = async (path: string): Promise<Response> => {
    const response = await fetch(`${server.address('http')}${path}`, { headers: { authorization: rootAuthorization } })
    expect([path, response.status]).toEqual([path, 200])
    return response
  }
  const { objects } = (await (await http('/v1/objects/inbox?limit=1000')).json()) as { objects: { key: string }[] }
  for (const { key } of objects) {
    const query = await http(`/v1/query?q=${encodeURIComponent(`object.key = "${key}"`)}`)
    const [seen] = ((await query.json()) as { objects: Seen[] }).objects
    expect(seen, `${key} is found by its name`).toBeDefined()
    const bytes = Buffer.from(await (await http(`/v1/objects/inbox/${encodeURI(key)}`)).arrayBuffer())
    const digest = createHash('sha256').update(bytes).digest('hex')
    holdTogether(seen!, digest, bytes.length)
    shown.set(nameOf(seen!), digest)
  }
  return shown
}

/** What a running server finds when it reads and verifies everything. */
export async function checkedBy(server: Server): Promise<unknown> {
  const headers = { authorization: rootAuthorization }
  return (await fetch(`${server.address('http')}/v1/pools/main/check`, { method: 'POST', headers })).json()
}

/** Lists and reads as far as it can: whatever the server refuses, or breaks off, is left out. */
export async function readableOver(server: Server): Promise<Shown> {
  const readable = new Map<string, string>()
  const get = async (path: string): Promise<Buffer | undefined> => {
    try {
      const response = await fetch(`${server.address('http')}/v1/objects/inbox${path}`, {
        headers: { authorization: rootAuthorization },
      })
      return response.ok ? Buffer.from(await response.arrayBuffer()) : undefined
    } catch {
      return undefined
    }
  }
  const listing = JSON.parse(String((await get('?limit=1000')) ?? '{"objects":[]}')) as { objects: { key: string }[] }
  for (const { key } of listing.objects) {
    const bytes = await get(`/${encodeURI(key)}`)
    if (bytes) readable.set(key, createHash('sha256').update(bytes).digest('hex'))
  }
  return readable
}

type PoolModule = typeof import('../../pool/index.ts')
type StreamsModule = typeof import('../../streams/index.ts')
const built = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href

export interface Opened {
  readonly shown: Shown
  /** How the end of the journal was found. */
  readonly verdict: string
}

/**
 * Recovers the pool on a medium, checks it, lists and reads everything, and closes it: all by the built modules. The
 * catalog is one in memory: a real one would take most of the time, and a server is started on some images, too.
 */
export async function shownOn(medium: Medium): Promise<Opened> {
  const { openDevices } = (await import(built('pool/index.js'))) as PoolModule
  const { openStore } = (await import(built('streams/index.js'))) as StreamsModule
  const pool = await openDevices([new MediumDevice(medium)])
  const store = await openStore({
    pool,
    catalog: new MemoryCatalog(),
    partition: 'main',
    stages: () => [],
    clock: Date,
  })
  try {
    expect((await pool.check()).findings).toEqual([])
    return { shown: await shownIn(store), verdict: pool.status().recovery.verdict }
  } finally {
    await store.close()
    await pool.close()
  }
}

async function shownIn(store: Store): Promise<Shown> {
  const shown = new Map<string, string>()
  for (const stat of (await store.list(origin, 'inbox', { limit: 1000 })).objects) {
    const hash = createHash('sha256')
    let length = 0
    for await (const chunk of (await store.read(origin, stat)).body) {
      hash.update(chunk)
      length += chunk.length
    }
    const digest = hash.digest('hex')
    holdTogether(stat, digest, length)
    shown.set(nameOf(stat), digest)
  }
  return shown
}
