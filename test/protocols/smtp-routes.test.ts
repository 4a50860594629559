import { expect, test } from 'vitest'
import { Networks, type SmtpOptions } from '../../protocols/index.ts'
import type { SenderCheck, SenderFacts, SenderVerdict, SenderVerifier } from '../../protocols/senders/contract.ts'
import { addressOf } from '../../protocols/smtp/mailbox.ts'
import { isSender, type MailRoute, patternOf, RouteTable, senderDomainOf } from '../../protocols/smtp/route.ts'
import { type Principal, StoreError, type UnverifiedFate } from '../../streams/index.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { type Door, mailer, mailerSecret, openDoor } from '../support/smtp-door.ts'

const partner: Principal = { application: 'partner', partition: 'main', permissions: ['object:write'] }

function routeOf(id: string, given: Partial<MailRoute> = {}): MailRoute {
  return { id, bucket: 'inbox', prefix: '', networks: new Networks([]), actor: () => partner, ...given }
}

function tableOf(...routes: readonly MailRoute[]): RouteTable {
  const table = new RouteTable()
  for (const route of routes) table.set(route)
  return table
}

const verified: SenderVerdict = {
  fromDomain: 'example.com',
  spf: { result: 'pass', domain: 'example.com', isAligned: true },
  dkim: [{ result: 'pass', domain: 'example.com', selector: 's1', isAligned: true }],
  dmarc: { result: 'pass', policy: 'reject', domain: 'example.com' },
  isVerified: true,
  authenticationResults: 'cenote.local; dmarc=pass',
}
const forged: SenderVerdict = {
  ...verified,
  isVerified: false,
  spf: { result: 'fail', isAligned: false },
  dkim: [],
  dmarc: { result: 'fail' },
}

/** Says what it is told to say, and keeps what it was shown. */
class FakeVerifier implements SenderVerifier {
  verdict: SenderVerdict = verified
  readonly facts: SenderFacts[] = []
  seen = ''
  aborted = 0

  begin(facts: SenderFacts): SenderCheck {
    this.facts.push(facts)
    return {
      write: async (chunk) => {
        this.seen += Buffer.from(chunk).toString('latin1')
      },
      finish: async () => this.verdict,
      abort: () => {
        this.aborted += 1
      },
    }
  }

  async close(): Promise<void> {}
}

const strangers = (unverified: UnverifiedFate = 'reject', senders: readonly string[] = ['example.com']) => ({
  strangers: { senders, unverified },
})

/** A door that knows nobody by the address. */
function openRouted(routes: RouteTable, senders = new FakeVerifier(), options: Partial<SmtpOptions> = {}) {
  const allowedNetworks = { addresses: ['192.0.2.0/24'], principal: mailer }
  return openDoor({ routes, senders, allowedNetworks, ...options })
}

const storedIn = (door: Door) => door.objects().map(({ bucket, key }) => `${bucket}/${key.replace(/[^/]*$/, '')}`)

async function send(door: Door, ...recipients: string[]): Promise<string> {
  const client = await SmtpClient.greeted(door.address)
  return client.message(wireForm('From: Ann <ann@example.com>\r\n\r\nhello\r\n'), ...recipients)
}

test.each([
  ['ann@a.example', 'ann@a.example'],
  ['ANN+Tag@a.example', 'ann+tag@a.example'],
  ['ann+other@a.example', 'ann@a.example'],
  ['ann+@a.example', 'ann@a.example'],
  ['anna@a.example', 'ann*@a.example'],
  ['ann+scan-7@a.example', 'ann+scan*@a.example'],
  ['bob@a.example', '*@a.example'],
  ['@a.example', '*@a.example'],
  ['bob@b.example', undefined],
  ['ann@xn--bcher-kva.example', 'ann@xn--bcher-kva.example'],
  ['ann@Bücher.example', 'ann@xn--bcher-kva.example'],
  [`${'x'.repeat(64)}@a.example`, '*@a.example'],
  [`${'x'.repeat(65)}@a.example`, undefined],
])('of several patterns the one that says most of %s', (address, id) => {
  const ids = ['ann@a.example', 'ann+tag@a.example', 'ann*@a.example', 'ann+scan*@a.example', '*@a.example']
  const table = tableOf(...[...ids, 'ann@xn--bcher-kva.example'].map((one) => routeOf(one)))
  expect(table.find(addressOf(address))?.id).toBe(id)
})

