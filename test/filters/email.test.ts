import fc from 'fast-check'
import { Libmime } from 'libmime'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  FEW_ADDRESSES_MAX,
  HOP_BYTES_MAX,
  HOPS_MAX,
  REFERENCES_MAX,
  SPAM_FIELDS_MAX,
} from '../../filters/header-section.ts'
import { email } from '../../filters/index.ts'
import { HEADER_BYTES_MAX } from '../../filters/mime/mime-reader.ts'
import type { Attributes, EmailFacts } from '../../streams/index.ts'
import { describeConformance, envelopeOf } from '../support/stage-conformance.ts'

const facts: EmailFacts = {
  type: 'email',
  mailFrom: 'Bounce@Example.COM',
  rcptTo: ['inbox@cenote.local'],
  helo: 'mx.example.com',
  secure: true,
}
const envelope = envelopeOf(facts)
const fromEnvelope = {
  'email.mail-from': 'Bounce@example.com',
  'email.rcpt-to': ['inbox@cenote.local'],
  'email.helo': 'mx.example.com',
  'email.secure': true,
}

const crlf = (...lines: string[]) => lines.map((line) => `${line}\r\n`).join('')
const latin1 = (text: string) => Buffer.from(text, 'latin1')

async function run(...chunks: (string | Uint8Array)[]): Promise<Attributes> {
  const start = email.start(envelope as never)
  return email.finish(chunks.reduce((state, chunk) => email.step(state, Buffer.from(chunk as string)), start))
}

/** What is said of any mail that has nothing attached. */
const alone = { ...fromEnvelope, 'email.attachment-count': 0 }

/** The attributes of the header section alone. */
async function headers(section: string | Uint8Array): Promise<Attributes> {
  const attributes = await run(section)
  expect(attributes).toMatchObject(alone)
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !(name in alone)))
}

const whole = crlf(
  'Return-Path: <bounce@example.com>',
  'Received: from a (b [192.0.2.1])',
  '\tby c with ESMTPS; Tue, 24 Nov 2026 04:01:02 +0000',
  'From: =?utf-8?Q?J=C3=B6rg_Example?= <Joerg@Example.COM>',
  'To: "Example, Ann" <ann@EXAMPLE.com>,',
  ' Bob <bob@example.org>',
  'Cc: Team: eve@example.com, dan@example.com;',
  'Sender: Office <office@example.com>',
  'Reply-To: <answers@EXAMPLE.com>',
  'Bcc: hidden@example.com',
  'Subject: =?UTF-8?B?R3LDvMOf?=',
  ' =?UTF-8?B?ZSBhdXM=?= Berlin',
  'Message-ID: <20261124.1@example.com>',
  'In-Reply-To: <20261123.7@example.org>',
  'References: <20261122.1@example.com>',
  '\t<20261123.7@example.org>',
  'List-Id: Friends of Grüße <gruesse.example.com>',
  'X-Spam-Flag: NO',
  'X-Spam-Status: No, score=-0.1 required=5.0',
  'X-Spam-Score: -0.1',
  'X-Spam-Level: ',
  'X-Spam-Checker-Version: SpamAssassin 4.0.1',
  'Date: Tue, 24 Nov 2026 05:01:00 +0100 (CET)',
  'Content-Type: Multipart/Mixed; boundary="x"',
  '',
  'From: not@a.header',
  '',
  'body',
)

