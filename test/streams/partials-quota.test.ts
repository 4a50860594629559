import { expect, test } from 'vitest'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { bytes, bytesOf, envelope, expectSound, name, openPartials, origin, send } from '../support/partial-uploads.ts'
import { named } from '../support/store-harness.ts'

test('what waits for room in a quota while its upload is cut off is no part of it', async () => {
  const catalog = new GatedCatalog()
  const harness = await openPartials({ catalog })
  const { store } = harness
  const bounded = { ...origin, principal: { ...origin.principal, policy: { quotaBytes: 1000 } } }
  const other = await store.partials.begin(envelope(named('other'), bounded))
  await other.write(bytes(600))
  const upload = await store.partials.begin(envelope(name, bounded))
  await upload.write(bytes(300))
  const settle = catalog.shut('settled')
  const ready = catalog.shut('ready')
  const written = upload.write(bytes(200, 300)).catch((error: unknown) => error)
  await new Promise(setImmediate)
  await other.abort()
  const suspended = upload.suspend()
  await new Promise(setImmediate)
  settle()
  await written
  ready()
  await suspended
  const { size } = (await store.partials.find(origin, name))!
  expect(await store.available(bounded)).toBe(1000)
  const again = await store.partials.resume(envelope(name, bounded))
  expect(again.size).toBe(size)
  await send(again, bytes(10, size))
  expect((await bytesOf(harness)).equals(bytes(size + 10))).toBe(true)
  await expectSound(harness)
})

test('what waits for room in a quota while its upload is aborted holds none', async () => {
  const catalog = new GatedCatalog()
  const { store } = await openPartials({ catalog })
  const bounded = { ...origin, principal: { ...origin.principal, policy: { quotaBytes: 1000 } } }
  const other = await store.partials.begin(envelope(named('other'), bounded))
  await other.write(bytes(600))
  const upload = await store.partials.begin(envelope(name, bounded))
  await upload.write(bytes(300))
  const settle = catalog.shut('settled')
  const written = upload.write(bytes(200, 300)).catch((error: unknown) => error)
  await new Promise(setImmediate)
  await other.abort()
  await upload.abort()
  settle()
  await written
  expect(await store.available(bounded)).toBe(1000)
})

/** One that can be made to wait. */
class GatedCatalog extends MemoryCatalog {
  readonly #gates = new Map<string, Promise<void>>()

  /** Until what it returns is called. */
  shut(which: 'settled' | 'ready'): () => void {
    let open = () => {}
    this.#gates.set(which, new Promise((resolve) => (open = resolve)))
    return () => open()
  }

  override async settled(sequence: number): Promise<void> {
    await this.#gates.get('settled')
    return super.settled(sequence)
  }

  override async ready(): Promise<void> {
    await this.#gates.get('ready')
    return super.ready()
  }
}
