import { expect, test, vi } from 'vitest'
import { content, email } from '../../filters/index.ts'
import { type EmailFacts, openCatalog, type Receipt } from '../../streams/index.ts'
import { RETRY_MS } from '../../streams/recognition.ts'
import { blockPool, type HarnessOptions, levelCatalog, openHarness, origin } from '../support/store-harness.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const facts: EmailFacts = { type: 'email', mailFrom: 'a@x', rcptTo: ['inbox@x', 'b@x'], helo: 'mx', secure: false }
const mail = (id: string, text: string, from = 'ann@x') => `From: ${from}\r\nMessage-ID: <${id}>\r\n\r\n${text}`

let count = 0

async function open(options: Partial<HarnessOptions> = {}) {
  const clock = { time: Date.UTC(2026, 10, 1), now: () => clock.time++ }
  const catalog = options.catalog ?? (await levelCatalog())
  const { store } = await openHarness({ stages: () => [email, content], clock, ...options, catalog })
  await store.createBucket(origin, 'archive')
  const put = async (text: string, envelope: Partial<EmailFacts> = {}, bucket = 'inbox'): Promise<Receipt> => {
    const name = { bucket, key: `${count++}.eml` }
    const all = { ...facts, ...envelope }
    const upload = await store.begin({ origin, name, facts: all, expected: {}, attributes: {} })
    await upload.write(Buffer.from(text))
    return upload.commit()
  }
  const known = async ({ bucket, key }: Receipt) => {
    const { attributes } = await store.stat(origin, { bucket, key })
    return [attributes['email.duplicate-of'], attributes['email.retry-of']]
  }
  return { store, clock, put, known }
}

test('mail of the same author and Message-ID is recorded as a duplicate of the first, and stored', async () => {
  const { put, known } = await open()
  const first = await put(mail('1@x', 'one'))
  const second = await put(mail('1@x', 'two'))
  expect(await known(first)).toEqual([undefined, undefined])
  expect(await known(second)).toEqual([first.object, undefined])
  expect(await known(await put(mail('1@x', 'three')))).toEqual([first.object, undefined])
  expect(await known(await put(mail('1@x', 'four', 'eve@x')))).toEqual([undefined, undefined])
  expect(await known(await put(mail('2@x', 'five')))).toEqual([undefined, undefined])
  expect(await known(await put(mail('1@x', 'six'), {}, 'archive'))).toEqual([undefined, undefined])
})

test('the same bytes in the same envelope are a retry, for a day', async () => {
  const { put, known, clock } = await open()
  const first = await put(mail('1@x', 'one'))
  const recipients = [...facts.rcptTo].reverse()
  expect(await known(await put(mail('1@x', 'one'), { rcptTo: recipients }))).toEqual([first.object, first.object])
  expect(await known(await put(mail('1@x', 'one'), { rcptTo: ['inbox@x'] }))).toEqual([first.object, undefined])
  expect(await known(await put(mail('1@x', 'one'), { mailFrom: '' }))).toEqual([first.object, undefined])
  clock.time += RETRY_MS
  expect(await known(await put(mail('1@x', 'one')))).toEqual([first.object, undefined])
})

test('without a Message-ID the bytes and the envelope alone tell, the null sender included', async () => {
  const { put, known } = await open()
  const first = await put('no header', { mailFrom: '' })
  expect(await known(await put('no header', { mailFrom: '' }))).toEqual([undefined, first.object])
  expect(await known(await put('other', { mailFrom: '' }))).toEqual([undefined, undefined])
})

test('what a Message-ID or an address looks like changes nothing in the question', async () => {
  const { put, known } = await open()
  const odd = 'a"b\\c* AND time:2026 OR (x'
  const first = await put(mail(odd, 'one', '"a\\"b"@x'), { mailFrom: '"q\\"\\\\' })
  expect(await known(first)).toEqual([undefined, undefined])
  const again = await put(mail(odd, 'one', '"a\\"b"@x'), { mailFrom: '"q\\"\\\\' })
  expect(await known(again)).toEqual([first.object, first.object])
})

test('a catalog that cannot be asked keeps no mail out', async () => {
  const catalog = await levelCatalog()
  const { store } = await openHarness({ catalog, stages: () => [email, content] })
  catalog.query = async () => {
    throw new Error('out of order')
  }
  const envelope = { origin, name: { bucket: 'inbox', key: '1.eml' }, facts, expected: {}, attributes: {} }
  const upload = await store.begin(envelope)
  await upload.write(Buffer.from(mail('1@x', 'one')))
  expect((await upload.commit()).size).toBeGreaterThan(0)
})

test('a Message-ID that nobody had is not asked for, once those of before the start are known; one of them always is', async () => {
  const directory = temporaryFolder()
  const pool = await blockPool()
  const before = await openCatalog({ directory })
  const old = await open({ pool, catalog: before })
  const long = `${'x'.repeat(400)}@x`
  const [first, second] = [await old.put(mail('1@x', 'one')), await old.put(mail(long, 'two'))]
  await old.store.close()
  await before.close()

  const catalog = await levelCatalog(directory)
  const asked = vi.spyOn(catalog, 'query')
  const { put, known } = await open({ pool, catalog })
  // At the first question nothing was read, and later all was: the same is known at either time.
  expect(await known(await put(mail('1@x', 'three')))).toEqual([first.object, undefined])
  for (let id = 0; asked.mock.calls.length > 0; id++) {
    asked.mockClear()
    expect(await known(await put(mail(`new-${id}@x`, 'four')))).toEqual([undefined, undefined])
    expect(id, 'the index is read to its end').toBeLessThan(1000)
  }
  expect(await known(await put(mail('1@x', 'five')))).toEqual([first.object, undefined])
  expect(await known(await put(mail(long, 'six')))).toEqual([second.object, undefined])
  expect(await known(await put(mail('new-0@x', 'seven')))).toEqual([expect.any(String), undefined])
})

test('while the index is not whole nothing is certain', async () => {
  const catalog = await levelCatalog()
  await catalog.clear('pool')
  for (let turn = 0; turn < 10; turn++) {
    expect(catalog.lacksMessage('1@x')).toBe(false)
    await catalog.buckets()
  }
  await catalog.makeIndex()
  await catalog.indexed()
  while (!catalog.lacksMessage('1@x')) await catalog.buckets()
})

test('while the index has not all of an object nothing is certain', async () => {
  const catalog = await levelCatalog()
  const { store, put } = await open({ catalog })
  catalog.lacksMessage('1@x')
  while (!catalog.lacksMessage('1@x')) await put(mail('2@x', 'one'))
  const wide = { origin, name: { bucket: 'inbox', key: 'wide' }, facts, expected: {} }
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`user.${at}`, 'x']))
  const upload = await store.begin({ ...wide, attributes: many })
  await upload.commit()
  await store.query(origin, 'user.0 = x')
  expect(catalog.lacksMessage('1@x')).toBe(false)
  await store.remove(origin, wide.name)
  await store.query(origin, 'user.0 = x')
  expect(catalog.lacksMessage('1@x')).toBe(true)
  await catalog.reindex()
  await catalog.indexed()
  expect(catalog.lacksMessage('2@x')).toBe(false)
  expect(catalog.lacksMessage('1@x')).toBe(true)
})