test('a pattern has one form, and what is none is refused', () => {
  expect(patternOf('Ann+*@Bücher.Example')).toBe('ann+*@xn--bcher-kva.example')
  expect(patternOf('*@a.example')).toBe('*@a.example')
  const wrong = [
    '',
    'ann',
    '@a.example',
    'a*b@a.example',
    '**@a.example',
    'a b@a.example',
    'a@',
    'a@*.example',
    'a@b@c',
  ]
  for (const text of [...wrong, 'a\\@a.example', 'a\0@a.example', `${'x'.repeat(65)}@a.example`])
    expect(() => patternOf(text), text).toThrow('is no address of a route')
})

test('a domain of senders is itself, what is below it, or any', () => {
  expect(senderDomainOf('*.Bücher.example')).toBe('*.xn--bcher-kva.example')
  for (const text of ['', '*.', 'a@b', '*a.example', 'a b', '*.*'])
    expect(() => senderDomainOf(text), text).toThrow('is no domain of senders')
  const is = (domain: string, ...senders: string[]) => isSender(domain, senders.map(senderDomainOf))
  expect(is('Example.COM', 'other.example', 'example.com')).toBe(true)
  expect(is('mail.example.com', 'example.com')).toBe(false)
  expect(is('mail.example.com', '*.example.com')).toBe(true)
  expect(is('example.com', '*.example.com')).toBe(false)
  expect(is('notexample.com', '*.example.com')).toBe(false)
  expect(is('anything.example', '*')).toBe(true)
  expect(is('', '*')).toBe(false)
})

test('an application that logs in delivers by any route as itself, and nobody verifies that', async () => {
  const senders = new FakeVerifier()
  const routes = tableOf(routeOf('bills@a.example', { prefix: 'bills/', ...strangers() }))
  await using door = await openRouted(routes, senders)
  const client = await SmtpClient.greeted(door.address)
  const plain = Buffer.from(`\0mailer\0${mailerSecret}`).toString('base64')
  await client.commands(`AUTH PLAIN ${plain}`)
  expect(await client.message(wireForm('hello\r\n'), 'Bills+March@a.example', 'archive@cenote.local')).toMatch(/^250 /)
  expect(storedIn(door)).toEqual(['inbox/bills/2025/03/01/', 'archive/2025/03/01/'])
  const [first, second] = door.objects()
  expect(first?.facts).toMatchObject({ tag: 'march', route: 'bills@a.example', login: 'mailer' })
  expect(second?.facts).not.toHaveProperty('route')
  expect(first?.key.slice('bills/'.length)).toBe(second?.key)
  expect(senders.facts).toEqual([])
})

test('a host of a route delivers as its application, and is not verified', async () => {
  const senders = new FakeVerifier()
  const routes = tableOf(routeOf('*@a.example', { networks: new Networks(['127.0.0.0/8']) }))
  await using door = await openRouted(routes, senders)
  expect(await send(door, 'anybody@a.example')).toMatch(/^250 /)
  expect(door.store.records.at(-1)).toMatchObject({ operation: 'put', application: 'partner' })
  expect(senders.facts).toEqual([])
  const client = await SmtpClient.greeted(door.address)
  await client.commands('MAIL FROM:<ann@example.com>')
  expect(await client.command('RCPT TO:<inbox@cenote.local>')).toBe('530 5.7.0 Authentication required')
})

test('a host of the allowed networks delivers by a route as its application', async () => {
  const routes = tableOf(routeOf('bills@a.example', strangers()))
  const senders = new FakeVerifier()
  const allowedNetworks = { addresses: ['127.0.0.0/8'], principal: mailer }
  await using door = await openRouted(routes, senders, { allowedNetworks })
  expect(await send(door, 'bills@a.example', 'archive@cenote.local')).toMatch(/^250 /)
  expect(door.store.records.map(({ application }) => application)).toEqual(['partner', 'mailer'])
  expect(senders.facts).toEqual([])
})

test('without a route for it the mail of strangers is refused at MAIL, or at RCPT', async () => {
  await using none = await openRouted(tableOf(routeOf('bills@a.example')))
  const client = await SmtpClient.greeted(none.address)
  expect(await client.command('MAIL FROM:<ann@example.com>')).toBe('530 5.7.0 Authentication required')
  const routes = tableOf(routeOf('open@a.example', strangers()), routeOf('closed@a.example'))
  await using door = await openRouted(routes)
  const stranger = await SmtpClient.greeted(door.address)
  await stranger.commands('MAIL FROM:<ann@example.com>', 'RCPT TO:<open@a.example>')
  for (const recipient of ['closed@a.example', 'inbox@cenote.local', 'nowhere@cenote.local'])
    expect(await stranger.command(`RCPT TO:<${recipient}>`)).toBe('530 5.7.0 Authentication required')
  expect(await stranger.command('RCPT TO:<any@else.example>')).toMatch(/^550 5\.1\.1 /)
})

