import { expect, test } from 'vitest'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { openDoor } from '../support/smtp-door.ts'

/* What clients ask of reports on delivery (RFC 3461): recorded, each bucket with what is of its recipients. */

test('RET, ENVID, NOTIFY and ORCPT are facts of the mail', async () => {
  await using door = await openDoor()
  const client = await SmtpClient.greeted(door.address)
  await client.commands(
    'MAIL FROM:<ada@example.org> RET=hdrs ENVID=QQ+2B314159',
    'RCPT TO:<inbox@cenote.local> NOTIFY=failure,delay ORCPT=rfc822;bob+3Dx@example.org',
    'RCPT TO:<inbox+plain@cenote.local>',
    'RCPT TO:<archive@cenote.local> NOTIFY=NEVER',
    'DATA',
  )
  client.write(wireForm('hello\r\n'))
  expect(await client.reply()).toMatch(/^250 /)
  expect(await client.message(wireForm('other\r\n'), 'inbox@cenote.local')).toMatch(/^250 /)
  const common = { ret: 'HDRS', envid: 'QQ+314159' }
  const inbox = { address: 'inbox@cenote.local', notify: 'FAILURE,DELAY', orcpt: 'rfc822;bob=x@example.org' }
  expect(door.objects().map(({ facts }) => facts.dsn)).toEqual([
    { ...common, recipients: [inbox] },
    { ...common, recipients: [{ address: 'archive@cenote.local', notify: 'NEVER' }] },
    undefined,
  ])
})

test.each([
  'MAIL FROM:<ada@example.org> RET=SOME',
  'MAIL FROM:<ada@example.org> RET=FULL RET=HDRS',
  'MAIL FROM:<ada@example.org> ENVID=',
  'MAIL FROM:<ada@example.org> ENVID=a+0Db',
  'RCPT TO:<inbox@cenote.local> NOTIFY=NEVER,DELAY',
  'RCPT TO:<inbox@cenote.local> NOTIFY=OFTEN',
  'RCPT TO:<inbox@cenote.local> ORCPT=bob@example.org',
])('%s is refused', async (command) => {
  await using door = await openDoor()
  const client = await SmtpClient.greeted(door.address)
  if (command.startsWith('RCPT')) await client.commands('MAIL FROM:<ada@example.org>')
  expect(await client.command(command)).toMatch(/^501 5\./)
})
