import { describe, expect, onTestFinished, test } from 'vitest'
import { smtpFrontend } from '../../protocols/index.ts'
import type { BucketChange, OpenStore, Principal } from '../../streams/index.ts'
import { EARLY_BYTES_MIN } from '../../streams/versions/early-lock.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { openDoor as openFtp } from '../support/ftp-door.ts'
import { call, callJson } from '../support/http-client.ts'
import { openDoor as openHttp } from '../support/http-door.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { doorOptions } from '../support/smtp-door.ts'
import { envelopeOf, named, openHarness, origin, putText, readText, refusal } from '../support/store-harness.ts'

/* What is retained or held is refused at each door, in its own words, and stays as it is. */

const DAY_MS = 86_400_000
const START = 1_700_000_000_000
const until = new Date(START + DAY_MS).toISOString()
const retained = `inbox/a is retained until ${until}`

/** A store with the object inbox/a, retained for a day, and inbox/b, which is free; the bucket keeps no versions. */
async function openStore(change?: BucketChange): Promise<OpenStore> {
  const { store } = await openHarness({ clock: { now: () => START } })
  if (change) await store.versions.configure(origin, 'inbox', change)
  for (const key of ['a', 'b']) await putText(store, named(key), key)
  await store.versions.retain(origin, named('a'), START + DAY_MS)
  return store
}

/** Nothing has changed. */
async function expectUntouched(store: OpenStore): Promise<void> {
  expect(await readText(store, named('a'))).toBe('a')
  expect(await readText(store, named('b'))).toBe('b')
  const { objects } = await store.list(origin, 'inbox')
  expect(objects.map(({ key }) => key)).toEqual(['a', 'b'])
}

describe('HTTP', () => {
  async function open(store: OpenStore): Promise<number> {
    const door = await openHttp({ store, versions: store.versions })
    onTestFinished(() => door.frontend.close())
    return door.port
  }
  const name = (key: string) => ({ bucket: 'inbox', key })

  test.each<[string, string, string, object?]>([
    ['a put over it', 'PUT', '/v1/objects/inbox/a'],
    ['its removal', 'DELETE', '/v1/objects/inbox/a'],
    ['the removal of its version', 'DELETE', '/v1/objects/inbox/a?version=0000000000000002'],
    ['a rename of it', 'POST', '/v1/rename', { from: name('a'), to: name('c') }],
    ['a rename onto it', 'POST', '/v1/rename', { from: name('b'), to: name('a') }],
  ])('refuses %s', async (_what, method, path, content) => {
    const store = await openStore()
    const answer = await callJson(await open(store), method, path, content)
    expect(answer.status).toBe(423)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(answer.json).toMatchObject({ code: 'ERR_LOCKED', title: 'Locked', detail: retained })
    await expectUntouched(store)
  })

  test('refuses a retention that would end sooner, and lets it grow', async () => {
    const store = await openStore()
    const port = await open(store)
    const sooner = await callJson(port, 'PATCH', '/v1/retention/inbox/a', { until: '2023-11-15T00:00:00Z' })
    expect(sooner).toMatchObject({ status: 423, json: { code: 'ERR_LOCKED' } })
    const later = await callJson(port, 'PATCH', '/v1/retention/inbox/a', { until: '2024-01-01' })
    expect(later.status).toBe(204)
    expect((await store.stat(origin, named('a'))).attributes['retention.until']).toBe('2024-01-01T00:00:00.000Z')
  })

  test.each(['2030-02-30', '2030-02-30T10:00:00Z', '2030-04-31T23:00+02:00', '2030-13-01', '2030-1-1', 'tomorrow'])(
    'refuses a retention until %s, which is no time',
    async (until) => {
      const store = await openStore()
      const answer = await callJson(await open(store), 'PATCH', '/v1/retention/inbox/b', { until })
      expect(answer).toMatchObject({ status: 400, json: { code: 'ERR_INVALID' } })
      expect((await store.stat(origin, named('b'))).attributes).not.toHaveProperty('retention.until')
    },
  )

  test('refuses retention and hold to who may only write', async () => {
    const store = await openStore()
    const port = await open(store)
    for (const content of [{ until: '2024-01-01' }, { hold: true }]) {
      const answer = await callJson(port, 'PATCH', '/v1/retention/inbox/b', content, 'Bearer reader:open sesame')
      expect(answer.status).toBe(403)
    }
    const answer = await callJson(
      port,
      'PATCH',
      '/v1/buckets/inbox',
      { versioning: 'enabled' },
      'Bearer reader:open sesame',
    )
    expect(answer.status).toBe(403)
  })
})

