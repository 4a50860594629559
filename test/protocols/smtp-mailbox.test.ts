import { expect, test } from 'vitest'
import { keyOf } from '../../protocols/smtp/envelope.ts'
import { Mailboxes } from '../../protocols/smtp/mailbox.ts'
import { RouteTable } from '../../protocols/smtp/route.ts'

const mailboxes = (domains: readonly string[]) => new Mailboxes({ domains, routes: new RouteTable(), parts: false })
const ours = mailboxes(['cenote.local', 'Bücher.example'])

test.each([
  ['inbox@cenote.local', { bucket: 'inbox' }],
  ['InBox@Cenote.LOCAL', { bucket: 'inbox' }],
  ['inbox+Tag@cenote.local', { bucket: 'inbox', tag: 'tag' }],
  ['inbox+one+two@cenote.local', { bucket: 'inbox', tag: 'one+two' }],
  ['inbox+@cenote.local', { bucket: 'inbox' }],
  ['+tag@cenote.local', { bucket: '', tag: 'tag' }],
  ['inbox@bücher.example', { bucket: 'inbox' }],
  ['inbox@xn--bcher-kva.example', { bucket: 'inbox' }],
  ['postmaster', { bucket: 'postmaster' }],
  ['Postmaster@cenote.local', { bucket: 'postmaster' }],
  ['inbox@example.org', undefined],
  ['inbox@sub.cenote.local', undefined],
  ['inbox@[127.0.0.1]', undefined],
  ['inbox@', undefined],
])('%s', (address, mailbox) => {
  expect(ours.find(address)).toEqual(mailbox && { prefix: '', parts: false, ...mailbox })
})

test('a domain that is none is refused at once', () => {
  expect(() => mailboxes(['cenote.local', 'no domain'])).toThrow("'no domain' is no domain")
})

test('the key tells the day, in UTC', () => {
  expect(keyOf({ time: Date.UTC(2024, 11, 31, 23, 59, 59, 999), text: 'U' })).toBe('2024/12/31/U.eml')
  expect(keyOf({ time: Date.UTC(2025, 0, 1), text: 'U' })).toBe('2025/01/01/U.eml')
})