test("a stranger's mail is verified as it comes, and what was found is noted of it", async () => {
  const senders = new FakeVerifier()
  await using door = await openRouted(tableOf(routeOf('bills@a.example', strangers())), senders)
  expect(await send(door, 'bills@a.example')).toMatch(/^250 /)
  const [facts] = senders.facts
  expect(facts).toEqual({
    peer: '127.0.0.1',
    helo: 'client.example',
    mailFrom: 'ada@example.org',
    receiver: 'cenote.local',
  })
  expect(senders.seen).toBe('From: Ann <ann@example.com>\r\n\r\nhello\r\n')
  expect(door.store.records.at(-1)).toMatchObject({
    application: 'partner',
    attributes: {
      'email.verified': true,
      'email.spf': 'pass',
      'email.spf-domain': 'example.com',
      'email.dkim': ['pass example.com s1'],
      'email.dmarc': 'pass',
      'email.dmarc-policy': 'reject',
      'email.authentication-results': 'cenote.local; dmarc=pass',
    },
  })
})

const signed = { ...forged, dkim: [{ result: 'fail', domain: 'x.example', selector: 's', isAligned: false }] } as const
test.each<[what: string, verdict: SenderVerdict, words: string]>([
  ['fails SPF', forged, '550 5.7.23 The sender could not be verified: SPF fail, DKIM none, DMARC fail for example.com'],
  [
    'shows nothing',
    { ...forged, spf: { result: 'none', isAligned: false } },
    '550 5.7.26 The sender could not be verified: SPF none, DKIM none, DMARC fail for example.com',
  ],
  [
    'has a broken signature',
    { ...signed, spf: { result: 'pass', isAligned: false } },
    '550 5.7.20 The sender could not be verified: SPF pass, DKIM fail, DMARC fail for example.com',
  ],
  [
    'fails both',
    signed,
    '550 5.7.26 The sender could not be verified: SPF fail, DKIM fail, DMARC fail for example.com',
  ],
  [
    'has no author',
    { spf: forged.spf, dkim: [], dmarc: { result: 'none' }, isVerified: false, authenticationResults: '' },
    '550 5.7.23 The sender could not be verified: SPF fail, DKIM none, DMARC none for a From that names no domain',
  ],
  [
    'is of somebody else',
    { ...verified, fromDomain: 'else.example' },
    '550 5.7.1 No mail of else.example is taken here',
  ],
  [
    'cannot be judged now',
    { ...verified, trouble: 'no answer' },
    '451 4.4.3 The sender cannot be verified now: no answer',
  ],
])('a route that rejects refuses mail that %s', async (_what, verdict, words) => {
  const senders = new FakeVerifier()
  senders.verdict = verdict
  await using door = await openRouted(tableOf(routeOf('bills@a.example', strangers())), senders)
  const client = await SmtpClient.greeted(door.address)
  expect(await client.message(wireForm('hello\r\n'), 'bills@a.example')).toBe(words)
  expect(door.objects()).toEqual([])
  senders.verdict = verified
  expect(await client.message(wireForm('hello\r\n'), 'bills@a.example')).toMatch(/^250 /)
})

test('a route may keep from its readers what is not verified, another may take it; trouble is put off by all', async () => {
  const senders = new FakeVerifier()
  senders.verdict = forged
  const routes = tableOf(
    routeOf('held@a.example', { prefix: 'held/', ...strangers('quarantine') }),
    routeOf('open@a.example', { prefix: 'open/', ...strangers('accept') }),
    routeOf('strict@a.example', { prefix: 'strict/', ...strangers() }),
  )
  await using door = await openRouted(routes, senders)
  expect(await send(door, 'held@a.example', 'open@a.example')).toMatch(/^250 /)
  const reasons = door.store.records.map((record) =>
    record.operation === 'put' ? record.attributes['quarantine.reason'] : '',
  )
  const why = 'The sender could not be verified: SPF fail, DKIM none, DMARC fail for example.com'
  expect(reasons).toEqual([why, undefined])
  expect(senders.facts).toHaveLength(1)
  expect(await send(door, 'open@a.example', 'strict@a.example')).toMatch(/^550 5\.7\.23 /)
  senders.verdict = { ...verified, trouble: 'SERVFAIL' }
  for (const recipient of ['held@a.example', 'open@a.example'])
    expect(await send(door, recipient)).toMatch(/^451 4\.4\.3 /)
  expect(door.objects()).toHaveLength(2)
})

