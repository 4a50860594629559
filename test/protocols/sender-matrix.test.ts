import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { headerAttributes } from '../../filters/header-section.ts'
import { CachingResolver } from '../../protocols/senders/caching-resolver.ts'
import type { SenderFacts, SenderVerdict } from '../../protocols/senders/contract.ts'
import { SENDER_LIMITS, type SenderLimits } from '../../protocols/senders/limits.ts'
import { MailCheck } from '../../protocols/senders/mail-check.ts'
import { KEY, SIGNED } from '../support/opendkim.ts'
import { ed25519Key, rsaKey, sealed, signed } from '../support/signed-mail.ts'
import { ZoneServer } from '../support/zone-server.ts'

const [rsa, other, weak, small, edwards] = [rsaKey(), rsaKey(), rsaKey(1024), rsaKey(512), ed25519Key()]
const keyAt = (selector: string, domain = 'a.example') => `${selector}._domainkey.${domain}`
const policyOf = (domain: string, record: string) => ({ [`_dmarc.${domain}`]: { TXT: [record] } })

let server: ZoneServer
let resolver: CachingResolver

beforeAll(async () => {
  server = await ZoneServer.open({
    [keyAt('rsa')]: { TXT: [rsa.record] },
    [keyAt('rsa', 'sub.a.example')]: { TXT: [rsa.record] },
    [keyAt('rsa', 'b.example')]: { TXT: [rsa.record] },
    [keyAt('rsa', 'strict.example')]: { TXT: [rsa.record] },
    [keyAt('rsa', 'sub.strict.example')]: { TXT: [rsa.record] },
    [keyAt('weak')]: { TXT: [weak.record] },
    [keyAt('small')]: { TXT: [small.record] },
    [keyAt('edwards')]: { TXT: [edwards.record] },
    [keyAt('other')]: { TXT: [other.record] },
    [keyAt('revoked')]: { TXT: ['v=DKIM1; p='] },
    [keyAt('testing')]: { TXT: [`t=y:s; ${rsa.record}`] },
    [keyAt('web')]: { TXT: [`${rsa.record}; s=web`] },
    [keyAt('old-hash')]: { TXT: [`${rsa.record}; h=sha1`] },
    [keyAt('rubbish')]: { TXT: ['v=DKIM1; p=***'] },
    [keyAt('next')]: { TXT: ['v=DKIM9; p=AAAA'] },
    [keyAt('alias')]: { CNAME: [keyAt('rsa')] },
    [keyAt('loop')]: { CNAME: [keyAt('loop')] },
    'a.example': { TXT: ['some text', 'v=spf1 ip4:192.0.2.1 include:more.example mx ~all'], MX: ['10 mx.a.example'] },
    'mx.a.example': { A: ['192.0.2.25'], AAAA: ['2001:db8::25'] },
    'more.example': { TXT: ['v=spf1 ip4:192.0.2.2 -all'] },
    'fail.example': { TXT: ['v=spf1 -all'] },
    'neutral.example': { TXT: ['v=spf1 ?all'] },
    'silent.example': { TXT: ['no policy'] },
    'two.example': { TXT: ['v=spf1 -all', 'v=spf1 +all'] },
    'syntax.example': { TXT: ['v=spf1 ip4:192.0.2.999 -all'] },
    'broken.example': { TXT: ['v=spf1 include:down.example -all'] },
    'open.example': { TXT: ['v=spf1 include:down.example ip4:192.0.2.1 -all'] },
    'loop.example': { TXT: ['v=spf1 include:loop.example -all'] },
    'many.example': {
      TXT: [`v=spf1 ${[...Array(11).keys()].map((at) => `a:host-${at}.many.example`).join(' ')} -all`],
    },
    ...Object.fromEntries([...Array(11).keys()].map((at) => [`host-${at}.many.example`, { A: ['198.51.100.1'] }])),
    'void.example': { TXT: ['v=spf1 a:no.example a:nor.example a:neither.example +all'] },
    'macro.example': { TXT: ['v=spf1 exists:%{ir}.%{l1r-}.list.example -all'] },
    '1.2.0.192.ann.list.example': { A: ['127.0.0.2'] },
    'reverse.example': { TXT: ['v=spf1 ptr -all'] },
    '1.2.0.192.in-addr.arpa': { PTR: ['mx.reverse.example'] },
    'mx.reverse.example': { A: ['192.0.2.1'] },
    'helo.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
    'sub.a.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
    'sub.strict.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
    'strict.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
    'b.example': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
    ...policyOf('a.example', 'v=DMARC1; p=reject; sp=quarantine; pct=5'),
    ...policyOf('strict.example', 'v=DMARC1; p=quarantine; adkim=s; aspf=s'),
    ...policyOf('none.example', 'v=DMARC1; p=none'),
    '_dmarc.double.example': { TXT: ['v=DMARC1; p=none', 'v=DMARC1; p=reject'] },
  })
  for (const name of ['down.example', keyAt('down'), '_dmarc.down.example']) server.faults.set(name, 'SERVFAIL')
  server.faults.set(keyAt('silent'), 'silence')
  server.faults.set(keyAt('long'), 'truncated')
  server.add({ [keyAt('long')]: { TXT: [rsa.record] } })
  resolver = new CachingResolver({ servers: [server.address], limits: { msMax: 500, tries: 1 } })
})
afterAll(async () => {
  resolver.close()
  await server[Symbol.asyncDispose]()
})

