import { once } from 'node:events'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { enhancedStatus } from '../../protocols/smtp/refusal.ts'
import { StoreError, type StoreErrorCode } from '../../streams/index.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { openDoor } from '../support/smtp-door.ts'

const mail = 'Subject: hello\r\n\r\nworld\r\n'

test('a message becomes an object, and the reply tells its receipt', async () => {
  await using door = await openDoor()
  const client = await SmtpClient.greeted(door.address)
  const reply = await client.message(wireForm(mail), 'Inbox+Invoices@CENOTE.local')
  expect(reply).toBe('250 2.6.0 Stored object 0000000000000001 version 0000000000000001')
  expect(await client.command('QUIT')).toMatch(/^221 /)
  const [object] = door.objects()
  expect(object?.bytes.toString()).toBe(mail)
  expect(object).toMatchObject({
    bucket: 'inbox',
    key: expect.stringMatching(/^2025\/03\/01\/[0-9A-HJKMNP-TV-Z]{26}\.eml$/),
    facts: {
      type: 'email',
      mailFrom: 'ada@example.org',
      rcptTo: ['Inbox+Invoices@CENOTE.local'],
      helo: 'client.example',
      secure: false,
      tag: 'invoices',
    },
    origin: {
      protocol: 'smtp',
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      request: expect.stringMatching(/\.1$/),
    },
  })
})

test('the null sender has an empty name', async () => {
  await using door = await openDoor()
  const client = await SmtpClient.greeted(door.address)
  await client.commands('MAIL FROM:<>', 'RCPT TO:<inbox@cenote.local>', 'DATA')
  client.write(wireForm(mail))
  expect(await client.reply()).toMatch(/^250 2\.6\.0 /)
  expect(door.objects()[0]?.facts.mailFrom).toBe('')
})

describe('yes only once durable', () => {
  test('no reply while the commit is underway', async () => {
    await using door = await openDoor()
    const release = door.store.hold('commit')
    const client = await SmtpClient.greeted(door.address)
    await client.envelope('inbox@cenote.local')
    const committing = once(door.store.events, 'commit')
    client.write(wireForm(mail))
    await committing
    // A whole session later, everything that could have been said was said.
    const other = await SmtpClient.greeted(door.address)
    await other.commands('NOOP', 'QUIT')
    expect(client.unread).toBe('')
    release()
    expect(await client.reply()).toMatch(/^250 2\.6\.0 Stored/)
  })

  const codes = Object.keys(enhancedStatus) as StoreErrorCode[]
  test.each(codes)('a commit that fails with %s is refused', async (code) => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    await client.envelope('inbox@cenote.local')
    door.store.fail('commit', new StoreError(code, 'because'))
    client.write(wireForm(mail))
    expect(await client.reply()).toMatch(new RegExp(`^[45]\\d\\d ${enhancedStatus[code]} because$`))
    expect(door.store.size).toBe(0)
  })

  test('an error that is not ours is told as an internal one, and logged', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    await client.envelope('inbox@cenote.local')
    door.store.fail('commit', new Error('secret detail'))
    client.write(wireForm(mail))
    expect(await client.reply()).toBe('451 4.3.0 Internal error')
    expect(door.errors).toHaveLength(1)
  })

  test('a full store says 452 at RCPT, and after the final dot when it fills later', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    const full = new StoreError('ERR_NO_SPACE', 'The pool is full')
    await client.commands('MAIL FROM:<ada@example.org>')
    door.store.fail('begin', full)
    expect(await client.command('RCPT TO:<inbox@cenote.local>')).toBe('452 4.3.1 The pool is full')
    await client.commands('RSET')
    for (const moment of ['begin', 'write'] as const) {
      await client.commands('MAIL FROM:<ada@example.org>', 'RCPT TO:<inbox@cenote.local>')
      door.store.fail(moment, full)
      await client.commands('DATA')
      client.write(wireForm(mail.repeat(10_000)))
      expect(await client.reply()).toBe('452 4.3.1 The pool is full')
    }
    expect(await client.message(wireForm(mail), 'inbox@cenote.local')).toMatch(/^250 /)
    expect(door.store.size).toBe(1)
  })
})

