import { expect, test } from 'vitest'
import { addressBytesMax, takeAddress } from '../../protocols/smtp/address-command.ts'
import { SmtpClient } from '../support/smtp-client.ts'
import { mailerSecret, openDoor } from '../support/smtp-door.ts'

/*
 * What scanners, copiers and their like really send, byte for byte, and how it is answered: each line with the beginning of
 * its reply, parted by ` -> `. `MAIL`, `RCPT` and `DATA` stand for commands as they should be.
 */

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const plain = base64(`\0mailer\0${mailerSecret}`)
const usual = ['EHLO scanner -> 250-', 'MAIL', 'RCPT', 'DATA']
const spelled: { readonly [line: string]: string } = {
  MAIL: 'MAIL FROM:<scanner@example.org> -> 250 2.1.0',
  RCPT: 'RCPT TO:<inbox@cenote.local> -> 250 2.1.5',
  DATA: 'DATA -> 354',
}
const page = 'Subject: page\r\n\r\nscanned\r\n'
const ended = `${page}. -> 250 2.6.0`

interface Habit {
  readonly lines: readonly string[]
  /** Messages that are stored then. */
  readonly stored?: readonly string[]
  readonly facts?: object
  /** For those who wait for the server to give up. */
  readonly idleMsMax?: number
}

const from = (command: string, mailFrom: string): Habit => ({
  lines: ['EHLO scanner -> 250-', `${command} -> 250 2.1.0`, 'RCPT', 'DATA', ended],
  stored: [page],
  facts: { mailFrom },
})
const sent = (message: string): Habit => ({ lines: [...usual, `${message}. -> 250 2.6.0`], stored: [message] })
const greeted = (command: string, helo: string): Habit => ({
  lines: [`${command} -> 250`, 'MAIL', 'RCPT', 'DATA', ended],
  stored: [page],
  facts: { helo },
})

const habits: { readonly [habit: string]: Habit } = {
  'HELO and no extensions': greeted('HELO copier', 'copier'),
  'an address literal for a name': greeted('EHLO [192.168.1.40]', '[192.168.1.40]'),
  'an address literal of IPv6': greeted('EHLO [IPv6:fe80::1]', '[ipv6:fe80::1]'),
  'an address without brackets for a name': greeted('HELO 192.168.1.40', '192.168.1.40'),
  'a name that no host may have': greeted('EHLO BRN_30055C!', 'brn_30055c!'),
  'a name of two words': { lines: ['EHLO Office Copier -> 501', 'HELO Office Copier -> 501'] },
  'no name at all': { lines: ['HELO -> 501', 'EHLO -> 501'] },
  'no greeting': { lines: ['MAIL FROM:<scanner@example.org> -> 503 5.5.1'] },

  'a space after the colon': from('MAIL FROM: <scanner@example.org>', 'scanner@example.org'),
  'spaces all around': from('MAIL FROM :  < scanner@example.org >  ', 'scanner@example.org'),
  'lower case': from('mail from:<scanner@example.org>', 'scanner@example.org'),
  'an address without brackets': from('MAIL FROM:scanner@example.org', 'scanner@example.org'),
  'an address without brackets, and a size': from('MAIL FROM: scanner@example.org SIZE=27', 'scanner@example.org'),
  'a domain with an underscore': from('MAIL FROM:<x@OFFICE_PC.lan>', 'x@OFFICE_PC.lan'),
  'a domain that is this machine': from('MAIL FROM:<scanner@localhost>', 'scanner@localhost'),
  'a domain that is an address': from('MAIL FROM:<scanner@[192.168.1.40]>', 'scanner@[192.168.1.40]'),
  'an address for a domain, without brackets': from('MAIL FROM:<scanner@192.168.1.40>', 'scanner@192.168.1.40'),
  'dots at the wrong places': from('MAIL FROM:<.scan..er.@example.org.>', '.scan..er.@example.org.'),
  'a sender without a domain': from('MAIL FROM:<copier>', 'copier'),
  'nobody for a sender': from('MAIL FROM:<>', ''),
  'a sender with a name': { lines: ['EHLO x -> 250-', 'MAIL FROM:Copier <c@example.org> -> 501 5.1.7'] },
  'a sender with a space in it': { lines: ['EHLO x -> 250-', 'MAIL FROM:<office copier> -> 501 5.1.7'] },
  'no sender': { lines: ['EHLO x -> 250-', 'MAIL FROM: -> 501 5.1.7', 'MAIL FROM:SIZE=27 -> 501 5.1.7'] },
  'no colon': { lines: ['EHLO x -> 250-', 'MAIL FROM <scanner@example.org> -> 501 5.1.7'] },
  'a recipient without brackets': {
    lines: ['EHLO x -> 250-', 'MAIL', 'RCPT TO:inbox@cenote.local -> 250 2.1.5', 'DATA', ended],
    stored: [page],
    facts: { rcptTo: ['inbox@cenote.local'] },
  },
  'a recipient without a domain': { lines: ['EHLO x -> 250-', 'MAIL', 'RCPT TO:<inbox> -> 501 5.1.3'] },
  'two recipients in one command': {
    lines: ['EHLO x -> 250-', 'MAIL', 'RCPT TO:<inbox@cenote.local>,<archive@cenote.local> -> 501 5.1.3'],
  },

  'AUTH LOGIN with the name in the command': {
    lines: [
      'EHLO x -> 250-',
      `AUTH LOGIN ${base64('mailer')} -> 334 UGFzc3dvcmQ6`,
      `${base64(mailerSecret)} -> 235 2.7.0`,
      ...usual.slice(1),
      ended,
    ],
    stored: [page],
    facts: { login: 'mailer' },
  },
  'AUTH PLAIN in two steps': {
    lines: ['EHLO x -> 250-', 'AUTH PLAIN -> 334', `${plain} -> 235 2.7.0`, ...usual.slice(1), ended],
    stored: [page],
    facts: { login: 'mailer' },
  },
  'AUTH after HELO': {
    lines: ['HELO x -> 250', `AUTH PLAIN ${plain} -> 235 2.7.0`, ...usual.slice(1), ended],
    stored: [page],
    facts: { login: 'mailer' },
  },

  'header fields in Latin-1': sent('Subject: Rechnung f\xfcr B\xf6rse\r\n\r\nscanned\r\n'),
  'lines beyond 998 octets': sent(`Subject: page\r\n\r\n${'QUJD'.repeat(20_000)}\r\n`),
  'no header but one field': sent('From: scanner@example.org\r\n\r\n'),
  'no body': sent('Subject: page\r\n'),
  nothing: sent(''),
  'LF for line ends, but for the last': sent('Subject: page\n\nscanned\n\r\n'),
  'LF for line ends of commands': {
    lines: ['EHLO x\n -> 250-', `MAIL FROM:<a@b.example>\nRCPT TO:<inbox@cenote.local>\n -> 250 2.1.0`],
  },
  'LF for line ends, and a dot alone': {
    lines: [...usual, 'Subject: page\n\nscanned\n.\n\r\n. -> 550 5.6.0 A dot alone'],
  },
  'LF for line ends throughout': {
    lines: [...usual, 'Subject: page\n\nscanned\n.\n -> 421 4.4.2'],
    idleMsMax: 400,
  },

  'RSET before each mail': {
    lines: ['EHLO x -> 250-', 'RSET -> 250', ...usual.slice(1), ended, 'RSET -> 250', ...usual.slice(1), ended],
    stored: [page, page],
  },
  'RSET within a mail': { lines: [...usual.slice(0, 3), 'RSET -> 250', 'DATA -> 503 5.5.1'] },
  'NOOP to stay connected': {
    lines: ['EHLO x -> 250-', 'NOOP -> 250', ...usual.slice(1), ended, 'NOOP -> 250', 'NOOP -> 250'],
    stored: [page],
  },
  'EHLO again for each mail': { lines: [...usual, ended, ...usual, ended], stored: [page, page] },
}