describe('email filter', () => {
  test('takes the envelope and the header section', async () => {
    expect(await run(whole)).toEqual({
      ...fromEnvelope,
      'email.from': 'Joerg@example.com',
      'email.from-name': 'Jörg Example',
      'email.sender': 'office@example.com',
      'email.reply-to': ['answers@example.com'],
      'email.bcc': ['hidden@example.com'],
      'email.to': ['ann@example.com', 'bob@example.org'],
      'email.cc': ['eve@example.com', 'dan@example.com'],
      'email.subject': 'Grüße aus Berlin',
      'email.message-id': '20261124.1@example.com',
      'email.in-reply-to': '20261123.7@example.org',
      'email.references': ['20261122.1@example.com', '20261123.7@example.org'],
      'email.list-id': 'gruesse.example.com',
      'email.received': ['from a (b [192.0.2.1]) by c with ESMTPS; Tue, 24 Nov 2026 04:01:02 +0000'],
      'email.received-count': 1,
      'email.spam-flag': 'NO',
      'email.spam-status': 'No, score=-0.1 required=5.0',
      'email.spam-score': '-0.1',
      'email.spam-fields': ['x-spam-checker-version: SpamAssassin 4.0.1'],
      'email.attachment-count': 0,
      'email.findings': ['no-final-boundary'],
      'email.date': '2026-11-24T04:01:00.000Z',
      'email.content-type': 'multipart/mixed',
    })
  })

  test('takes the envelope as it is: the null sender, a tag, what is no address', async () => {
    const odd = { ...facts, mailFrom: '', rcptTo: ['no address', 'A@B.C'], secure: false, tag: 'invoices' }
    expect(await email.finish(email.start(envelopeOf(odd) as never))).toEqual({
      'email.mail-from': '',
      'email.rcpt-to': ['no address', 'A@b.c'],
      'email.helo': 'mx.example.com',
      'email.secure': false,
      'email.tag': 'invoices',
      'email.attachment-count': 0,
    })
  })

  test('takes how it was protected, and who sent it', async () => {
    const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' }
    expect(await email.finish(email.start(envelopeOf({ ...facts, tls, login: 'mailer' }) as never))).toEqual({
      ...fromEnvelope,
      'email.tls-version': 'TLSv1.3',
      'email.tls-cipher': 'TLS_AES_256_GCM_SHA384',
      'email.login': 'mailer',
      'email.attachment-count': 0,
    })
  })

  test('takes what was asked of reports on delivery', async () => {
    const recipients = [
      { address: 'a@b.c', notify: 'NEVER' },
      { address: 'd@e.f', orcpt: 'rfc822;g@h.i' },
    ]
    const dsn = { ret: 'FULL', envid: 'x'.repeat(2000), recipients }
    expect(await email.finish(email.start(envelopeOf({ ...facts, dsn }) as never))).toEqual({
      ...fromEnvelope,
      'email.dsn-ret': 'FULL',
      'email.dsn-envid': 'x'.repeat(1024),
      'email.dsn-notify': ['a@b.c NEVER'],
      'email.dsn-orcpt': ['d@e.f rfc822;g@h.i'],
      'email.attachment-count': 0,
    })
  })

  test('keeps the last hops, the last references, and a few fields of a scanner', async () => {
    const many = (field: (index: number) => string) => Array.from({ length: 100 }, (_, index) => field(index))
    const found = await headers(
      crlf(
        ...many((index) => `Received: by h${index}; ${'x'.repeat(600)}`),
        `References: ${many((index) => `<${index}@x>`).join('\r\n ')}`,
        `Reply-To: ${many((index) => `r${index}@x`).join(', ')}`,
        ...many((index) => `X-Spam-Test-${index}: ${'y'.repeat(600)}`),
        '',
      ),
    )
    expect(found['email.received-count']).toBe(100)
    expect(found['email.received']).toHaveLength(HOPS_MAX)
    expect((found['email.received'] as string[])[0]).toBe(`by h0; ${'x'.repeat(600)}`.slice(0, HOP_BYTES_MAX))
    expect(found['email.references']).toEqual(many((index) => `${index}@x`).slice(-REFERENCES_MAX))
    expect(found['email.reply-to']).toEqual(many((index) => `r${index}@x`).slice(0, FEW_ADDRESSES_MAX))
    expect(found['email.spam-fields']).toHaveLength(SPAM_FIELDS_MAX)
  })

  test('keeps 256 recipients, and values of 1,024 bytes', async () => {
    const many = { ...facts, rcptTo: Array.from({ length: 300 }, (_, index) => `r${index}@x`), helo: 'ä'.repeat(600) }
    const attributes = await email.finish(email.start(envelopeOf(many) as never))
    expect(attributes['email.rcpt-to']).toEqual(many.rcptTo.slice(0, 256))
    expect(attributes['email.helo']).toBe('ä'.repeat(512))
    const found = await headers(
      crlf(`To: ${many.rcptTo.join(', ')}`, `To: one@more`, `Subject: ${'ä'.repeat(600)}`, ''),
    )
    expect(found).toEqual({ 'email.to': many.rcptTo.slice(0, 256), 'email.subject': 'ä'.repeat(512) })
  })
})