describe('several recipients', () => {
  test('two buckets get the message under one key, each with its own recipients', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    const recipients = ['inbox+one@cenote.local', 'archive@cenote.local', 'INBOX+two@cenote.local']
    const reply = await client.message(wireForm(mail), ...recipients)
    expect(reply).toMatch(/^250 2\.6\.0 Stored object \d{16} version \d{16}, object \d{16} version \d{16}$/)
    const [inbox, archive, ...others] = door.objects()
    expect(others).toEqual([])
    expect(inbox).toMatchObject({
      bucket: 'inbox',
      facts: { rcptTo: ['inbox+one@cenote.local', 'INBOX+two@cenote.local'], tag: 'one' },
    })
    expect(archive).toMatchObject({ bucket: 'archive', facts: { rcptTo: ['archive@cenote.local'] } })
    expect(archive?.facts).not.toHaveProperty('tag')
    expect(archive?.key).toBe(inbox?.key)
    expect(archive?.bytes.equals(inbox!.bytes)).toBe(true)
  })

  test('a commit that is refused leaves the message in none', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    await client.envelope('inbox@cenote.local', 'archive@cenote.local')
    door.store.fail('commit', new StoreError('ERR_BUSY', 'Busy'))
    client.write(wireForm(mail))
    expect(await client.reply()).toBe('451 4.3.2 Busy')
    expect(door.store.size).toBe(0)
  })

  test('an unknown bucket and an unknown domain are refused at RCPT, and the others stay', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    await client.commands('MAIL FROM:<ada@example.org>')
    for (const stranger of ['nowhere@cenote.local', 'inbox@example.org', '"in box"@cenote.local', 'postmaster']) {
      expect(await client.command(`RCPT TO:<${stranger}>`)).toMatch(/^550 5\.1\.1 |^501 5\.1\.3 /)
    }
    expect(await client.command('DATA')).toMatch(/^503 /)
    await client.commands('RCPT TO:<inbox@cenote.local>', 'DATA')
    client.write(wireForm(mail))
    expect(await client.reply()).toMatch(/^250 /)
    expect(door.objects().map(({ bucket }) => bucket)).toEqual(['inbox'])
  })
})

describe('byte for byte', () => {
  const messages: [string, string | Uint8Array][] = [
    ['an empty message', ''],
    ['a line end alone', '\r\n'],
    ['lines of dots', '.\r\n..\r\n...\r\n.x\r\n\r\n.\r\n'],
    [
      '8-bit octets, NUL among them',
      Buffer.concat([Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)), Buffer.from('\r\n')]),
    ],
    ['lines of 10,000 characters', `${'x'.repeat(10_000)}\r\n.${'y'.repeat(10_000)}\r\n`],
    ['5 MB', `${`${'0123456789abcdef'.repeat(4)}\r\n`.repeat(80_000)}`],
  ]
  test.each(messages)('%s', async (_name, message) => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    expect(await client.message(wireForm(message), 'inbox@cenote.local')).toMatch(/^250 /)
    expect(door.objects()[0]?.bytes.equals(Buffer.from(message))).toBe(true)
  })

  /** A line that is a dot alone, but for its line ends. */
  const isForged = (wire: string) => /(?:^|[\r\n])\0*\.\0*[\r\n]/.test(wire.slice(0, -3))

  test('any message, however it is cut into packets', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    const token = fc.constantFrom('\r\n', '\r\n', '.', '.', '\r', '\n', '\0', 'x', '\xff', 'DATA', ' ')
    const cuts = fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 6 })
    let count = 0
    await fc.assert(
      fc.asyncProperty(fc.array(token, { maxLength: 30 }), cuts, async (tokens, lengths) => {
        const message = Buffer.from(`${tokens.join('')}\r\n`, 'latin1')
        await client.envelope('inbox@cenote.local')
        let wire = wireForm(message)
        for (const length of lengths) {
          await client.written(wire.subarray(0, length))
          wire = wire.subarray(length)
        }
        client.write(wire)
        const reply = await client.reply()
        if (isForged(wireForm(message).toString('latin1'))) expect(reply).toMatch(/^550 5\.6\.0 /)
        else {
          expect(reply).toMatch(/^250 /)
          expect(door.objects()[count++]?.bytes.toString('latin1')).toBe(message.toString('latin1'))
        }
      }),
      { numRuns: 200 },
    )
  })

  test.each([
    ['a line feed or a carriage return alone is content', 'a\nb\rc\n\n\r\r\r\n', 'a\nb\rc\n\n\r\r\r\n'],
    ['dot-stuffing is undone at the start of a line (RFC 5321 section 4.5.2)', '.a\r\n..b\r\n', 'a\r\n.b\r\n'],
    ['and nowhere else', 'a\n..b\n.c\r.d\r\n', 'a\n..b\n.c\r.d\r\n'],
  ])('%s', async (_name, wire, message) => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    expect(await client.message(`${wire}.\r\n`, 'inbox@cenote.local')).toMatch(/^250 /)
    expect(door.objects()[0]?.bytes.toString()).toBe(message)
  })
})