const text =
  'From: Ann <ann@a.example>\r\nTo: bob@example.org\r\nSubject: Hello\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\n\r\nHello Bob,\r\n\r\nbye\r\n'
const stranger: SenderFacts = {
  peer: '198.51.100.9',
  helo: 'helo.example',
  mailFrom: 'ann@fail.example',
  receiver: 'mx.example.org',
}

interface Given {
  readonly facts?: Partial<SenderFacts>
  readonly limits?: Partial<SenderLimits>
  /** Bytes a piece. */
  readonly length?: number
}

async function verdictOn(message: string, { facts, limits, length = 1 << 16 }: Given = {}): Promise<SenderVerdict> {
  const check = new MailCheck({ ...stranger, ...facts }, resolver.ask, { ...SENDER_LIMITS, ...limits })
  const bytes = Buffer.from(message, 'latin1')
  for (let at = 0; at < bytes.length; at += length) await check.write(bytes.subarray(at, at + length))
  return check.finish()
}

const by = (selector: string, more: Partial<Parameters<typeof signed>[1]> = {}) => ({
  signingDomain: 'a.example',
  selector,
  privateKey: rsa.privateKey,
  ...more,
})

describe('a signature', () => {
  test.each<[what: string, more: Partial<Parameters<typeof signed>[1]>]>([
    ['relaxed', {}],
    ['simple', { canonicalization: 'simple/simple' }],
    ['of a key behind an alias', { selector: 'alias' }],
    ['of a key that comes by TCP', { selector: 'long' }],
    ['of 1,024 bits', { selector: 'weak', privateKey: weak.privateKey }],
    ['Ed25519', { selector: 'edwards', privateKey: edwards.privateKey, algorithm: 'ed25519-sha256' }],
    ['that expires later', { expires: new Date(Date.now() + 60_000) }],
    ['by a clock that is a little ahead', { signTime: new Date(Date.now() + 60_000) }],
    ['of a domain below', { signingDomain: 'sub.a.example' }],
  ])('%s proves where the mail comes from', async (_what, more) => {
    const message = await signed(text, by('rsa', more))
    for (const length of [7, 1 << 16]) {
      const verdict = await verdictOn(message, { length })
      const { signingDomain: domain = 'a.example', selector = 'rsa' } = more
      expect(verdict).toMatchObject({
        fromDomain: 'a.example',
        dkim: [{ result: 'pass', domain, selector, isAligned: true }],
        dmarc: { result: 'pass', policy: 'reject' },
        isVerified: true,
      })
      expect(verdict).not.toHaveProperty('trouble')
    }
  })

  const fromAnother = text.replace('ann@a.example', 'ann@other.example')
  test.each<[what: string, message: () => Promise<string>, result: string, detail: string | undefined]>([
    [
      'with another subject',
      async () => (await signed(text, by('rsa'))).replace('Hello\r\nDate', 'Hallo\r\nDate'),
      'fail',
      'bad signature',
    ],
    ['with another body', async () => `${await signed(text, by('rsa'))}more\r\n`, 'fail', 'body hash did not verify'],
    [
      'that has expired',
      () => signed(text, by('rsa', { expires: new Date(1_700_000_000_000), signTime: new Date(1_600_000_000_000) })),
      'fail',
      'expired',
    ],
    [
      'of the future',
      () => signed(text, by('rsa', { signTime: new Date(Date.now() + 3_600_000) })),
      'policy',
      'it was made in the future (t=)',
    ],
    ['by another key', () => signed(text, by('other')), 'fail', 'bad signature'],
    ['without a key', () => signed(text, by('nowhere')), 'permerror', 'no key'],
    ['by a key that is an alias of itself', () => signed(text, by('loop')), 'permerror', 'no key'],
    ['by a key that was revoked', () => signed(text, by('revoked')), 'permerror', 'invalid public key'],
    ['by rubbish', () => signed(text, by('rubbish')), 'permerror', 'invalid public key'],
    ['by a key of a later version', () => signed(text, by('next')), 'permerror', 'unknown key version'],
    ['of 512 bits', () => signed(text, by('small', { privateKey: small.privateKey })), 'policy', undefined],
    [
      'by SHA-1',
      () => signed(text, by('rsa', { algorithm: 'rsa-sha1' })),
      'policy',
      'SHA-1 proves nothing any more (RFC 8301)',
    ],
    [
      'of a part of the body',
      async () => await signed(text, by('rsa', { maxBodyLength: 12 })),
      'policy',
      'its end is not signed (l=)',
    ],
    ['by a domain that tests', () => signed(text, by('testing')), 'policy', 'its domain tests only (t=y)'],
    ['by a key for something else', () => signed(text, by('web')), 'policy', 'its key is not for e-mail (s=)'],
    ['by a key for another hash', () => signed(text, by('old-hash')), 'policy', 'its key is not for SHA-256 (h=)'],
    [
      'that does not cover From',
      async () => await signed(text, by('rsa', { headerList: ['Subject', 'Date'] })),
      'permerror',
      'From is not signed (RFC 6376 section 5.4)',
    ],
    ['of another domain', () => signed(fromAnother, by('rsa')), 'pass', undefined],
  ])('%s proves nothing', async (_what, message, result, detail) => {
    for (const length of [7, 1 << 16]) {
      const verdict = await verdictOn(await message(), { length })
      const [signature] = verdict.dkim
      expect([signature?.result, signature?.detail, verdict.isVerified]).toEqual([result, detail, false])
      expect(verdict.dmarc.result).toBe(verdict.fromDomain === 'a.example' ? 'fail' : 'none')
      expect(verdict).not.toHaveProperty('trouble')
    }
  })

  test('by opendkim is what mailauth takes it for', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-28T00:00:00Z') })
    onTestFinished(() => void vi.useRealTimers())
    server.add({ 'od._domainkey.partner.example': { TXT: [KEY] } })
    for (const message of SIGNED) {
      expect(await verdictOn(message)).toMatchObject({ dkim: [{ result: 'pass', selector: 'od' }], isVerified: true })
      for (const [original, forged] of [
        ['the invoice', 'no invoice'],
        ['for   March', 'for   April'],
        ['Ann =?', 'Eve =?'],
      ] as const)
        expect(await verdictOn(message.replace(original, forged))).toMatchObject({
          dkim: [{ result: 'fail' }],
          isVerified: false,
        })
    }
  })

  test('that cannot be judged now puts the mail off', async () => {
    for (const selector of ['down', 'silent']) {
      const verdict = await verdictOn(await signed(text, by(selector)))
      expect([verdict.dkim[0]?.result, verdict.isVerified], selector).toEqual(['temperror', false])
      expect(verdict.trouble, selector).toMatch(new RegExp(`^DNS does not answer for ${selector}._domainkey`))
    }
  })

  test('that is right makes up for others that are not, or cannot be judged', async () => {
    const message = await signed(await signed(await signed(text, by('rsa')), by('down')), by('other'))
    const verdict = await verdictOn(message)
    expect(verdict.dkim.map(({ result }) => result)).toEqual(['fail', 'temperror', 'pass'])
    expect([verdict.isVerified, verdict.trouble]).toEqual([true, undefined])
  })

  test('beyond the bound is not looked at: signaturesMax', async () => {
    let message = await signed(text, by('rsa'))
    for (let count = 0; count < 3; count++) message = await signed(message, by('other'))
    expect((await verdictOn(message, { limits: { signaturesMax: 3 } })).dkim.map(({ result }) => result)).toEqual([
      'fail',
      'fail',
      'fail',
    ])
    expect(await verdictOn(message, { limits: { signaturesMax: 4 } })).toMatchObject({ isVerified: true })
  })
})

