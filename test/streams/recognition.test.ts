import { expect, test } from 'vitest'
import { content, email } from '../../filters/index.ts'
import type { EmailFacts, Receipt } from '../../streams/index.ts'
import { RETRY_MS } from '../../streams/recognition.ts'
import { levelCatalog, openHarness, origin } from '../support/store-harness.ts'

const facts: EmailFacts = { type: 'email', mailFrom: 'a@x', rcptTo: ['inbox@x', 'b@x'], helo: 'mx', secure: false }
const mail = (id: string, text: string, from = 'ann@x') => `From: ${from}\r\nMessage-ID: <${id}>\r\n\r\n${text}`

async function open() {
  const clock = { time: Date.UTC(2026, 10, 1), now: () => clock.time++ }
  const { store } = await openHarness({ catalog: await levelCatalog(), stages: () => [email, content], clock })
  await store.createBucket(origin, 'archive')
  let count = 0
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
