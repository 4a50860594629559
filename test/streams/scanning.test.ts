import { describe, expect, test } from 'vitest'
import { content } from '../../filters/index.ts'
import type { Attributes, OpenStore, Origin, Scanned, ScanOutcome, ScanPolicy, Upload } from '../../streams/index.ts'
import { SCAN_REASON_BYTES_MAX } from '../../streams/scanning/scan-reason.ts'
import { clean, FakeScanner, refused, scanningBy } from '../support/fake-scanner.ts'
import {
  ALL,
  envelopeOf,
  gate,
  type HarnessOptions,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  readText,
  recordsOf,
  refusal,
  turn,
} from '../support/store-harness.ts'
import { STORES, sha256 } from '../support/stores.ts'

const time = '2023-11-14T22:13:20.000Z'
const unknown = (reason: string): ScanOutcome => ({ verdict: 'unknown', reason })
const never = () => new Promise<ScanOutcome>(() => {})

function heldTo(scan: ScanPolicy): Origin {
  return { ...origin, principal: { application: 'tester', partition: 'main', permissions: ALL, policy: { scan } } }
}

async function begun(store: OpenStore, key: string, text: string, from = origin): Promise<Upload> {
  const upload = await store.begin({ ...envelopeOf(named(key)), origin: from })
  await upload.write(Buffer.from(text))
  return upload
}

const store = async (text: string, open: OpenStore, from = origin, key = 'a') =>
  (await begun(open, key, text, from)).commit()

async function scanOf(store: OpenStore, key = 'a'): Promise<Attributes> {
  const { attributes } = await store.stat(origin, named(key))
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => /^(scan|quarantine)\./.test(name)))
}

const expectNothing = async ({ store }: { store: OpenStore }) => {
  expect((await store.list(origin, 'inbox')).objects).toEqual([])
  expect(store.status.uploadsOpen).toBe(0)
}