describe('what would cost too much', () => {
  const lengths = [1, 1 << 16]

  test('a body in more ways than bodyHashesMax is not hashed', async () => {
    const lengthsSigned = [19, 16, 15, 14]
    const found = async (limits: Partial<SenderLimits>) => {
      let message = text
      for (const maxBodyLength of lengthsSigned) message = await signed(message, by('rsa', { maxBodyLength }))
      return (await verdictOn(message, { limits })).dkim.map(({ result }) => result)
    }
    expect(await found({ bodyHashesMax: 4 })).toEqual(['policy', 'policy', 'policy', 'pass'])
    expect(await found({ bodyHashesMax: 3 })).toEqual(['policy', 'policy', 'policy'])
  })

  test('a signature, a chain or an author longer than fieldBytesMax is not looked at', async () => {
    const message = await signed(text, by('rsa'))
    const size = message.indexOf('\r\nFrom:')
    expect(await verdictOn(message, { limits: { fieldBytesMax: size } })).toMatchObject({ isVerified: true })
    expect(await verdictOn(message, { limits: { fieldBytesMax: size - 1 } })).toMatchObject({ dkim: [] })
    const blown = await signed(text, by('other'))
    const long = blown.slice(0, -text.length).replace('v=1;', `v=1; z=${'a'.repeat(10_000)};`)
    expect((await verdictOn(long + message)).dkim.map(({ result }) => result)).toEqual(['pass'])
    const author = `From: ${'x '.repeat(5000)}<ann@a.example>`
    const facts = { mailFrom: 'ann@a.example', peer: '192.0.2.1' }
    for (const forged of [text.replace(/^From.*/, author), `${author}\r\n${message}`])
      expect(await verdictOn(forged, { facts })).toMatchObject({ isVerified: false, dmarc: { result: 'none' } })
  })

  test.each<[what: string, body: string, limits: Partial<SenderLimits>]>([
    ['a long line: heldBytesMax', `${'x'.repeat(98)}\r\n`, { heldBytesMax: 100 }],
    ['lines without text before one: heldBytesMax', ` \t\r\n${'\r\n'.repeat(47)}x\r\n`, { heldBytesMax: 101 }],
    ['lines without text: heldLinesMax', `${' \r\n'.repeat(9)}x\r\n`, { heldLinesMax: 10 }],
    ['lines without text at the end: heldLinesMax', `x\r\n${'\r\n'.repeat(10)}`, { heldLinesMax: 10 }],
  ])('%s', async (_what, body, limits) => {
    const message = await signed(text.replace('Hello Bob,\r\n\r\nbye\r\n', `one\r\n${body}`), by('rsa'))
    const less = Object.fromEntries(Object.entries(limits).map(([name, most]) => [name, most - 1]))
    for (const length of lengths) {
      expect(await verdictOn(message, { limits, length })).toMatchObject({ isVerified: true })
      expect(await verdictOn(message, { limits: less, length })).toMatchObject({ isVerified: false, dkim: [] })
    }
    // The path proves what it did.
    const facts = { mailFrom: 'ann@a.example', peer: '192.0.2.1' }
    expect(await verdictOn(message, { limits: less, facts })).toMatchObject({ isVerified: true, dkim: [] })
  })

  test('keys of a chain do not use up the questions for the policy: questionsMax', async () => {
    const strict = text.replace('ann@a.example', 'ann@strict.example')
    const message = await signed(strict, by('rsa', { signingDomain: 'sub.strict.example' }))
    const chain = {
      signingDomain: 'b.example',
      selector: 'rsa',
      privateKey: rsa.privateKey,
      cv: 'none',
      authResults: 'mx.b.example; spf=pass',
    }
    expect(await verdictOn(await sealed(message, chain), { limits: { questionsMax: 2 } })).toMatchObject({
      dkim: [{ result: 'pass', isAligned: false }],
      dmarc: { result: 'fail', policy: 'quarantine' },
      isVerified: false,
    })
  })
})

