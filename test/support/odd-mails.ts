/*
 * Mails as the world writes them, and as those do who mean no good. Each is made for the tests; none was ever sent. Lines
 * end in CRLF unless a mail is about that. What is binary is written as Latin-1.
 */
export interface OddMail {
  readonly name: string
  readonly bytes: Buffer
  /** Python's e-mail package finds the same attachments, with the same bytes. */
  readonly likePython: boolean
}

const lines = (...parts: string[]) => parts.join('\r\n')
const latin1 = (text: string) => Buffer.from(text, 'latin1')
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64').replace(/.{76}/g, '$&\r\n')

const PDF = '%PDF-1.4\n%\u00e2\u00e3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n'
const PNG = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de', 'hex')

function mail(name: string, text: string | Buffer, likePython = true): OddMail {
  return { name, bytes: typeof text === 'string' ? Buffer.from(text) : text, likePython }
}

/** A multipart/mixed with one boundary, of parts with their header sections. */
function mixed(name: string, parts: readonly string[], more: { head?: string[]; likePython?: boolean } = {}): OddMail {
  const head = ['From: ann@example.com', `Subject: ${name}`, ...(more.head ?? [])]
  const type = 'Content-Type: multipart/mixed; boundary="b1"'
  const body = [...parts.flatMap((part) => ['--b1', part]), '--b1--', '']
  return mail(name, latin1(lines(...head, 'MIME-Version: 1.0', type, '', ...body)), more.likePython)
}

const pdf = (...head: string[]) =>
  lines('Content-Type: application/pdf', 'Content-Transfer-Encoding: base64', ...head, '', base64(latin1(PDF)))
const named = (disposition: string) => pdf(`Content-Disposition: attachment; ${disposition}`)
const text = lines('Content-Type: text/plain; charset=utf-8', '', 'Hello,', 'see below.')
const nested = (depth: number): string =>
  lines(
    `Content-Type: multipart/mixed; boundary="n${depth}"`,
    '',
    `--n${depth}`,
    depth === 0 ? pdf('Content-Disposition: attachment; filename=deep.pdf') : nested(depth - 1),
    `--n${depth}--`,
  )

const uuencoded = lines('begin 644 hello.txt', '-:&5L;&\\L(\'=O<FQD"@', '`', 'end', '')