describe.each(STORES)('with %s', (_what, openPool, openCatalog) => {
  const open = async (options: HarnessOptions) =>
    openHarness({ catalog: await openCatalog(), pool: await openPool(), stages: () => [content], ...options })

  test.each([10, 200_000])('a scanner sees the %d bytes of an upload, and what it is', async (length) => {
    const scanner = new FakeScanner()
    const { store } = await open({ scanning: scanningBy(scanner).scanning })
    const text = 'plain text'.repeat(length / 10)
    await putText(store, named('dir/a'), text, { attributes: { 'content.type': 'image/png' } })
    expect(scanner.seen).toEqual([
      {
        text,
        subject: { origin, name: named('dir/a'), size: length, sha256: sha256(text), contentType: 'text/plain' },
      },
    ])
    expect(await readText(store, named('dir/a'))).toBe(text)
    expect(await scanOf(store, 'dir/a')).toEqual({
      'scan.verdict': 'clean',
      'scan.time': time,
      'scan.scanner': 'scanner.test',
    })
  })

  test('what it refuses is stored by nobody, with its reason', async () => {
    const scanner = new FakeScanner((text) => (text.includes('virus') ? refused('Eicar') : clean))
    const harness = await open({ scanning: scanningBy(scanner).scanning })
    const commit = store('a virus', harness.store)
    await expect(commit).rejects.toMatchObject({ ...refusal('ERR_REFUSED'), message: 'a scanner refused it: Eicar' })
    await expectNothing(harness)
    await store('none', harness.store)
    expect(harness.pool.status().stagedBytes).toBe(0)
  })

  test('nothing is visible while it thinks, and what it lets pass is there afterwards', async () => {
    const { open: answer, opened } = gate()
    const scanner = new FakeScanner(async () => {
      await opened
      return clean
    })
    const harness = await open({ scanning: scanningBy(scanner).scanning })
    const commit = store('x', harness.store)
    await scanner.asked(1)
    expect((await harness.store.list(origin, 'inbox')).objects).toEqual([])
    expect(await recordsOf(harness.pool)).toHaveLength(1)
    answer()
    await commit
    expect(await readText(harness.store, named('a'))).toBe('x')
  })

  test('a partial upload is scanned as a whole when it ends, and what is durable of it goes when it is refused', async () => {
    const scanner = new FakeScanner((text) => (text.endsWith('virus') ? refused('Eicar') : clean))
    const harness = await open({ scanning: scanningBy(scanner).scanning, limits: { prepareBytes: 64 << 10 } })
    const { partials } = harness.store
    const half = await partials.begin(envelopeOf(named('a')))
    await half.write(Buffer.alloc(100_000, 'a'))
    await half.suspend()
    const upload = await partials.resume(envelopeOf(named('a')))
    expect(upload.size).toBe(99_999)
    await upload.write(Buffer.from('avirus'))
    expect(scanner.seen).toHaveLength(0)
    await expect(upload.commit()).rejects.toMatchObject(refusal('ERR_REFUSED'))
    expect(scanner.seen.map(({ text }) => text)).toEqual([`${'a'.repeat(100_000)}virus`])
    expect(await partials.find(origin, named('a'))).toBeUndefined()
    await expectNothing(harness)
  })

  test('a partial upload that could not be scanned can be gone on with', async () => {
    const scanner = new FakeScanner(() => unknown('busy'))
    const { scanning } = scanningBy(scanner, { policy: 'refuse' })
    const { store } = await open({ scanning, limits: { prepareBytes: 64 << 10 } })
    const half = await store.partials.begin(envelopeOf(named('a')))
    await half.write(Buffer.alloc(100_000, 'a'))
    await expect(half.commit()).rejects.toMatchObject(refusal('ERR_BUSY'))
    scanner.judge = () => clean
    const upload = await store.partials.resume(envelopeOf(named('a')))
    expect(upload.size).toBe(65_536)
    await upload.write(Buffer.alloc(100_000 - upload.size, 'a'))
    await upload.commit()
    expect(await readText(store, named('a'))).toBe('a'.repeat(100_000))
  })

  test('what goes on without its answer is whole, however far the scanner had read', async () => {
    const read = gate()
    const scanner = new FakeScanner()
    let reading: AsyncIterator<Uint8Array> | undefined
    scanner.scan = async (_subject, bytes) => {
      reading = bytes[Symbol.asyncIterator]()
      await reading.next()
      read.open()
      return never()
    }
    const { scanning, timers } = scanningBy(scanner)
    const { store: opened, pool } = await open({ scanning })
    const text = 'y'.repeat(300_000)
    const commit = store(text, opened)
    await read.opened
    timers.run(30_000)
    await commit
    expect(await readText(opened, named('a'))).toBe(text)
    expect((await pool.check()).findings).toEqual([])
    await expect(reading!.next()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })
})

describe('a verdict that is unknown', () => {
  const judged = async (
    policy: ScanPolicy,
    options: Parameters<typeof scanningBy>[1] = {},
    judge = () => unknown('no idea'),
  ) => openHarness({ scanning: scanningBy(new FakeScanner(judge), { policy, ...options }).scanning })

  test('is accepted and marked', async () => {
    const { store: opened } = await judged('accept')
    await store('x', opened)
    const asked = { 'scan.time': time, 'scan.scanner': 'scanner.test' }
    expect(await scanOf(opened)).toEqual({ 'scan.verdict': 'unknown', 'scan.reason': 'no idea', ...asked })
    expect(await readText(opened, named('a'))).toBe('x')
  })

  test('quarantines from the first moment on: the put itself says so, and no other record comes', async () => {
    const harness = await judged('quarantine')
    await store('x', harness.store)
    const quarantine = { 'quarantine.reason': 'it was not scanned: no idea', 'quarantine.time': time }
    expect(await scanOf(harness.store)).toMatchObject({ 'scan.verdict': 'unknown', ...quarantine })
    const records = await recordsOf(harness.pool)
    expect(records.map(({ record }) => record.operation)).toEqual(['bucket', 'put'])
    expect(records[1]!.record).toMatchObject({ attributes: quarantine })
    const reader = originOf(['object:read'])
    await expect(harness.store.read(reader, named('a'))).rejects.toMatchObject(refusal('ERR_QUARANTINED'))
  })

  test('is refused, to be tried again, without a word of what is behind the server', async () => {
    const harness = await judged('refuse')
    const commit = store('x', harness.store)
    await expect(commit).rejects.toMatchObject({ ...refusal('ERR_BUSY'), message: 'it could not be scanned' })
    await expectNothing(harness)
  })

  test('is that of what is too large to ask about, which nobody need try again', async () => {
    const limits = { bytesMax: 3 }
    const accepting = await judged('accept', { limits })
    await store('four', accepting.store)
    expect(await scanOf(accepting.store)).toMatchObject({ 'scan.reason': 'it has more than 3 bytes' })
    const refusing = await judged('refuse', { limits }, () => clean)
    const message = 'it was not scanned: it has more than 3 bytes'
    await expect(store('four', refusing.store)).rejects.toMatchObject({ ...refusal('ERR_TOO_LARGE'), message })
    await store('tre', refusing.store)
  })

  test('is that of all that is asked about where there is no scanner', async () => {
    const { store: opened } = await openHarness({ scanning: scanningBy(undefined, { policy: 'off' }).scanning })
    await store('x', opened)
    expect(await scanOf(opened)).toEqual({})
    await expect(store('x', opened, heldTo('refuse'))).rejects.toMatchObject(refusal('ERR_BUSY'))
    await store('x', opened, heldTo('accept'))
    const reason = 'no scanner is configured'
    expect(await scanOf(opened)).toEqual({ 'scan.verdict': 'unknown', 'scan.reason': reason, 'scan.time': time })
  })
})

test("an application's policy counts more than the server's", async () => {
  const scanner = new FakeScanner(() => unknown('no idea'))
  const { store: opened } = await openHarness({ scanning: scanningBy(scanner, { policy: 'refuse' }).scanning })
  await store('x', opened, heldTo('off'))
  expect(scanner.seen).toHaveLength(0)
  expect(await scanOf(opened)).toEqual({})
  await store('x', opened, heldTo('accept'))
  expect(await scanOf(opened)).toMatchObject({ 'scan.verdict': 'unknown' })
  await expect(store('x', opened)).rejects.toMatchObject(refusal('ERR_BUSY'))
})

test('the bytes of several uploads of a transaction are asked about once where they are the same', async () => {
  const scanner = new FakeScanner((text) => (text === 'virus' ? refused('Eicar') : clean))
  const { store: opened } = await openHarness({ scanning: scanningBy(scanner).scanning })
  const put = async (texts: readonly string[]) => {
    const transaction = opened.transaction()
    for (const [index, text] of texts.entries()) {
      const upload = await transaction.begin(envelopeOf(named(String(index))))
      await upload.write(Buffer.from(text))
    }
    return transaction.commit()
  }
  expect(await put(['mail', 'mail', 'other'])).toHaveLength(3)
  expect(scanner.seen.map(({ text }) => text)).toEqual(['mail', 'other'])
  expect(await scanOf(opened, '1')).toMatchObject({ 'scan.verdict': 'clean' })
  await put(['mail'])
  expect(scanner.seen).toHaveLength(3)
  await expect(put(['mail', 'virus'])).rejects.toMatchObject(refusal('ERR_REFUSED'))
  expect((await opened.list(origin, 'inbox')).objects).toHaveLength(3)
})

test('streams and their messages, which are no uploads, are not asked about', async () => {
  const scanner = new FakeScanner(() => refused('all'))
  const { store: opened } = await openHarness({ scanning: scanningBy(scanner).scanning })
  await opened.createStream(origin, named('log'), { contentType: 'application/json', messages: [] })
  expect(scanner.seen).toHaveLength(0)
})

describe('the bound of a question', () => {
  test('is kept, whatever the scanner does, and told', async () => {
    const scanned: Scanned[] = []
    const scanner = new FakeScanner(never)
    const options = { limits: { msMax: 500 }, onScanned: (one: Scanned) => scanned.push(one) }
    const { scanning, timers } = scanningBy(scanner, options)
    const { store: opened } = await openHarness({ scanning })
    const commit = store('x', opened)
    await scanner.asked(1)
    timers.run(499)
    await turn()
    expect(scanned).toEqual([])
    timers.run(1)
    await commit
    expect(await scanOf(opened)).toMatchObject({ 'scan.reason': 'there was no answer within 500 ms' })
    expect(scanned).toMatchObject([{ outcome: { verdict: 'unknown' }, milliseconds: 500 }])
    expect(timers.timers).toBe(0)
  })

  test('holds for the wait as well: so many are asked at once, and the others when it is their turn, or never', async () => {
    const answers: (() => void)[] = []
    const scanner = new FakeScanner(
      (_text, _subject, signal) =>
        new Promise((resolve) => {
          answers.push(() => resolve(clean))
          signal.addEventListener('abort', () => resolve(unknown('aborted')))
        }),
    )
    const { scanning, timers } = scanningBy(scanner, { limits: { concurrentMax: 2, msMax: 500 } })
    const { store: opened } = await openHarness({ scanning })
    const commits = ['a', 'b', 'c', 'd'].map((key) => store(key, opened, origin, key))
    await scanner.asked(2)
    await turn()
    expect(scanner.seen).toHaveLength(2)
    answers[0]!()
    await scanner.asked(3)
    timers.run(500)
    await Promise.all(commits)
    const verdicts = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (key) => (await scanOf(opened, key))['scan.verdict']),
    )
    expect(verdicts).toEqual(['clean', 'unknown', 'unknown', 'unknown'])
    expect(scanner.seen).toHaveLength(3)
    scanner.judge = () => clean
    await store('e', opened, origin, 'e')
    expect(await scanOf(opened, 'e')).toMatchObject({ 'scan.verdict': 'clean' })
    expect(timers.timers).toBe(0)
  })

  test('is one for all uploads of a commit: a mail with many parts waits no longer than one without', async () => {
    const scanner = new FakeScanner(never)
    const { scanning, timers } = scanningBy(scanner, { limits: { msMax: 500 } })
    const { store: opened } = await openHarness({ scanning })
    const transaction = opened.transaction()
    for (const key of ['a', 'b', 'c']) await (await transaction.begin(envelopeOf(named(key)))).write(Buffer.from(key))
    const commit = transaction.commit()
    await scanner.asked(1)
    timers.run(500)
    await commit
    expect(scanner.seen).toHaveLength(1)
    for (const key of ['a', 'b', 'c'])
      expect(await scanOf(opened, key)).toMatchObject({ 'scan.reason': 'there was no answer within 500 ms' })
    expect(timers.timers).toBe(0)
  })

  test('is cut short when the server closes: whoever waits is refused, by any policy, and so is who comes', async () => {
    const scanner = new FakeScanner(never)
    const { scanning } = scanningBy(scanner, { policy: 'accept' })
    const harness = await openHarness({ scanning })
    const later = await begun(harness.store, 'b', 'y')
    const commit = store('x', harness.store)
    await scanner.asked(1)
    scanning.close()
    const closing = { ...refusal('ERR_BUSY'), message: 'it was not scanned: the server is closing' }
    await expect(commit).rejects.toMatchObject(closing)
    await expect(later.commit()).rejects.toMatchObject(closing)
    await expectNothing(harness)
    await harness.store.close()
  })
})

