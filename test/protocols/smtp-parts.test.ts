import { describe, expect, test } from 'vitest'
import { content, email } from '../../filters/index.ts'
import { KEY_BYTES_MAX as FILTER_KEY_BYTES_MAX, partKey } from '../../filters/mail-parts.ts'
import { Networks, RouteTable, type SenderVerifier } from '../../protocols/index.ts'
import { unreadable } from '../../protocols/senders/verdicts.ts'
import { envelopesOf } from '../../protocols/smtp/envelope.ts'
import { partBounds } from '../../protocols/smtp/options.ts'
import { type Attributes, type EmailFacts, type Envelope, KEY_BYTES_MAX, type OpenStore } from '../../streams/index.ts'
import { playStory } from '../support/crash-story.ts'
import { ODD_MAILS } from '../support/odd-mails.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { mailer, noon, openDoor } from '../support/smtp-door.ts'
import { blockPool, type HarnessOptions, openHarness, origin, recordsOf, refusal } from '../support/store-harness.ts'

const stages: HarnessOptions = { stages: () => [email, content], clock: { now: () => noon } }
const FOLDER = '2025/03/01/01JN8S7QG00000000000000001'
const key = `${FOLDER}.eml`

const message = Buffer.from(
  [
    'From: Ann <ann@example.com>',
    'Subject: scans',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'See below.',
    '--b',
    'Content-Type: application/pdf; name="../scan.pdf"',
    'Content-Disposition: attachment; filename="../scan.pdf"',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from('%PDF-1.4\n').toString('base64'),
    '--b',
    'Content-Type: image/png',
    'Content-Disposition: inline',
    'Content-ID: <logo@x>',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').toString('base64'),
    '--b--',
    '',
  ].join('\r\n'),
)

async function objectsOf(
  store: OpenStore,
  bucket = 'inbox',
): Promise<Map<string, { attributes: Attributes; bytes: Buffer }>> {
  const { objects } = await store.list(origin, bucket, { limit: 1000 })
  const read = async (name: string) => {
    const { stat, body } = await store.read(origin, { bucket, key: name })
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    return [name, { attributes: stat.attributes, bytes: Buffer.concat(chunks), object: stat.object }] as const
  }
  return new Map(await Promise.all(objects.map(({ key: name }) => read(name))))
}

function envelopeOf(facts: Partial<EmailFacts> = {}): Envelope<EmailFacts> {
  const all = { type: 'email', mailFrom: 'ann@example.com', rcptTo: ['inbox@x'], helo: 'mx', secure: false } as const
  const parts = { countMax: 10, bytesMax: 1 << 20 }
  return { origin, name: { bucket: 'inbox', key }, facts: { ...all, parts, ...facts }, expected: {}, attributes: {} }
}

/** Stored in pieces of so many bytes. */
async function storeMail(store: OpenStore, bytes: Buffer, facts: Partial<EmailFacts> = {}, length = 1000) {
  const upload = await store.begin(envelopeOf(facts))
  for (let at = 0; at < bytes.length; at += length) await upload.write(bytes.subarray(at, at + length))
  return upload.commit()
}

