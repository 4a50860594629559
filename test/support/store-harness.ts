import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { chooseFormat, isVolumeRecord, MemoryDevice, type Pool, type PoolRecord } from '../../pool/index.ts'
import {
  type AttributeRecord,
  type Attributes,
  type Catalog,
  decodeRecord,
  type Envelope,
  type Expected,
  type ObjectName,
  type OpenStore,
  type Origin,
  openCatalog,
  openStore,
  type Permission,
  type Protocol,
  type Receipt,
  type StoreErrorCode,
  type StoreOptions,
} from '../../streams/index.ts'
import { MemoryCatalog } from './memory-catalog.ts'
import { memoryPool } from './memory-pool.ts'
import { formatDevice, openDevice } from './single-device.ts'

export const ALL: readonly Permission[] = [
  'object:read',
  'object:write',
  'object:retain',
  'object:hold',
  'object:quarantine',
  'bucket:create',
  'bucket:manage',
  'subscription:manage',
  'application:manage',
]

export function originOf(permissions: readonly Permission[] = ALL, protocol: Protocol = 'http'): Origin {
  const principal = { application: 'tester', partition: 'main', permissions }
  return { principal, protocol, peer: '127.0.0.1:4711', request: 'r1' }
}

export const origin = originOf()

export const named = (key: string, bucket = 'inbox'): ObjectName => ({ bucket, key })

export function envelopeOf(name: ObjectName, expected: Expected = {}, attributes: Attributes = {}): Envelope {
  return { origin, name, facts: { type: 'http', method: 'PUT', headers: {} }, expected, attributes }
}

/** A directory of its own for the test that asks, gone when that ends. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cenote-store-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export async function levelCatalog(directory?: string): Promise<Catalog> {
  const catalog = await openCatalog({ directory: directory ?? (await temporaryDirectory()) })
  onTestFinished(() => catalog.close())
  return catalog
}

/** The real pool, on a device in memory. */
export async function blockPool(bytes = 64 << 20): Promise<Pool> {
  const device = new MemoryDevice(bytes, 4096)
  await formatDevice(device, chooseFormat(bytes), { pool: randomBytes(16), member: randomBytes(16) })
  const pool = await openDevice(device)
  onTestFinished(() => pool.close())
  return pool
}

export type HarnessOptions = Partial<StoreOptions>

export interface Harness {
  readonly store: OpenStore
  readonly pool: Pool
  readonly catalog: Catalog
}

/** A store on a pool and a catalog in memory, or on those given, with the bucket `inbox` in it. */
export async function openHarness(options: HarnessOptions = {}): Promise<Harness> {
  const { pool = memoryPool(), catalog = new MemoryCatalog() } = options
  const defaults = { partition: 'main', stages: () => [], clock: tickingClock() }
  const store = await openStore({ ...defaults, ...options, pool, catalog })
  await store.createBucket(origin, 'inbox')
  return { store, pool, catalog }
}

/** One millisecond later each time. */
export function tickingClock(start = 1_700_000_000_000): { now(): number } {
  let time = start
  return { now: () => time++ }
}

export async function putText(
  store: OpenStore,
  name: ObjectName,
  text: string,
  envelope: Partial<Envelope> = {},
): Promise<Receipt> {
  const upload = await store.begin({ ...envelopeOf(name), ...envelope })
  await upload.write(Buffer.from(text))
  return upload.commit()
}

export async function readText(store: OpenStore, name: ObjectName, range?: { offset: number; length: number }) {
  const { body } = await store.read(origin, name, range)
  return textOf(body)
}

export async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** Every attribute record of the pool, in order, with its bytes. */
export async function recordsOf(pool: Pool): Promise<readonly (PoolRecord & { readonly record: AttributeRecord })[]> {
  const records = []
  for await (const stored of pool.replay(1)) {
    if (!isVolumeRecord(stored.content)) records.push({ ...stored, record: decodeRecord(stored.content) })
  }
  return records
}

export const refusal = (code: StoreErrorCode) => ({ name: 'StoreError', code })

/** Lets whatever is due happen. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await turn()
}

/** Something that others wait for until it is opened. */
export function gate() {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}