test('HTTP retains nothing for who may retain, and asks for a hold too, which it may not', async () => {
  const { store } = await openHarness({ clock: { now: () => START } })
  await putText(store, named('a'), 'a')
  const principal: Principal = { application: 'clerk', partition: 'main', permissions: ['object:retain'] }
  const door = await openHttp({ store, versions: store.versions, access: { verify: async () => principal } })
  onTestFinished(() => door.frontend.close())
  const answer = await callJson(door.port, 'PATCH', '/v1/retention/inbox/a', { until: '2030-01-01', hold: true })
  expect(answer.status).toBe(403)
  expect((await store.stat(origin, named('a'))).attributes).not.toHaveProperty('retention.until')
})

describe('FTP', () => {
  async function open(store: OpenStore): Promise<FtpClient> {
    const door = await openFtp({ store })
    onTestFinished(() => door.frontend.close())
    return FtpClient.loggedIn(door.address)
  }

  test('refuses STOR over it, DELE, and RNTO from it and onto it', async () => {
    const store = await openStore()
    const client = await open(store)
    await expect(client.upload('inbox/a', 'another')).rejects.toThrow(`550 ${retained}`)
    expect(await client.command('DELE inbox/a')).toBe(`550 ${retained}`)
    expect(await client.command('RNFR inbox/a')).toMatch(/^350/)
    expect(await client.command('RNTO inbox/c')).toBe(`550 ${retained}`)
    expect(await client.command('RNFR inbox/b')).toMatch(/^350/)
    expect(await client.command('RNTO inbox/a')).toBe(`550 ${retained}`)
    await expectUntouched(store)
  })

  test('lets all of that happen where versions are kept, but for moving what is locked', async () => {
    const store = await openStore({ versioning: 'enabled' })
    const client = await open(store)
    expect(await client.upload('inbox/a', 'another')).toMatch(/^226/)
    expect(await client.command('RNFR inbox/a')).toMatch(/^350/)
    expect(await client.command('RNTO inbox/c')).toBe(`550 ${retained}`)
    expect(await client.command('DELE inbox/a')).toMatch(/^250/)
    const { versions } = await store.versions.listVersions(origin, 'inbox', { prefix: 'a' })
    expect(versions.map(({ state }) => state)).toEqual(['marker', 'noncurrent', 'noncurrent'])
  })

  test('refuses to rename a directory with a locked file in it, all of it', async () => {
    const store = await openStore()
    for (const key of ['d/1', 'd/2']) await putText(store, named(key), key)
    await store.versions.hold(origin, named('d/2'), true)
    const client = await open(store)
    expect(await client.command('RNFR inbox/d')).toMatch(/^350/)
    expect(await client.command('RNTO inbox/e')).toBe('550 inbox/d/2 is under legal hold')
    expect(await readText(store, named('d/1'))).toBe('d/1')
  })
})

describe('an upload', () => {
  const begin = (store: OpenStore, size?: number) =>
    store.begin(envelopeOf(named('a'), size === undefined ? {} : { size }))

  test('that is large, or of no known length, is refused before its first byte', async () => {
    const store = await openStore()
    for (const size of [EARLY_BYTES_MIN, undefined])
      await expect(begin(store, size)).rejects.toMatchObject({ ...refusal('ERR_LOCKED'), message: retained })
    expect(store.status.uploadsOpen).toBe(0)
    await expect(begin(await openStore({ versioning: 'enabled' }))).resolves.toBeDefined()
  })

  test('that is small is refused when it is whole', async () => {
    const store = await openStore()
    const upload = await begin(store, 1)
    await upload.write(Buffer.from('x'))
    await expect(upload.commit()).rejects.toMatchObject({ ...refusal('ERR_LOCKED'), message: retained })
    await expectUntouched(store)
  })

  test('that began before the hold is refused all the same', async () => {
    const store = await openStore()
    const upload = await store.begin(envelopeOf(named('b')))
    await store.versions.hold(origin, named('b'), true)
    await expect(upload.commit()).rejects.toMatchObject(refusal('ERR_LOCKED'))
  })
})

test('SMTP refuses a mail whose key is taken by one that is locked, and asks to try again', async () => {
  const { store } = await openHarness({ clock: { now: () => START } })
  async function deliver(): Promise<string> {
    // The same clock and the same randomness make the same key.
    const frontend = smtpFrontend(doorOptions({ store }))
    await frontend.listen()
    onTestFinished(() => frontend.close())
    const client = await SmtpClient.greeted(frontend.address)
    return client.message(wireForm('Subject: x\r\n\r\ny\r\n'), 'inbox@cenote.local')
  }
  expect(await deliver()).toMatch(/^250/)
  const [mail] = (await store.list(origin, 'inbox')).objects
  await store.versions.hold(origin, mail!, true)
  expect(await deliver()).toBe(`451 4.2.0 inbox/${mail!.key} is under legal hold`)
  await store.versions.hold(origin, mail!, false)
  expect(await deliver()).toMatch(/^250/)
})

