import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NAME_BYTES_MAX, safeName } from '../../filters/mime/safe-name.ts'

const PDF = 'application/pdf'

test.each<[name: string, safe: string, type?: string]>([
  ['scan.pdf', 'scan.pdf'],
  ['Rechnung März 2026.pdf', 'Rechnung März 2026.pdf'],
  ['Ma\u0308rz.pdf', 'März.pdf'],
  ['../../etc/passwd', 'passwd'],
  ['..\\..\\boot.ini', 'boot.ini'],
  ['C:\\Windows\\evil.exe', 'evil.exe'],
  ['dir/', 'dir'],
  ['a/..', 'a'],
  ['..', 'part.pdf'],
  ['', 'part.pdf'],
  ['/', 'part.pdf'],
  [' . . ', 'part.pdf'],
  ['', 'part.eml', 'message/rfc822'],
  ['Re: Hello', 'Re_ Hello.eml', 'message/rfc822'],
  ['a.EML', 'a.EML', 'message/rfc822'],
  ['', 'part.ics', 'text/calendar'],
  ['', 'part.bin', 'application/x-unheard-of'],
  ['.htaccess', 'htaccess'],
  ['a.pdf. . .', 'a.pdf'],
  ['con', '_con'],
  ['CON.txt', '_CON.txt'],
  ['com1.pdf', '_com1.pdf'],
  ['LPT³', '_LPT³'],
  ['console.log', 'console.log'],
  ['\u202efdp.exe', 'fdp.exe'],
  ['a\u200b\ufeff\u2066b.pdf', 'ab.pdf'],
  ['a\0b\x1b[31m\x7f.pdf', 'ab[31m.pdf'],
  ['a\r\n b\t\tc', 'ab c'.replace('ab', 'a b').replace('b c', 'bc')],
  ['a\u2028b\ud800c', 'abc'],
  ['a<b>c:d"e|f?g*h', 'a_b_c_d_e_f_g_h'],
  [`${'x'.repeat(300)}.pdf`, `${'x'.repeat(251)}.pdf`],
  [`${'ä'.repeat(300)}.pdf`, `${'ä'.repeat(125)}.pdf`],
  [`${'x'.repeat(250)}. ${'y'.repeat(300)}`, `${'x'.repeat(250)}. ${'y'.repeat(3)}`],
])('%j is kept as %j', (name, safe, type = PDF) => {
  expect(safeName(name, type)).toBe(safe)
})

test('any name is safe, the same each time, and safe already once it is', () => {
  const pieces = ['/', '\\', '.', ' ', '..', 'con', '.eml', '\u202e', '\0', 'é', 'x'.repeat(120), '<', '\ud800']
  const name = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join('')),
  )
  const type = fc.constantFrom(PDF, 'message/rfc822', 'x/y', '')
  fc.assert(
    fc.property(name, type, fc.integer({ min: 24, max: NAME_BYTES_MAX }), (given, of, bytesMax) => {
      const safe = safeName(given, of, bytesMax)
      expect(safe).not.toMatch(/[/\\\p{Cc}\p{Cf}\p{Cs}<>:"|?*]|^[. ]|[. ]$|^$/u)
      expect(safe).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i)
      expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(bytesMax)
      expect(safeName(safe, of, bytesMax)).toBe(safe)
    }),
    { numRuns: 500 },
  )
})