describe('header sections of the world', () => {
  test.each<[name: string, section: string | Uint8Array, attributes: Attributes]>([
    ['nothing at all', '', {}],
    ['an empty header section', crlf('', 'From: ann@example.com'), {}],
    ['no header section, but text', crlf('Hello Ann,', 'this is: a text', '', 'Bye'), {}],
    ['no body and no empty line', 'Subject: x', { 'email.subject': 'x' }],
    ['bare LF', 'Subject: x\nFrom: a@b\n\nFrom: c@d\n', { 'email.subject': 'x', 'email.from': 'a@b' }],
    ['CRLF, then a bare LF', 'Subject: x\r\n\nFrom: c@d\r\n', { 'email.subject': 'x' }],
    ['LF, then CRLF', 'Subject: x\n\r\nFrom: c@d\r\n', { 'email.subject': 'x' }],
    ['CR before an empty line', 'Subject: x\r\r\n\r\nFrom: c@d', { 'email.subject': 'x' }],
    [
      'a line without a colon',
      crlf('Subject: x', 'no colon here', 'From: a@b', ''),
      { 'email.subject': 'x', 'email.from': 'a@b' },
    ],
    ['a line of mbox first', crlf('From a@b Tue Nov 24 04:01:02 2026', 'Subject: x', ''), { 'email.subject': 'x' }],
    ['a folded line first', crlf(' folded', 'Subject: x', ''), { 'email.subject': 'x' }],
    ['a space before the colon', crlf('Subject : x', ''), { 'email.subject': 'x' }],
    [
      'names in any case',
      crlf('sUBJECT: x', 'MESSAGE-ID: <i@d>', ''),
      { 'email.subject': 'x', 'email.message-id': 'i@d' },
    ],
    ['empty headers', crlf('From:', 'To:', 'Cc: ,', 'Subject:', 'Date:', 'Message-ID: <>', 'Content-Type:', ''), {}],
    [
      'headers twice',
      crlf('Subject: x', 'Subject: y', 'To: a@b', 'To: c@d', ''),
      { 'email.subject': 'x', 'email.to': ['a@b', 'c@d'] },
    ],
    ['several senders', crlf('From: Ann <a@b>, Bob <c@d>', ''), { 'email.from': 'a@b', 'email.from-name': 'Ann' }],
    [
      'a sender in a comment',
      crlf('From: a@b (Ann (A) Example)', ''),
      { 'email.from': 'a@b', 'email.from-name': 'Ann (A) Example' },
    ],
    ['a sender without address', crlf('From: MAILER-DAEMON', ''), { 'email.from-name': 'MAILER-DAEMON' }],
    ['undisclosed recipients', crlf('To: undisclosed-recipients:;', ''), {}],
    ['a word in Q', crlf('Subject: =?iso-8859-1?q?Gr=FC=DFe_an_alle?=', ''), { 'email.subject': 'Grüße an alle' }],
    [
      'a character split over two words in B',
      crlf('Subject: =?UTF-8?B?w7zD?=', ' =?UTF-8?B?vA==?=', ''),
      { 'email.subject': 'üü' },
    ],
    [
      'a character split over two words in Q',
      crlf('Subject: =?UTF-8?Q?=C3?=', '\t=?UTF-8?Q?=BC?=', ''),
      { 'email.subject': 'ü' },
    ],
    ['words with text between', crlf('Subject: =?utf-8?q?a?= b =?utf-8?q?c?=', ''), { 'email.subject': 'a b c' }],
    ['a word with a language', crlf('Subject: =?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=', ''), { 'email.subject': 'Grüße' }],
    ['a word in KOI8-R', crlf('Subject: =?koi8-r?B?8NLJ18XU?=', ''), { 'email.subject': 'Привет' }],
    ['a word in ISO-2022-JP', crlf('Subject: =?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=', ''), { 'email.subject': '日本語' }],
    ['a word in GB18030', crlf('Subject: =?gb18030?B?1tDOxA==?=', ''), { 'email.subject': '中文' }],
    ['a word of no known charset', crlf('Subject: =?x-unknown?Q?plain?=', ''), { 'email.subject': 'plain' }],
    ['a word in UTF-7 is not decoded as such', crlf('Subject: =?utf-7?Q?+ADw-?=', ''), { 'email.subject': '+ADw-' }],
    ['a word that is broken off', crlf('Subject: =?utf-8?Q?Gr=C3', ''), { 'email.subject': '=?utf-8?Q?Gr=C3' }],
    [
      'a word that hides a line end',
      crlf('Subject: =?utf-8?Q?x=0D=0AFrom:_a@b=00?=', ''),
      { 'email.subject': 'x From: a@b' },
    ],
    [
      'a word in quotes',
      crlf('From: "=?utf-8?Q?J=C3=B6rg?=" <a@b>', ''),
      { 'email.from': 'a@b', 'email.from-name': 'Jörg' },
    ],
    [
      'a word with a comma and an address in it',
      crlf('From: =?utf-8?Q?Ann,_x=40y?= <a@b>', ''),
      { 'email.from': 'a@b', 'email.from-name': 'Ann, x@y' },
    ],
    [
      'raw UTF-8',
      crlf('Subject: Grüße 大小', 'From: Jörg <jörg@bücher.EXAMPLE>', ''),
      { 'email.subject': 'Grüße 大小', 'email.from': 'jörg@bücher.example', 'email.from-name': 'Jörg' },
    ],
    ['raw Latin-1', latin1(crlf('Subject: Grüße', '')), { 'email.subject': 'Grüße' }],
    ['zero bytes and other controls', crlf('Subject: a\0b\x1b[0mc\x7f', ''), { 'email.subject': 'a b [0mc' }],
    ['a folded message identifier', crlf('Message-ID:', ' <a@', ' b>', ''), { 'email.message-id': 'a@b' }],
    ['a message identifier without brackets', crlf('Message-ID: a@b', ''), { 'email.message-id': 'a@b' }],
    ['several messages replied to', crlf('In-Reply-To: Your mail <a@b> and <c@d>', ''), { 'email.in-reply-to': 'a@b' }],
    ['a date that is none', crlf('Date: Heute', 'Subject: x', ''), { 'email.subject': 'x' }],
    ['a content type that is none', crlf('Content-Type: text', 'Subject: x', ''), { 'email.subject': 'x' }],
    [
      'a content type with a comment',
      crlf('Content-Type: TEXT/plain (really); charset=x', ''),
      { 'email.content-type': 'text/plain' },
    ],
    ['names of object prototypes', crlf('__proto__: x', 'constructor: y', 'Subject: z', ''), { 'email.subject': 'z' }],
  ])('%s', async (_name, section, attributes) => {
    expect(await headers(section)).toEqual(attributes)
  })
})