describe('a transaction', () => {
  test.each<[string, (store: OpenStore) => Promise<unknown>]>([
    ['of many renames', (store) => store.renamePrefix(origin, named('d/'), named('e/'))],
    [
      'that removes one that is locked',
      async (store) => {
        const transaction = store.transaction()
        await transaction.remove(origin, named('d/1'))
        await transaction.remove(origin, named('d/2'))
        await transaction.commit()
      },
    ],
  ])('%s is refused as a whole', async (_what, act) => {
    const store = await openStore()
    for (const key of ['d/1', 'd/2']) await putText(store, named(key), key)
    await store.versions.hold(origin, named('d/2'), true)
    await expect(act(store)).rejects.toMatchObject({
      ...refusal('ERR_LOCKED'),
      message: 'inbox/d/2 is under legal hold',
    })
    for (const key of ['d/1', 'd/2']) expect(await readText(store, named(key))).toBe(key)
  })
})

test('a hold that ends, and a date that passes, free the object', async () => {
  let now = START
  const { store } = await openHarness({ clock: { now: () => now } })
  await putText(store, named('a'), 'a')
  await store.versions.retain(origin, named('a'), START + DAY_MS)
  await store.versions.hold(origin, named('a'), true)
  now += DAY_MS
  await expect(store.remove(origin, named('a'))).rejects.toMatchObject(refusal('ERR_LOCKED'))
  await store.versions.hold(origin, named('a'), false)
  expect(await store.remove(origin, named('a'))).toBe(true)
})

test('a version is read and listed over HTTP, and what the object was', async () => {
  const { store } = await openHarness({ clock: { now: () => START } })
  await using door = await openHttp({ store, versions: store.versions })
  const { port } = door
  const patched = await callJson(port, 'PATCH', '/v1/buckets/inbox', { versioning: 'enabled' })
  expect(patched.json).toEqual({ bucket: 'inbox', versioning: 'enabled' })
  const [first, second] = [await putText(store, named('a ?'), 'one'), await putText(store, named('a ?'), 'three')]
  const path = '/v1/objects/inbox/a%20%3F'
  const old = await call(port, 'GET', `${path}?version=${first.version}`, { headers: { range: 'bytes=1-' } })
  expect([old.status, old.body.toString(), old.headers.etag]).toEqual([206, 'ne', `"${first.digests.sha256}"`])
  const head = await call(port, 'HEAD', `${path}?version=${first.version}`)
  expect([head.status, head.headers['content-length']]).toEqual([200, '3'])
  const matching = await call(port, 'GET', `${path}?version=${first.version}`, {
    headers: { 'if-none-match': `"${first.digests.sha256}"` },
  })
  expect(matching.status).toBe(304)
  const listed = await callJson(port, 'GET', '/v1/versions/inbox?limit=1')
  expect(listed.json).toMatchObject({ bucket: 'inbox', versions: [{ state: 'current', version: second.version }] })
  const rest = await callJson(port, 'GET', `/v1/versions/inbox?cursor=${listed.json.next}`)
  expect(rest.json.versions).toMatchObject([{ state: 'noncurrent', version: first.version, since: START }])
  const past = await callJson(port, 'GET', `/v1/attributes/inbox/a%20%3F?at=${first.sequence}`)
  expect(past.json).toMatchObject({ key: 'a ?', version: first.version, readable: true })
  const now = await callJson(port, 'GET', `/v1/attributes/inbox/a%20%3F?at=${new Date(START).toISOString()}`)
  expect(now.json).toMatchObject({ version: second.version, attributes: { 'object.size': 5 } })
  expect((await call(port, 'DELETE', `${path}?version=${second.version}`)).status).toBe(204)
  expect((await call(port, 'GET', path)).body.toString()).toBe('one')
  expect((await call(port, 'DELETE', `${path}?version=${second.version}`)).status).toBe(404)
})

test.each([
  ['/v1/objects/inbox/a?version=12', 400],
  ['/v1/objects/inbox/a?version=', 400],
  ['/v1/objects/inbox/a?versions=0000000000000002', 400],
  ['/v1/objects/inbox/a?version=0000000000000002&x=1', 400],
  ['/v1/objects/inbox/a?version=0000000000000001', 404],
  ['/v1/objects/inbox/b?version=0000000000000002', 404],
  ['/v1/objects/inbox/a?version=0000000000009999', 404],
  ['/v1/attributes/inbox/a?at=yesterday', 400],
  ['/v1/attributes/inbox/a?at=1', 404],
  ['/v1/attributes/inbox/a?at=2001-01-01', 404],
  ['/v1/attributes/inbox/c?at=9', 404],
  ['/v1/versions/inbox?cursor=none', 400],
  ['/v1/versions/missing', 404],
  ['/v1/buckets/missing', 404],
])('%s is refused', async (path, status) => {
  const store = await openStore()
  await using door = await openHttp({ store, versions: store.versions })
  expect((await call(door.port, 'GET', path)).status).toBe(status)
})
