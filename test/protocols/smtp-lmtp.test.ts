import { expect, test } from 'vitest'
import { StoreError } from '../../streams/index.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { openDoor } from '../support/smtp-door.ts'

/* LMTP (RFC 2033): SMTP between mail servers of one house, with an answer for each recipient. */

const wire = wireForm('Subject: hello\r\n\r\nworld\r\n')

async function greeted(address: string): Promise<SmtpClient> {
  const client = await SmtpClient.open(address)
  expect(await client.reply()).toBe('220 cenote.local LMTP Cenote')
  expect(await client.command('LHLO client.example')).toContain('PIPELINING')
  return client
}

async function replies(client: SmtpClient, count: number): Promise<string[]> {
  const said = []
  while (said.length < count) said.push(await client.reply())
  return said
}

test('each RCPT that was accepted has its reply, also one that was said twice', async () => {
  await using door = await openDoor({ lmtp: true })
  const client = await greeted(door.address)
  await client.commands('MAIL FROM:<ada@example.org>')
  const recipients = [
    'inbox',
    'nobody@elsewhere.example',
    'archive@cenote.local',
    'inbox@cenote.local',
    'INBOX@cenote.local',
  ]
  const accepted = []
  for (const recipient of recipients) accepted.push((await client.command(`RCPT TO:<${recipient}>`)).slice(0, 3))
  expect(accepted).toEqual(['501', '550', '250', '250', '250'])
  await client.commands('DATA')
  client.write(wire)
  const stored =
    '250 2.6.0 Stored object 0000000000000001 version 0000000000000001, object 0000000000000002 version 0000000000000002'
  expect(await replies(client, 3)).toEqual([stored, stored, stored])
  await client.commands('NOOP')
  expect(client.unread).toBe('')
  expect(door.objects().map(({ bucket }) => bucket)).toEqual(['archive', 'inbox'])
})

test('all are refused, or none: a message is one transaction', async () => {
  await using door = await openDoor({ lmtp: true })
  const client = await greeted(door.address)
  await client.envelope('inbox@cenote.local', 'archive@cenote.local')
  door.store.fail('commit', new StoreError('ERR_NO_SPACE', 'The pool is full'))
  client.write(wire)
  expect(await replies(client, 2)).toEqual(['452 4.3.1 The pool is full', '452 4.3.1 The pool is full'])
  expect(door.store.size).toBe(0)
})

test('HELO and EHLO are of another protocol, and LHLO is of no other', async () => {
  await using lmtp = await openDoor({ lmtp: true })
  const client = await SmtpClient.open(lmtp.address)
  await client.reply()
  for (const command of ['HELO', 'EHLO']) expect(await client.command(`${command} client.example`)).toMatch(/^500 /)
  expect(await client.command('MAIL FROM:<ada@example.org>')).toBe('503 5.5.1 Error: send LHLO first')
  await using smtp = await openDoor()
  const other = await SmtpClient.open(smtp.address)
  await other.reply()
  expect(await other.command('LHLO client.example')).toMatch(/^500 /)
})