describe('bounded memory', () => {
  const filler = (bytes: number) => `X-Filler: ${'x'.repeat(bytes - 12)}\r\n`
  const kept = (state: unknown) =>
    Buffer.from((email.freeze(state as never) as { reader: { top: string } }).reader.top, 'base64').length

  test('a header section of exactly 256 KiB is whole', async () => {
    const section = `${filler(HEADER_BYTES_MAX - 17)}Subject: last\r\n\r\n`
    expect(section).toHaveLength(HEADER_BYTES_MAX)
    expect(await headers(`${section}body`)).toEqual({ 'email.subject': 'last' })
    expect(await headers(section)).toEqual({ 'email.subject': 'last' })
    expect(await headers(`X${section}`)).toEqual({ 'email.subject': 'last', 'email.headers-truncated': true })
  })

  test('of a longer one the lines within it count, and it is said', async () => {
    const section = `Subject: first\r\n${filler(HEADER_BYTES_MAX - 40)}Message-ID: <cut-off-in-the-middle@example.com>\r\n\r\n`
    expect(await headers(section)).toEqual({ 'email.subject': 'first', 'email.headers-truncated': true })
  })

  test('a header section without an end keeps no more than 256 KiB', () => {
    const line = Buffer.from(filler(1000))
    let state = email.start(envelope as never)
    for (let count = 0; count < 1000; count++) state = email.step(state, line)
    expect(kept(state)).toBe(HEADER_BYTES_MAX)
  })

  test('nothing of the body is kept', () => {
    const body = Buffer.alloc(1 << 20)
    let state = email.step(email.start(envelope as never), Buffer.concat([Buffer.from('A: b\r\n\r\n'), body]))
    state = email.step(state, body)
    expect(kept(state)).toBe('A: b\r\n\r\n'.length)
  })

  // Each of these takes seconds to minutes where a pattern goes back over what it has read: the time-out is the test.
  test.each([
    ['quotes', `From: ${'"\\"'.repeat(60_000)}`],
    ['escaped quotes', `From: "${'\\"'.repeat(100_000)}`],
    ['comments', `From: ${'('.repeat(200_000)}`],
    ['closed comments', `From: ${'()'.repeat(100_000)}`],
    ['angles', `From: ${'<'.repeat(200_000)}`],
    ['spaces in an angle', `From: <${' '.repeat(200_000)}x`],
    ['commas', `To: ${','.repeat(200_000)}`],
    ['at signs', `To: ${'@'.repeat(200_000)}`],
    ['words with at signs', `To: ${'a@ '.repeat(80_000)}`],
    ['beginnings of words', `Subject: ${'=?'.repeat(100_000)}`],
    ['beginnings of words in Q', `Subject: ${'=?x?Q?'.repeat(40_000)}`],
    ['beginnings of words in an address', `From: ${'=?x?q?'.repeat(40_000)}`],
    ['spaces after a word', `Subject: =?x?B?QQ==?=${' '.repeat(200_000)}x`],
    ['spaces in a date', `Date: Tue${' '.repeat(200_000)}x`],
    ['spaces in a content type', `Content-Type: text/plain${' '.repeat(200_000)}x`],
    ['angles in an identifier', `Message-ID: ${'<'.repeat(200_000)}`],
    ['spaces without a colon', ' '.repeat(200_000)],
    ['carriage returns', `Subject: x${'\r'.repeat(200_000)}y`],
    ['folded lines', `Subject: x${'\r\n '.repeat(80_000)}y`],
    ['lines', 'a:\n'.repeat(80_000)],
  ])('reads many %s in linear time', { timeout: 15_000 }, async (_name, section) => {
    await headers(`${section}\r\n\r\n`)
  })

  test('takes a byte at a time in linear time', { timeout: 15_000 }, async () => {
    let state = email.start(envelope as never)
    const byte = Buffer.from('x')
    for (let count = 0; count < HEADER_BYTES_MAX; count++) state = email.step(state, byte)
    expect(kept(state)).toBe(HEADER_BYTES_MAX)
  })
})