test('a check is given up with the mail that it is of', async () => {
  const senders = new FakeVerifier()
  const routes = tableOf(routeOf('bills@a.example', strangers()))
  await using door = await openRouted(routes, senders, { limits: { messageBytesMax: 10 } })
  expect(await send(door, 'bills@a.example')).toMatch(/^552 /)
  expect(senders.aborted).toBe(1)
})

test('those who share a folder are dealt with alike, or come alone', async () => {
  const other: Principal = { ...partner, application: 'other' }
  const routes = tableOf(
    routeOf('a@a.example', strangers()),
    routeOf('b@a.example', strangers('accept')),
    routeOf('c@a.example', { prefix: 'c/', ...strangers() }),
    routeOf('d@a.example', { actor: () => other, ...strangers() }),
  )
  await using door = await openRouted(routes)
  const client = await SmtpClient.greeted(door.address)
  await client.commands('MAIL FROM:<ann@example.com>', 'RCPT TO:<a@a.example>', 'RCPT TO:<a+tag@a.example>')
  const apart = '452 4.5.3 Send this recipient a mail of its own: its route has other rules'
  expect(await client.command('RCPT TO:<b@a.example>')).toBe(apart)
  expect(await client.command('RCPT TO:<d@a.example>')).toBe(apart)
  await client.commands('RCPT TO:<c@a.example>', 'DATA')
  client.write(wireForm('hello\r\n'))
  expect(await client.reply()).toMatch(/^250 /)
  expect(storedIn(door)).toEqual(['inbox/2025/03/01/', 'inbox/c/2025/03/01/'])
})

test('a route whose application is gone, or may not send, says so', async () => {
  const forbidden = () => {
    throw new StoreError('ERR_FORBIDDEN', 'application partner may not use email')
  }
  const routes = tableOf(
    routeOf('gone@a.example', { actor: () => undefined, ...strangers() }),
    routeOf('barred@a.example', { actor: forbidden, ...strangers() }),
    routeOf('lost@a.example', { bucket: 'nowhere', ...strangers() }),
  )
  await using door = await openRouted(routes)
  const client = await SmtpClient.greeted(door.address)
  await client.commands('MAIL FROM:<ann@example.com>')
  expect(await client.command('RCPT TO:<gone@a.example>')).toMatch(/^451 4\.3\.5 /)
  expect(await client.command('RCPT TO:<barred@a.example>')).toMatch(
    /^550 5\.7\.1 application partner may not use email$/,
  )
  expect(await client.command('RCPT TO:<lost@a.example>')).toMatch(/^550 5\.1\.1 /)
})

test('a route that goes while its mail comes counts for that mail still', async () => {
  const routes = tableOf(routeOf('bills@a.example', { prefix: 'bills/', ...strangers() }))
  await using door = await openRouted(routes)
  const client = await SmtpClient.greeted(door.address)
  await client.envelope('bills@a.example')
  routes.delete('bills@a.example')
  client.write(wireForm('hello\r\n'))
  expect(await client.reply()).toMatch(/^250 /)
  expect(storedIn(door)).toEqual(['inbox/bills/2025/03/01/'])
  expect(await client.command('MAIL FROM:<ann@example.com>')).toMatch(/^530 /)
})

test('a route says whether its attachments become objects', async () => {
  const routes = tableOf(
    routeOf('on@a.example', { prefix: 'on/', parts: true, ...strangers() }),
    routeOf('off@a.example', { prefix: 'off/', parts: false, ...strangers() }),
    routeOf('as-ever@a.example', { prefix: 'as-ever/', ...strangers() }),
  )
  await using door = await openRouted(routes, new FakeVerifier(), { parts: true })
  expect(await send(door, 'on@a.example', 'off@a.example', 'as-ever@a.example')).toMatch(/^250 /)
  expect(door.objects().map(({ facts }) => facts.parts !== undefined)).toEqual([true, false, true])
})

test('a door that nobody verifies for puts the mail of strangers off', async () => {
  await using door = await openDoor({
    routes: tableOf(routeOf('bills@a.example', strangers('accept'))),
    allowedNetworks: { addresses: [], principal: mailer },
  })
  expect(await send(door, 'bills@a.example')).toMatch(/^451 4\.4\.3 /)
})