export const ODD_MAILS: readonly OddMail[] = [
  mail('nothing', ''),
  mail('a header section alone', 'Subject: x\r\n'),
  mail('text alone', lines('Subject: x', '', 'text', '')),
  mail('a scan as the whole body', lines('Subject: scan', named('filename="scan 1.pdf"'))),
  mixed('a text and a scan', [text, named('filename=scan.pdf')]),
  mixed('two of one name', [text, named('filename=scan.pdf'), named('filename=scan.pdf')]),
  mixed('text parts that are attached', [
    text,
    lines('Content-Type: text/plain; name=notes.txt', '', 'notes'),
    lines('Content-Type: text/html', 'Content-Disposition: attachment', '', '<p>'),
  ]),
  mail(
    'alternatives with an image',
    lines(
      'Subject: newsletter',
      'Content-Type: multipart/related; boundary=rel',
      '',
      '--rel',
      'Content-Type: multipart/alternative; boundary=alt',
      '',
      '--alt',
      'Content-Type: text/plain',
      '',
      'text',
      '--alt',
      'Content-Type: text/html',
      '',
      '<img src=cid:logo@x>',
      '--alt--',
      '',
      '--rel',
      'Content-Type: image/png; name="logo.png"',
      'Content-ID: <logo@x>',
      'Content-Disposition: inline',
      'Content-Transfer-Encoding: base64',
      '',
      base64(PNG),
      '--rel--',
      '',
    ),
  ),
  mail(
    'an invitation',
    lines(
      'Subject: =?utf-8?Q?Einladung:_Gr=C3=BC=C3=9Fe?=',
      'Content-Type: multipart/alternative; boundary="=_c"',
      '',
      '--=_c',
      'Content-Type: text/plain',
      '',
      'come',
      '--=_c',
      'Content-Type: text/calendar; method=REQUEST; charset=UTF-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'BEGIN:VCALENDAR',
      'SUMMARY:Gr=C3=BC=C3=9Fe=20',
      ' und mehr=',
      ' davon',
      'END:VCALENDAR',
      '--=_c--',
    ),
  ),
  mixed('names of RFC 2231', [
    named("filename*=utf-8''Rechnung%20M%C3%A4rz.pdf"),
    named('filename*0*=utf-8\'\'Gr%C3;\r\n filename*1*=%BC%C3%9Fe%20aus; filename*2=" Berlin.pdf"'),
    named('filename="fallback.pdf"; filename*=iso-8859-1\'de\'%DCbersicht.pdf'),
    named('filename*0="plain con"; filename*1="tinued.pdf"'),
  ]),
  mixed('names in encoded words', [
    named('filename="=?utf-8?B?UmVjaG51bmcgTcOkcnoucGRm?="'),
    named('filename="=?utf-8?B?R3I=?=\r\n =?utf-8?B?w7w=?= =?utf-8?Q?=C3=9Fe.pdf?="'),
    named('filename==?iso-8859-1?Q?=DCbersicht.pdf?='),
    lines('Content-Type: application/pdf; name="=?koi8-r?B?8NLJ18XU?=.pdf"', '', 'x'),
  ]),
  mixed('an encoded word split within a character', [named('filename="=?utf-8?Q?Gr=C3?= =?utf-8?Q?=BC=C3=9Fe.pdf?="')]),
  mixed('names that mean no good', [
    named('filename="../../etc/passwd"'),
    named('filename="C:\\\\Windows\\\\evil.exe"'),
    named('filename=".."'),
    named('filename="/"'),
    named('filename="  .hidden. . "'),
    named('filename="con.txt"'),
    named("filename*=utf-8''%E2%80%AEfdp.exe"),
    named("filename*=utf-8''a%00b%0D%0Ac%1B%5B31m.pdf"),
    named('filename="a<b>c:d|e?f*g.pdf"'),
    named(`filename="${'x'.repeat(300)}.pdf"`),
    named(`filename*=utf-8''${'%C3%A4'.repeat(200)}.pdf`),
    named('filename=""'),
    pdf('Content-Disposition: attachment'),
  ]),
  mixed('raw 8-bit names', [named('filename="Grüße.pdf"'), named('filename="Gr\u00c3\u00bc\u00c3\u009fe.pdf"')], {
    likePython: false,
  }),
  mixed(
    'encodings',
    [
      lines(
        'Content-Type: application/x-a; name=a',
        'Content-Transfer-Encoding: BASE64',
        '',
        'aGVs',
        'bG8=',
        'IQ==',
        '',
      ),
      lines(
        'Content-Type: application/x-b; name=b',
        'Content-Transfer-Encoding: Quoted-Printable',
        '',
        'a=3D=',
        'b=\t',
        ' c  ',
        'd=ZZ',
      ),
      lines('Content-Type: application/x-c; name=c', 'Content-Transfer-Encoding: 8bit', '', '\u00e4\u00f6\u00fc'),
      lines('Content-Type: application/x-d; name=d', 'Content-Transfer-Encoding: binary', '', '\0\x01\r\x02\n\x03'),
      lines('Content-Type: application/x-e; name=e', 'Content-Transfer-Encoding: 7bit (really)', '', 'plain'),
      lines('Content-Type: application/x-f; name=f', 'Content-Transfer-Encoding: x-unheard-of', '', 'as it is'),
      lines('Content-Type: application/x-g; name=g', 'Content-Transfer-Encoding: base64', '', 'a!G?V*s', 'b'),
    ],
    { likePython: false },
  ),
  mixed('uuencode', [
    lines('Content-Type: text/plain; name=hello.txt', 'Content-Transfer-Encoding: x-uuencode', '', uuencoded),
  ]),
  mixed('a winmail.dat', [
    text,
    lines('Content-Type: application/ms-tnef; name="winmail.dat"', 'Content-Transfer-Encoding: base64', '', 'eJ8+Ig=='),
  ]),
  mixed(
    'a message within',
    [
      text,
      lines(
        'Content-Type: message/rfc822',
        'Content-Disposition: attachment; filename="Re: Hello"',
        '',
        'Subject: inner',
        'Content-Type: multipart/mixed; boundary=inner',
        '',
        '--inner',
        'Content-Type: image/png; name=inner.png',
        '',
        'x',
        '--inner--',
        '',
      ),
    ],
    { likePython: false },
  ),
  mail(
    'a digest',
    lines(
      'Content-Type: multipart/digest; boundary=d',
      '',
      '--d',
      '',
      'Subject: one',
      '',
      '1',
      '--d',
      '',
      'Subject: two',
      '',
      '2',
      '--d--',
      '',
    ),
    false,
  ),
  mail(
    'signed with PGP',
    lines(
      'Content-Type: multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"; boundary=s',
      '',
      '--s',
      'Content-Type: multipart/mixed; boundary=i',
      '',
      '--i',
      text,
      '--i',
      named('filename=contract.pdf'),
      '--i--',
      '--s',
      'Content-Type: application/pgp-signature; name=signature.asc',
      '',
      '-----BEGIN PGP SIGNATURE-----',
      '--s--',
      '',
    ),
    false,
  ),
  mail(
    'encrypted with PGP',
    lines(
      'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=e',
      '',
      '--e',
      'Content-Type: application/pgp-encrypted',
      '',
      'Version: 1',
      '--e',
      'Content-Type: application/octet-stream; name=encrypted.asc',
      '',
      '-----BEGIN PGP MESSAGE-----',
      '--e--',
      '',
    ),
    false,
  ),
  mail(
    'enveloped by S/MIME',
    lines(
      'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m',
      'Content-Transfer-Encoding: base64',
      '',
      'MIAG',
      '',
    ),
    false,
  ),
  mail(
    'signed by S/MIME, opaquely',
    lines(
      'Content-Type: application/x-pkcs7-mime; smime-type=signed-data; name=smime.p7m',
      'Content-Transfer-Encoding: base64',
      '',
      'MIAG',
      '',
    ),
    false,
  ),
  mixed(
    'a signed mail within, with the footer of a list',
    [
      lines(
        'Content-Type: multipart/signed; boundary=s',
        '',
        '--s',
        named('filename=a.pdf'),
        '--s',
        'Content-Type: application/pkcs7-signature; name=smime.p7s',
        '',
        'x',
        '--s--',
      ),
      lines('Content-Type: text/plain', '', 'footer'),
      named('filename=b.pdf'),
    ],
    { likePython: false },
  ),
  mail('no boundary', lines('Content-Type: multipart/mixed', '', '--b1', named('filename=a.pdf'), '--b1--', ''), false),
  mail('no final boundary', lines('Content-Type: multipart/mixed; boundary=b1', '', '--b1', named('filename=a.pdf'))),
  mail(
    'an inner final boundary is missing',
    lines(
      'Content-Type: multipart/mixed; boundary=o',
      '',
      '--o',
      'Content-Type: multipart/mixed; boundary=i',
      '',
      '--i',
      named('filename=a.pdf'),
      '--o',
      named('filename=b.pdf'),
      '--o--',
      '',
    ),
  ),
  mail(
    'a boundary that begins another',
    lines(
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: multipart/mixed; boundary=bb',
      '',
      '--bb',
      named('filename=a.pdf'),
      '--bb--',
      '--b',
      named('filename=b.pdf'),
      '--b--',
      '',
    ),
  ),
  mail(
    'one boundary for two multiparts',
    lines(
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      named('filename=a.pdf'),
      '--b--',
      '--b',
      named('filename=b.pdf'),
      '--b--',
      '',
    ),
    false,
  ),
  mail(
    'spaces behind boundaries, and what is almost one',
    lines(
      'Content-Type: multipart/mixed; boundary="b 1"',
      '',
      'preamble',
      '--b 1 \t',
      'Content-Type: application/x-a; name=a',
      '',
      '--b 1x',
      ' --b 1',
      '--b',
      '--',
      '-',
      '--b 1--x',
      '--b 1-- ',
      'epilogue',
      '--b 1',
      'Content-Type: application/x-b; name=b',
      '',
      '',
    ),
  ),
  mail(
    'bare line feeds',
    lines('Content-Type: multipart/mixed; boundary=b', '', '--b', named('filename=a.pdf'), '--b--', '').replaceAll(
      '\r',
      '',
    ),
  ),
  mail(
    'line ends of all kinds',
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\nContent-Type: application/x-a; name=a\r\n\none\rtwo\nthree\r\r\n--b\r\nContent-Type: application/x-b; name=b\n\r\nfour\n\n\r\n--b--\n',
    false,
  ),
  mail(
    'a header section that a boundary ends',
    lines(
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: application/x-a; name=a',
      '--b',
      'Content-Type: application/x-b; name=b',
      '',
      'x',
      '--b--',
    ),
    false,
  ),
  mail(
    'an empty part',
    lines(
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: application/x-a; name=a',
      '',
      '--b--',
      '',
    ),
    false,
  ),
  mail(
    '8-bit headers',
    latin1(
      lines(
        'From: J\u00f6rg <joerg@example.com>',
        'Subject: Gr\u00fc\u00dfe',
        'Content-Type: application/pdf; name="\u00dcbersicht.pdf"',
        '',
        'x',
      ),
    ),
    false,
  ),
  mail('a subject split within a character', lines('Subject: =?utf-8?B?w7zD?=', ' =?utf-8?B?vA==?=', '', 'x')),
  mail(
    'folds of every kind',
    lines(
      'Subject: a',
      '\tb',
      '  c',
      'From:',
      ' ann@example.com',
      'Content-Type: multipart/mixed;',
      '\tboundary="b"',
      '',
      '--b',
      'Content-Type: application/pdf;',
      ' name="fol',
      ' ded.pdf"',
      '',
      'x',
      '--b--',
    ),
  ),
  mail('comments and case in the type', lines('CONTENT-TYPE: (c) Application/PDF (d); NAME=x.pdf (e)', '', 'x'), false),
  mail(
    'a header section of a part that is too long',
    lines(
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: application/x-a; name=a',
      `X-Filler: ${'y'.repeat(17_000)}`,
      'Content-Transfer-Encoding: base64',
      '',
      'aGVsbG8=',
      '--b--',
    ),
    false,
  ),
  mail(
    'a header section that is too long',
    lines(
      'Subject: first',
      ...Array.from({ length: 300 }, () => `X-Filler: ${'z'.repeat(1000)}`),
      'Subject: last',
      '',
      'x',
    ),
    false,
  ),
  mail('multiparts within each other, 12 of them', nested(11)),
  mail('multiparts within each other, 40 of them', nested(39), false),
  mixed(
    '300 attachments',
    Array.from({ length: 300 }, (_, index) => lines(`Content-Type: image/gif; name=${index}.gif`, '', 'G')),
    { likePython: false },
  ),
  mixed(
    '3,000 empty parts',
    Array.from({ length: 3000 }, () => ''),
    { likePython: false },
  ),
  mail(
    'boundaries and nothing else',
    lines('Content-Type: multipart/mixed; boundary=b', '', ...Array.from({ length: 2000 }, () => '--b'), '--b--'),
    false,
  ),
]