describe('whatever comes', () => {
  afterEach(() => vi.restoreAllMocks())

  test('never throws', async () => {
    const names = [
      'From: ',
      'To: ',
      'Cc: ',
      'Subject: ',
      'Date: ',
      'Message-ID: ',
      'In-Reply-To: ',
      'Content-Type: ',
      '',
    ]
    const pieces = [
      '=?',
      '?=',
      '=?utf-8?Q?',
      '=?iso-2022-jp?B?',
      '=?utf-16?B?AA==?=',
      '"',
      '\\',
      '<',
      '>',
      '(',
      ')',
      ',',
      ':',
      ';',
      '@',
      '=',
      '\r\n ',
      '\r',
      '\n',
      '\0',
      'ä',
      '\xff',
    ]
    const text = fc.oneof(
      fc.array(fc.constantFrom(...pieces), { maxLength: 20 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
    )
    const section = fc
      .array(fc.tuple(fc.constantFrom(...names), text), { maxLength: 10 })
      .map((lines) => lines.map((line) => line.join('')).join('\r\n'))
    const bytes = fc.oneof(
      section.map((it) => Buffer.from(it)),
      section.map(latin1),
      fc.uint8Array({ maxLength: 300 }),
    )
    await fc.assert(
      fc.asyncProperty(bytes, async (message) => {
        for (const [name, value] of Object.entries(await headers(message))) {
          expect(name).toMatch(/^email\.[a-z-]+$/)
          for (const one of Array.isArray(value) ? value : [value]) {
            expect(one).not.toBe('')
            expect(Buffer.byteLength(String(one))).toBeLessThanOrEqual(1024)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test('a library that throws costs one attribute, never the mail', async () => {
    vi.spyOn(Libmime.prototype, 'decodeWords').mockImplementation(() => {
      throw new RangeError('unheard of')
    })
    expect(await headers(crlf('Subject: x', 'From: Ann <a@b>', ''))).toEqual({ 'email.from': 'a@b' })
  })
})

const brief = crlf(
  'From: =?utf-8?Q?J=C3=B6rg?= <j@X.y>',
  'To: a@b,',
  ' c@d',
  'Subject: =?UTF-8?B?w7w=?=',
  '',
  'x',
  '',
  'To: e@f',
)
describeConformance('email filter', {
  stages: [email],
  envelope,
  small: Buffer.from(brief),
  large: Buffer.from(`X: ${'x'.repeat(3000)}\r\n${whole}${'body\r\n'.repeat(2000)}`),
})
const parts = { countMax: 2, bytesMax: 1000 }
const attached = ['a.png', 'b', 'c'].map((name) => `--b\r\nContent-Type: image/png; name=${name}\r\n\r\n${name}\r\n`)
describeConformance('email filter with parts', {
  stages: [email],
  envelope: envelopeOf({ ...facts, parts }),
  small: Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${attached.join('')}--b--`),
  large: Buffer.from(`${whole.replace('"x"', '"b"')}\r\n${attached.join('').repeat(20)}${'body\r\n'.repeat(500)}`),
})
describeConformance('email filter of bare LF', {
  stages: [email],
  envelope,
  small: Buffer.from(brief.replaceAll('\r', '')),
  large: Buffer.from(whole.repeat(5).replaceAll('\r\n\r\n', '\r\n')),
})
describeConformance('email filter of too long a header section', {
  stages: [email],
  envelope,
  small: Buffer.from('\r\n'),
  large: Buffer.concat([Buffer.from('Subject: x\r\n'), Buffer.alloc(HEADER_BYTES_MAX, 'y\r\n')]),
  runs: 4,
})