describe('the path', () => {
  const sent = (mailFrom: string, peer = '192.0.2.1') => ({ facts: { mailFrom, peer } })

  test.each<[mailFrom: string, peer: string, result: string]>([
    ['ann@a.example', '192.0.2.1', 'pass'],
    ['ann@A.Example', '192.0.2.2', 'pass'],
    ['ann@a.example', '192.0.2.25', 'pass'],
    ['ann@a.example', '2001:db8::25', 'pass'],
    ['ann@a.example', '198.51.100.1', 'softfail'],
    ['ann@fail.example', '192.0.2.1', 'fail'],
    ['ann@neutral.example', '192.0.2.1', 'neutral'],
    ['ann@silent.example', '192.0.2.1', 'none'],
    ['ann@nowhere.example', '192.0.2.1', 'none'],
    ['ann@[192.0.2.1]', '192.0.2.1', 'none'],
    ['ann', '192.0.2.1', 'none'],
    ['ann@two.example', '192.0.2.1', 'permerror'],
    ['ann@syntax.example', '192.0.2.1', 'permerror'],
    ['ann@many.example', '192.0.2.1', 'permerror'],
    ['ann@void.example', '192.0.2.1', 'permerror'],
    ['ann@loop.example', '192.0.2.1', 'permerror'],
    ['ann@macro.example', '192.0.2.1', 'pass'],
    ['eve@macro.example', '192.0.2.1', 'fail'],
    ['ann@reverse.example', '192.0.2.1', 'pass'],
    ['ann@down.example', '192.0.2.1', 'temperror'],
    ['ann@broken.example', '192.0.2.1', 'temperror'],
    ['ann@open.example', '192.0.2.1', 'temperror'],
    ['', '192.0.2.1', 'pass'],
    ['', '192.0.2.2', 'fail'],
  ])('from %s by %s: %s', async (mailFrom, peer, result) => {
    const verdict = await verdictOn(text, sent(mailFrom, peer))
    expect(verdict.spf.result).toBe(result)
    const isOurs = result === 'pass' && /@a\.example$/i.test(mailFrom)
    expect([verdict.isVerified, verdict.trouble !== undefined]).toEqual([isOurs, result === 'temperror'])
  })

  test('proves the domain of the HELO where there is no sender', async () => {
    const message = text.replace('ann@a.example', 'postmaster@helo.example')
    expect(await verdictOn(message, sent(''))).toMatchObject({
      spf: { result: 'pass', domain: 'helo.example', isAligned: true },
      isVerified: true,
    })
  })
})

