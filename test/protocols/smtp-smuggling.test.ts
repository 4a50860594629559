import { expect, test } from 'vitest'
import { SmtpClient } from '../support/smtp-client.ts'
import { openDoor } from '../support/smtp-door.ts'

/*
 * SMTP smuggling (Timo Longin, SEC Consult, December 2023; postfix.org/smtp-smuggling.html): a message in which another
 * server would see an end, and after it commands. The forms are those that were published, and those that the scanners
 * for them try.
 */
const forgedEnds = [
  '\n.\n',
  '\n.\r\n',
  '\n.\r',
  '\n\n.\r\n',
  '\r.\r',
  '\r.\n',
  '\r.\r\n',
  '\r\n.\n',
  '\r\n.\r',
  '\r\n.\r\r\n',
  '\r\n\0.\r\n',
  '\r\n\0.\r',
  '\r\n\0.\n',
  '\r\n.\0\r\n',
  '\r\n.\0\n',
]
const smuggled = 'MAIL FROM:<eve@example.org>\r\nRCPT TO:<archive@cenote.local>\r\nDATA\r\nFrom: boss\r\n\r\nsmuggled'

test.each(forgedEnds)('%j is no end of a message, and what holds it is not stored', async (end) => {
  await using door = await openDoor()
  const client = await SmtpClient.greeted(door.address)
  const reply = await client.message(`Subject: innocent\r\n\r\nhello${end}${smuggled}\r\n.\r\n`, 'inbox@cenote.local')
  expect(reply).toMatch(/^550 5\.6\.0 A dot alone on a line/)
  expect(await client.command('NOOP')).toBe('250 2.0.0 OK')
  expect(client.unread).toBe('')
  expect(door.store.size).toBe(0)
  expect(await client.message('fine\r\n.\r\n', 'inbox@cenote.local')).toMatch(/^250 /)
})

test('a forged end is not stored either when it begins the message, or comes byte by byte', async () => {
  await using door = await openDoor()
  const client = await SmtpClient.greeted(door.address)
  expect(await client.message('.\n\r\n.\r\n', 'inbox@cenote.local')).toMatch(/^550 5\.6\.0 /)
  await client.envelope('inbox@cenote.local')
  for (const byte of Buffer.from('x\n.\r\ny\r\n.\r\n')) await client.written(Uint8Array.of(byte))
  expect(await client.reply()).toMatch(/^550 5\.6\.0 /)
  expect(door.store.size).toBe(0)
})

test('a dot that is stuffed is content, whatever line end follows it', async () => {
  await using door = await openDoor()
  const client = await SmtpClient.greeted(door.address)
  expect(await client.message('a\r\n..\nb\r\n..\rc\r\n..\r\n.\r\n', 'inbox@cenote.local')).toMatch(/^250 /)
  expect(door.objects()[0]?.bytes.toString()).toBe('a\r\n.\nb\r\n.\rc\r\n.\r\n')
})

test.each(['NOOP\rMAIL FROM:<eve@example.org>', 'MAIL FROM:<a@example.org\0>', 'RSET\r'])(
  '%j is no command: another server might see two',
  async (line) => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    expect(await client.command(line)).toBe('500 5.5.2 A command ends in CR LF, and has no CR or NUL in it')
    expect(await client.command('RCPT TO:<inbox@cenote.local>')).toMatch(/^503 /)
  },
)