/** Everybody leaves without QUIT, as many do. */
test.each(Object.keys(habits))('%s', { concurrent: true }, async (name) => {
  const { lines, stored = [], facts = {}, idleMsMax } = habits[name]!
  await using door = await openDoor(idleMsMax === undefined ? {} : { limits: { idleMsMax } })
  const client = await SmtpClient.open(door.address)
  await client.reply()
  for (const line of lines) {
    const [said = '', reply = ''] = (spelled[line] ?? line).split(' -> ')
    client.write(Buffer.from(said.endsWith('\n') ? said : `${said}\r\n`, 'latin1'))
    expect((await client.reply()).slice(0, reply.length), said).toBe(reply)
  }
  client.end()
  const objects = door.objects()
  expect(objects.map(({ bytes }) => bytes.toString('latin1'))).toEqual(stored)
  for (const object of objects) expect(object.facts).toMatchObject(facts)
  expect(door.errors).toEqual([])
})

test('addressBytesMax: as many octets, and no more', () => {
  const longest = `${'x'.repeat(addressBytesMax - '@example.org'.length)}@example.org`
  expect(takeAddress(`MAIL FROM:<${longest}> SIZE=1`)).toEqual({ address: longest, bare: 'MAIL FROM:<> SIZE=1' })
  expect(takeAddress(`MAIL FROM:<x${longest}>`)).toBeUndefined()
  expect(takeAddress(`MAIL FROM:<ü${longest.slice(1)}>`)).toBeUndefined()
})

test.each(['a@b@c', '@b', 'a@', 'a\u200bb@c', 'a\tb@c', 'a\u0007@c', 'a b@c', '@relay:@b'])(
  '%j is no address',
  (address) => {
    expect(takeAddress(`MAIL FROM:<${address}>`)).toBeUndefined()
  },
)

test('a source route goes, and a domain is shown as people write it', () => {
  expect(takeAddress('RCPT TO:<@one.example,@two.example:a@b.example>')?.address).toBe('a@b.example')
  expect(takeAddress('RCPT TO:<a@xn--bcher-kva.example>')?.address).toBe('a@bücher.example')
  expect(takeAddress('RCPT TO:<a@xn--\u00fc_.example>')?.address).toBe('a@xn--\u00fc_.example')
})