describe('a connection that breaks before the final dot stores nothing', () => {
  const wire = 'Subject: x\r\n\r\n..y\r\nQUIT\r\n.\r\n'
  const cuts = Array.from({ length: wire.length }, (_, cut) => cut)

  test.each(['end', 'reset'] as const)('%s at any byte', async (way) => {
    await using door = await openDoor()
    for (const cut of cuts) {
      const client = await SmtpClient.greeted(door.address)
      await client.envelope('inbox@cenote.local', 'archive@cenote.local')
      const aborted = once(door.store.events, 'abort')
      await client.written(wire.slice(0, cut))
      client[way]()
      await aborted
      await client.closed()
    }
    expect(door.store.size).toBe(0)
    expect(door.errors).toEqual([])
  })

  test('while the store is slow to begin', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    await client.commands('MAIL FROM:<ada@example.org>', 'RCPT TO:<inbox@cenote.local>')
    const release = door.store.hold('begin')
    await client.commands('DATA')
    client.end()
    await client.closed()
    const aborted = once(door.store.events, 'abort')
    release()
    await aborted
    expect(door.store.size).toBe(0)
  })

  test('in the midst of a large one', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    await client.envelope('inbox@cenote.local')
    const aborted = once(door.store.events, 'abort')
    await client.written('x'.repeat(1 << 20))
    client.reset()
    await aborted
    expect(door.store.size).toBe(0)
  })

  test('and one that breaks after it is stored all the same', async () => {
    await using door = await openDoor()
    const release = door.store.hold('commit')
    const client = await SmtpClient.greeted(door.address)
    await client.envelope('inbox@cenote.local')
    const committing = once(door.store.events, 'commit')
    client.write(wireForm(mail))
    await committing
    client.end()
    await client.closed()
    release()
    await door.frontend.drain()
    expect(door.store.size).toBe(1)
  })
})

describe('a session', () => {
  test('carries two messages, with different keys', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    expect(await client.message(wireForm(mail), 'inbox@cenote.local')).toMatch(/^250 /)
    expect(await client.message(wireForm('other\r\n'), 'inbox@cenote.local')).toMatch(/^250 /)
    const [first, second] = door.objects()
    expect(second?.bytes.toString()).toBe('other\r\n')
    expect(second!.key > first!.key).toBe(true)
  })

  test('leaves no upload open behind a recipient', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    await client.commands('MAIL FROM:<ada@example.org>', 'RCPT TO:<inbox@cenote.local>', 'QUIT')
    expect(door.store.begun).toHaveLength(1)
    expect(door.store.aborted).toHaveLength(1)
  })

  test('forgets its recipients at RSET and stores nothing at QUIT', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.greeted(door.address)
    await client.commands('MAIL FROM:<ada@example.org>', 'RCPT TO:<archive@cenote.local>', 'RSET')
    expect(await client.command('DATA')).toMatch(/^503 /)
    expect(await client.message(wireForm(mail), 'inbox@cenote.local')).toMatch(/^250 /)
    await client.commands('MAIL FROM:<ada@example.org>', 'RCPT TO:<archive@cenote.local>', 'QUIT')
    await client.closed()
    expect(door.objects().map(({ bucket }) => bucket)).toEqual(['inbox'])
  })

  test('may be sent in one packet (PIPELINING)', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.open(door.address)
    const transaction = `MAIL FROM:<ada@example.org>\r\nRCPT TO:<inbox@cenote.local>\r\nDATA\r\n${wireForm(mail)}`
    client.write(`EHLO client.example\r\n${transaction}${transaction}QUIT\r\n`)
    const codes = []
    for (let reply = await client.reply(); reply; reply = await client.reply()) codes.push(reply.slice(0, 3))
    expect(codes.join(' ')).toBe('220 250 250 250 354 250 250 250 354 250 221')
    expect(door.objects().map(({ bytes }) => bytes.toString())).toEqual([mail, mail])
  })

  test('is told what the server can do, and refused what it cannot', async () => {
    await using door = await openDoor()
    const client = await SmtpClient.open(door.address)
    expect(await client.reply()).toBe('220 cenote.local ESMTP Cenote')
    const features = (await client.command('EHLO client.example')).split('\r\n').map((line) => line.slice(4))
    expect(features.slice(1).sort()).toEqual([
      '8BITMIME',
      'AUTH PLAIN LOGIN',
      'DSN',
      'ENHANCEDSTATUSCODES',
      'PIPELINING',
      'SIZE 67108864',
      'SMTPUTF8',
    ])
    for (const command of ['STARTTLS', 'XCLIENT ADDR=192.0.2.1', 'WIZ x', 'KILL', 'SHELL']) {
      expect(await client.command(command)).toMatch(/^500 5\.5\.2 /)
    }
  })
})