describe("the author's domain", () => {
  const from = (value: string) => text.replace('Ann <ann@a.example>', value)
  const sent = { facts: { mailFrom: 'ann@b.example', peer: '192.0.2.1' } }

  test.each<[from: string, domain: string | undefined]>([
    ['ann@b.example', 'b.example'],
    ['Ann <ann@B.Example>', 'b.example'],
    ['"ceo@a.example" <ann@b.example>', 'b.example'],
    ['ann@b.example (ceo@a.example)', 'b.example'],
    ['=?utf-8?q?ceo=40a=2Eexample?= <ann@b.example>', 'b.example'],
    ['Ann <ann@sub.b.example>', 'sub.b.example'],
    ['ceo@a.example <ann@b.example>', 'b.example'],
    ['"<ceo@a.example>" <ann@b.example>', 'b.example'],
    ['<ceo@a.example> <ann@b.example>', undefined],
    ['Us: ann@b.example;', undefined],
    ['ann@b.example, bob@b.example', undefined],
    ['ann@b.example, ceo@a.example', undefined],
    ['Ann', undefined],
    ['', undefined],
    ['Us: ann@b.example, bob@b.example;', undefined],
    ['undisclosed:;', undefined],
    ['ann@localhost', undefined],
    ['ann@co.uk', undefined],
    ['ann@[192.0.2.1]', undefined],
  ])('of From: %s is %s', async (value, domain) => {
    const verdict = await verdictOn(from(value), sent)
    expect(verdict.fromDomain).toBe(domain)
    // Whoever reads the attributes sees the author that was verified, and no other.
    const { 'email.from': author } = headerAttributes(Buffer.from(from(value)))
    if (domain !== undefined) expect(author).toMatch(new RegExp(`@${domain}$`))
    expect(verdict.isVerified).toBe(domain !== undefined)
  })

  test('is none where there are two From fields, or no From at all', async () => {
    const message = await signed(text, by('rsa'))
    for (const forged of [
      `From: ceo@bank.example\r\n${message}`,
      `From : ceo@bank.example\r\n${message}`,
      `FROM\t: ceo@bank.example\r\n${message}`,
      message.replace('\r\n\r\n', '\r\nfrom: ceo@bank.example\r\n\r\n'),
    ])
      expect(await verdictOn(forged)).toMatchObject({ isVerified: false, dmarc: { result: 'none' } })
    expect(await verdictOn(text.replace(/^From.*\r\n/, ''))).toMatchObject({ isVerified: false })
  })

  test.each<[from: string, mailFrom: string, isVerified: boolean, policy: string | undefined]>([
    ['a.example', 'sub.a.example', true, 'reject'],
    ['sub.a.example', 'a.example', true, 'quarantine'],
    ['strict.example', 'strict.example', true, 'quarantine'],
    ['strict.example', 'sub.strict.example', false, 'quarantine'],
    ['sub.strict.example', 'strict.example', false, 'quarantine'],
    ['a.example', 'b.example', false, 'reject'],
    ['none.example', 'b.example', false, 'none'],
    ['double.example', 'b.example', false, undefined],
    ['b.example', 'b.example', true, undefined],
  ])('%s, by the path of %s: verified %s, policy %s', async (author, mailFrom, isVerified, policy) => {
    const verdict = await verdictOn(from(`ann@${author}`), {
      facts: { mailFrom: `ann@${mailFrom}`, peer: '192.0.2.1' },
    })
    expect([verdict.isVerified, verdict.dmarc.policy]).toEqual([isVerified, policy])
    expect(verdict.dmarc.result).toBe(policy === undefined ? 'none' : isVerified ? 'pass' : 'fail')
  })

  test('that wants its signatures to be its own gets them so', async () => {
    const strict = from('ann@strict.example')
    const verdicts = ['strict.example', 'sub.strict.example'].map(async (signingDomain) =>
      verdictOn(await signed(strict, by('rsa', { signingDomain }))),
    )
    expect(
      (await Promise.all(verdicts)).map(({ isVerified, dkim: [one] }) => [isVerified, one?.result, one?.isAligned]),
    ).toEqual([
      [true, 'pass', true],
      [false, 'pass', false],
    ])
  })

  test('whose policy cannot be asked for puts the mail off', async () => {
    const verdict = await verdictOn(from('ann@down.example'))
    expect(verdict).toMatchObject({ dmarc: { result: 'temperror' }, isVerified: false })
    expect(verdict.trouble).toBe('DNS does not answer for _dmarc.down.example TXT (ESERVFAIL)')
  })
})