describe('a mail and its parts', () => {
  test('through the door: each is an object, linked with the others, and the reply tells of the message alone', async () => {
    const { store, pool } = await openHarness(stages)
    await using door = await openDoor({ store, parts: true })
    const client = await SmtpClient.greeted(door.address)
    const reply = await client.message(wireForm(message), 'inbox@cenote.local')
    const objects = await objectsOf(store)
    expect([...objects.keys()]).toEqual([key, `${FOLDER}/2-scan.pdf`, `${FOLDER}/3-part.png`].toSorted())
    const { object } = await store.stat(origin, { bucket: 'inbox', key })
    expect(reply).toBe(`250 2.6.0 Stored object ${object} version ${object}`)
    expect(objects.get(key)!.bytes.equals(message)).toBe(true)
    expect(objects.get(key)!.attributes).toMatchObject({
      'content.type': 'message/rfc822',
      'email.attachment-count': 2,
      'email.attachment-names': ['../scan.pdf', 'part.png'],
      'email.parts': [`${FOLDER}/2-scan.pdf`, `${FOLDER}/3-part.png`],
    })
    expect(objects.get(`${FOLDER}/2-scan.pdf`)!.bytes.toString()).toBe('%PDF-1.4\n')
    expect(objects.get(`${FOLDER}/2-scan.pdf`)!.attributes).toEqual({
      'checksum.sha256': expect.stringMatching(/^[0-9a-f]{64}$/),
      'checksum.crc32c': expect.stringMatching(/^[0-9a-f]{8}$/),
      'content.type': 'application/pdf',
      'content.declared-type': 'application/pdf; name="../scan.pdf"',
      'email.disposition': 'attachment',
      'email.mail-from': 'ada@example.org',
      'email.message': object,
      'email.message-key': key,
      'email.part': '2',
      'email.part-name': '../scan.pdf',
      'network.peer': expect.stringMatching(/^127\.0\.0\.1:/),
      'object.name': '2-scan.pdf',
      'object.size': 9,
    })
    expect(objects.get(`${FOLDER}/3-part.png`)!.attributes).toMatchObject({
      'content.type': 'image/png',
      'email.content-id': 'logo@x',
      'email.disposition': 'inline',
      'email.part': '3',
    })
    const puts = (await recordsOf(pool)).filter(({ record }) => record.operation === 'put')
    expect(puts.map(({ record }) => record.sequence - puts[0]!.record.sequence)).toEqual([0, 1, 2])
  })

  test('what a route holds back is held back with its parts', async () => {
    const { store } = await openHarness(stages)
    const routes = new RouteTable()
    routes.set({
      id: 'held@a.example',
      bucket: 'inbox',
      prefix: 'held/',
      parts: true,
      networks: new Networks([]),
      strangers: { senders: ['*'], unverified: 'quarantine' },
      actor: () => mailer,
    })
    const senders: SenderVerifier = {
      begin: () => ({ write: async () => {}, finish: async () => unreadable, abort: () => {} }),
      close: async () => {},
    }
    await using door = await openDoor({ store, routes, senders, allowedNetworks: { addresses: [], principal: mailer } })
    const client = await SmtpClient.greeted(door.address)
    expect(await client.message(wireForm(message), 'held@a.example')).toMatch(/^250 /)
    const { objects } = await store.list(origin, 'inbox')
    expect(objects.map(({ key }) => key.slice(0, 5))).toEqual(['held/', 'held/', 'held/'])
    for (const { attributes } of objects)
      expect(attributes['quarantine.reason']).toMatch(/^The sender could not be verified/)
  })

  test('without the option there is the message, and what is known of it is the same', async () => {
    const { store } = await openHarness(stages)
    await using door = await openDoor({ store })
    const client = await SmtpClient.greeted(door.address)
    await client.message(wireForm(message), 'inbox@cenote.local')
    const objects = await objectsOf(store)
    expect([...objects.keys()]).toEqual([key])
    expect(objects.get(key)!.attributes).toMatchObject({ 'email.attachment-count': 2 })
    expect(objects.get(key)!.attributes).not.toHaveProperty('email.parts')
  })

  test('of a message to two buckets each bucket has its own', async () => {
    const { store } = await openHarness(stages)
    await store.createBucket(origin, 'archive')
    await using door = await openDoor({ store, parts: true })
    const client = await SmtpClient.greeted(door.address)
    const reply = await client.message(wireForm(message), 'inbox@cenote.local', 'archive@cenote.local')
    expect(reply).toMatch(/^250 2\.6\.0 Stored object \d{16} version \d{16}, object \d{16} version \d{16}$/)
    for (const bucket of ['inbox', 'archive']) {
      const { objects } = await store.list(origin, bucket)
      expect(objects.map((found) => found.key.slice(FOLDER.length))).toEqual(['.eml', '/2-scan.pdf', '/3-part.png'])
      const [mail, ...parts] = objects
      for (const part of parts) expect(part.attributes['email.message']).toBe(mail!.object)
    }
  })

  test('are in none when the commit is refused', async () => {
    const { store } = await openHarness({ ...stages, limits: { changesMax: 2 } })
    await expect(storeMail(store, message)).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
    expect((await objectsOf(store)).size).toBe(0)
    expect(store.status.uploadsOpen).toBe(0)
  })

  test.each(ODD_MAILS.filter(({ bytes }) => bytes.length < 20_000))(
    'of $name have names that can be keys',
    async ({ bytes }) => {
      const { store } = await openHarness(stages)
      await storeMail(store, bytes, {}, 777)
      const objects = await objectsOf(store)
      const { attributes, bytes: stored } = objects.get(key)!
      expect(stored.equals(bytes)).toBe(true)
      const parts = (attributes['email.parts'] as string[] | undefined) ?? []
      expect([...objects.keys()].toSorted()).toEqual([key, ...parts].toSorted())
      for (const part of parts) expect(part).toMatch(/^[^/]+\/[^/]+\/[^/]+\/[^/]+\/[\d.]+-[^/\\\p{Cc}\p{Cf}]+$/u)
    },
  )

  test('a part that is too large is not there, and neither is what comes behind it; nothing is left of it', async () => {
    for (const pool of [undefined, await blockPool()]) {
      const { store, pool: used } = await openHarness({ ...stages, ...(pool && { pool }) })
      const bytes = Buffer.from(
        message
          .toString()
          .replace('image/png', `image/png; x=1`)
          .replace(/iVBOR.*/, 'QUJD'.repeat(200_000)),
      )
      await storeMail(store, bytes, { parts: { countMax: 10, bytesMax: 300_000 } }, 60_000)
      const objects = await objectsOf(store)
      expect([...objects.keys()]).toEqual([key, `${FOLDER}/2-scan.pdf`].toSorted())
      expect(objects.get(key)!.attributes).toMatchObject({
        'email.parts': [`${FOLDER}/2-scan.pdf`],
        'email.findings': ['parts-too-large'],
      })
      expect(used.status().stagedBytes).toBe(0)
      expect((await used.check()).findings).toEqual([])
    }
  })

  test('many small ones fit a transaction of the real pool', async () => {
    const { store } = await openHarness({ ...stages, pool: await blockPool() })
    const part = `--b\r\nContent-Type: application/x-a\r\n\r\n${'x'.repeat(30_000)}\r\n`
    const bytes = Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${part.repeat(100)}--b--\r\n`)
    await storeMail(store, bytes, { parts: partBounds }, 65_536)
    const objects = await objectsOf(store)
    expect(objects.size).toBe(101)
    for (const [name, { bytes: stored }] of objects) if (name !== key) expect(stored.length).toBe(30_000)
  })
})

test('the keys of parts are as long as keys may be, at the most', () => {
  expect(FILTER_KEY_BYTES_MAX).toBe(KEY_BYTES_MAX)
  const part = {
    number: '1.2',
    mediaType: '',
    declaredType: '',
    name: `${'x'.repeat(300)}.pdf`,
    contentId: '',
  } as const
  const long = `${'y'.repeat(900)}.eml`
  const of = (message: string) => Buffer.byteLength(partKey({ ...part, message, disposition: '' }))
  expect(of(long)).toBe(KEY_BYTES_MAX)
  expect(of(key)).toBe(FOLDER.length + 1 + 255)
})

test('buckets share the parts that a message may have', () => {
  const session = {
    envelope: { mailFrom: { address: 'a@b' }, rcptTo: [] },
    hostNameAppearsAs: 'x',
    secure: false,
  } as never
  const { principal } = origin
  const recipient = (bucket: string, parts: boolean) =>
    ({ bucket, prefix: '', address: `${bucket}@x`, parts, principal, isStranger: false }) as const
  const recipients = (count: number, parts: boolean) =>
    Array.from({ length: count }, (_, index) => recipient(`b${index}`, parts))
  const partsOf = (...those: ReturnType<typeof recipients>) =>
    envelopesOf(session, those, key).map(({ facts }) => facts.parts?.countMax)
  expect(partsOf(...recipients(1, true))).toEqual([partBounds.countMax])
  expect(partsOf(...recipients(3, true))).toEqual([85, 85, 85])
  expect(partsOf(...recipients(2, false))).toEqual([undefined, undefined])
  expect(partsOf(recipient('one', true), ...recipients(1, false))).toEqual([256, undefined])
})

test('whenever power fails, the message and its parts are there together, or none of them is', async () => {
  const outcomes = new Set<number>()
  const large = Buffer.from(message.toString().replace('See below.', 'See below. '.repeat(100)))
  const states = await playStory({
    tuning: { transactionBytesMax: 7000, groupBytesMax: 7000 },
    before: async (pool) => {
      await openHarness({ ...stages, pool })
    },
    during: async (pool, acknowledged) => {
      const { store } = await openHarness({ ...stages, pool })
      await storeMail(store, large, {}, 300)
      acknowledged(pool.position.sequence)
    },
    after: async (pool, acknowledged) => {
      const { store } = await openHarness({ ...stages, pool })
      const objects = await objectsOf(store)
      outcomes.add(objects.size)
      expect(pool.position.sequence).toBeGreaterThanOrEqual(acknowledged)
      if (objects.size === 0) return
      expect([...objects.keys()]).toEqual([key, `${FOLDER}/2-scan.pdf`, `${FOLDER}/3-part.png`].toSorted())
      expect(objects.get(key)!.bytes.equals(large)).toBe(true)
    },
  })
  expect(states).toBeGreaterThan(20)
  expect([...outcomes].toSorted()).toEqual([0, 3])
})