test('a scanner that fails where it must not is a fault of ours, and stores nothing', async () => {
  const scanner = new FakeScanner(async () => {
    throw new Error('a fault')
  })
  const harness = await openHarness({ scanning: scanningBy(scanner).scanning })
  await expect(store('x', harness.store)).rejects.toMatchObject(refusal('ERR_INTERNAL'))
  await expectNothing(harness)
})

test.each([
  ['nothing', '', 'no reason was given'],
  ['white space', ' \r\n\t', 'no reason was given'],
  ['another reply', 'a\r\n250 OK\u0000', 'a 250 OK'],
  ['text that turns around', '\u202eexe.\u2028fdp\ud800', 'exe. fdp'],
  ['any script', 'Grüße, 世界', 'Grüße, 世界'],
  ['a mebibyte', 'x'.repeat(1 << 20), 'x'.repeat(SCAN_REASON_BYTES_MAX)],
  ['what is cut amid a character', `x${'世'.repeat(1000)}`, `x${'世'.repeat(85)}`],
])('of %s a reason is one line of bounded length', async (_what, reason, words) => {
  const { store: opened } = await openHarness({ scanning: scanningBy(new FakeScanner(() => refused(reason))).scanning })
  await expect(store('x', opened)).rejects.toMatchObject({ message: `a scanner refused it: ${words}` })
})

test('bytes are read as they are needed', async () => {
  const scanner = new FakeScanner()
  let chunks = 0
  scanner.scan = async (_subject, bytes) => {
    for await (const _ of bytes) if (++chunks === 2) break
    return refused('seen enough')
  }
  const { store: opened } = await openHarness({ scanning: scanningBy(scanner).scanning })
  const upload = await opened.begin(envelopeOf(named('a')))
  for (let i = 0; i < 10; i++) await upload.write(Buffer.alloc(1000, i))
  await expect(upload.commit()).rejects.toMatchObject(refusal('ERR_REFUSED'))
  expect(chunks).toBe(2)
})
