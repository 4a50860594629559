import { expect } from 'vitest'
import { content, ftp } from '../../filters/index.ts'
import { chooseFormat, MemoryDevice, type Pool } from '../../pool/index.ts'
import {
  type Envelope,
  type ObjectName,
  type OpenStore,
  type Origin,
  type ResumableUpload,
  type Stage,
  verifyStream,
} from '../../streams/index.ts'
import { formatDevice, openDevice } from './single-device.ts'
import {
  type Harness,
  type HarnessOptions,
  levelCatalog,
  named,
  openHarness,
  originOf,
  recordsOf,
} from './store-harness.ts'

/* What the tests of uploads that were cut off share. */

/** Steps of 64 KiB, so that little is enough to come to one. */
export const STEP = 64 << 10
export const origin = originOf()
export const name = named('film')

export const by = (application: string, permissions = origin.principal.permissions): Origin => ({
  ...origin,
  principal: { ...origin.principal, application, permissions },
})

export function envelope(of: ObjectName = name, by: Origin = origin): Envelope {
  return {
    origin: by,
    name: of,
    facts: { type: 'ftp', user: 'tester', path: `/${of.bucket}/${of.key}`, secure: false },
    expected: {},
    attributes: {},
  }
}

/** No two bytes a mebibyte apart are alike. */
export function bytes(length: number, from = 0): Buffer {
  const all = Buffer.alloc(length)
  for (let i = 0; i < length; i++) all[i] = ((from + i) * 31 + ((from + i) >> 8) * 7 + ((from + i) >> 16) * 3) & 255
  return all
}

export const openPartials = (options: HarnessOptions = {}): Promise<Harness> =>
  openHarness({
    ...options,
    stages: ({ facts }) => (facts.type === 'ftp' ? [ftp as Stage, content] : [content]),
    limits: { prepareBytes: STEP, ...options.limits },
  })

/** With one byte more, which is held back. */
export async function cutOff(store: OpenStore, content: Uint8Array, of = name, by = origin): Promise<void> {
  const upload = await store.partials.begin(envelope(of, by))
  await upload.write(content)
  await upload.write(Buffer.from('!'))
  await upload.suspend()
}

export async function send(upload: ResumableUpload, content: Uint8Array) {
  for (let at = 0; at < content.length; at += 10_000) await upload.write(content.subarray(at, at + 10_000))
  return upload.commit()
}

export async function bytesOf({ store }: Harness, of = name): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (await store.read(origin, of)).body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export const operations = async (pool: Pool) => (await recordsOf(pool)).map(({ record }) => record.operation)

export async function expectSound({ pool, store }: Harness): Promise<void> {
  const findings = []
  const custody = { pool, settled: async () => {} }
  for await (const event of verifyStream(custody, {})) if (event.type === 'finding') findings.push(event)
  expect(findings).toEqual([])
  expect((await pool.check()).findings).toEqual([])
  expect(store.status.uploadsOpen).toBe(0)
}

export async function formattedDevice(): Promise<MemoryDevice> {
  const device = new MemoryDevice(64 << 20, 4096)
  await formatDevice(device, chooseFormat(64 << 20), { pool: Buffer.alloc(16, 1), member: Buffer.alloc(16, 2) })
  return device
}

/** What a server finds that starts after another one was killed with what is on its device by now. */
export async function reopened(device: MemoryDevice): Promise<Harness> {
  const killed = new MemoryDevice(device.bytes.length, 4096)
  killed.bytes.set(device.bytes)
  return openPartials({ pool: await openDevice(killed), catalog: await levelCatalog() })
}