describe('a chain', () => {
  const seal = {
    signingDomain: 'b.example',
    selector: 'rsa',
    privateKey: rsa.privateKey,
    cv: 'none',
    authResults: 'mx.b.example; spf=pass',
  }

  test('that holds is told, and proves nothing by itself', async () => {
    expect(await verdictOn(await sealed(text, seal))).toMatchObject({
      arc: { result: 'pass', domain: 'b.example' },
      dkim: [],
      isVerified: false,
    })
  })

  test('that was tampered with is told, too', async () => {
    const message = await sealed(text, seal)
    expect(await verdictOn(`${message}more\r\n`)).toMatchObject({ arc: { result: 'fail' } })
    expect(await verdictOn(message.replace('spf=pass', 'spf=fail'))).toMatchObject({ arc: { result: 'fail' } })
    expect(await verdictOn(await sealed(text, { ...seal, privateKey: other.privateKey }))).toMatchObject({
      arc: { result: 'fail' },
    })
    const short = { ...seal, signingDomain: 'a.example', selector: 'small', privateKey: small.privateKey }
    expect(await verdictOn(await sealed(text, short))).toMatchObject({ arc: { result: 'fail' } })
  })
})

describe('what is odd', () => {
  test('is not verified, and breaks nothing', async () => {
    const messages = [
      '',
      '\r\n',
      'x',
      'From: ann@a.example',
      'From: ann@a.example\n\nbody',
      `${'\0'.repeat(100)}\r\n\r\n`,
      ': \r\n\r\n',
      'DKIM-Signature:\r\n\r\n',
    ]
    for (const message of messages) expect((await verdictOn(message)).isVerified, JSON.stringify(message)).toBe(false)
  })

  test('a header section beyond headerBytesMax or headerLinesMax is not looked at', async () => {
    const message = await signed(text, by('rsa'))
    const size = message.indexOf('\r\n\r\n') + 4
    const lines = message.slice(0, size).split('\n').length - 1
    for (const length of [1, 1 << 16]) {
      for (const limits of [{ headerBytesMax: size }, { headerLinesMax: lines }])
        expect((await verdictOn(message, { limits, length })).isVerified).toBe(true)
      for (const limits of [{ headerBytesMax: size - 1 }, { headerLinesMax: lines - 1 }])
        expect(await verdictOn(message, { limits, length })).toMatchObject({ isVerified: false, dkim: [] })
    }
  })

  test('lines that end in LF alone are verified as what they stand for, wherever they are cut', async () => {
    const message = (await signed(`${text}a\r\n\r\n\r\nb\r\n`, by('rsa'))).replaceAll('\r\n', '\n')
    for (const length of [1, 2, 3, 1 << 16]) expect((await verdictOn(message, { length })).isVerified).toBe(true)
    const mixed = message.replace('a\n\n', 'a\r\n\n')
    for (const length of [1, 2, 3, 1 << 16]) expect((await verdictOn(mixed, { length })).isVerified).toBe(true)
  })

  test('a mail that asks for more than questionsMax is verified by what was found until then', async () => {
    const message = await signed(text, by('rsa'))
    const verdict = await verdictOn(message, { limits: { questionsMax: 0 } })
    expect(verdict).toMatchObject({ isVerified: false, spf: { result: 'none' } })
    expect(verdict).not.toHaveProperty('trouble')
  })

  test('results are told in the form of RFC 8601, on one line', async () => {
    const message = await signed(await signed(text, by('rsa')), by('other'))
    const { authenticationResults } = await verdictOn(message, { facts: { mailFrom: 'a "b\r\n@fail.example' } })
    expect(authenticationResults).toBe(
      'mx.example.org; spf=fail smtp.mailfrom="a \\"b @fail.example"; dkim=fail (bad signature) header.d=a.example header.s=other; ' +
        'dkim=pass header.d=a.example header.s=rsa; dmarc=pass header.from=a.example',
    )
  })
})
