import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ftpFrontend } from '../../protocols/index.ts'
import { type Access, StoreError } from '../../streams/index.ts'
import { noPartials } from '../support/fake-partials.ts'
import { FakeStore } from '../support/fake-store.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { access, cameraSecret, type Door, openDoor } from '../support/ftp-door.ts'

let door: Door

beforeEach(async () => {
  door = await openDoor()
})

afterEach(() => door.frontend.close())

describe('login', () => {
  test('greets, asks and lets in', async () => {
    const client = await FtpClient.open(door.address)
    expect(await client.reply()).toBe('220 Cenote')
    expect(await client.command('USER camera')).toMatch(/^331 /)
    expect(await client.command(`PASS ${cameraSecret}`)).toMatch(/^230 /)
    expect(await client.command('QUIT')).toMatch(/^221 /)
    await client.closed()
  })

  test('refuses a wrong password, an unknown user and an application that may not use FTP', async () => {
    const attempts = { camera: 'wrong', nobody: 'wrong', browser: cameraSecret, '': cameraSecret }
    for (const [user, password] of Object.entries(attempts)) {
      const client = await FtpClient.greeted(door.address)
      expect(await client.command(`USER ${user}`)).toMatch(user ? /^331 / : /^501 /)
      expect(await client.command(`PASS ${password}`), user).toMatch(user ? /^530 / : /^503 /)
      expect(await client.command('PWD')).toBe('530 Log in first')
    }
  })

  test('ends the connection after the third refusal', async () => {
    const client = await FtpClient.greeted(door.address)
    for (let attempt = 0; attempt < 3; attempt++) {
      await client.commands('USER camera')
      expect(await client.command('PASS wrong')).toMatch(/^530 /)
    }
    expect(await client.reply()).toBe('421 Too many failed logins')
    client.write('USER camera\r\n')
    expect(await client.reply()).toBe('')
  })

  test('is not tried again by what came in the same breath as the third refusal', async () => {
    const client = await FtpClient.greeted(door.address)
    client.write('USER camera\r\n')
    client.write('PASS wrong\r\n'.repeat(3))
    client.write(`PASS ${cameraSecret}\r\nMKD /opened\r\n`)
    await client.closed()
    expect(client.unread).toMatch(/530 .*\r\n421 Too many failed logins\r\n$/)
    expect(door.store.records).toEqual([])
  })

  test('forgets the login before with another USER', async () => {
    const client = await FtpClient.loggedIn(door.address)
    await client.commands('CWD inbox', 'USER camera')
    expect(await client.command('PWD')).toMatch(/^530 /)
    await client.commands(`PASS ${cameraSecret}`)
    expect(await client.command('PWD')).toBe('257 "/"')
  })

  test('a store that cannot tell is no wrong password', async () => {
    const busy = { verify: () => Promise.reject(new StoreError('ERR_BUSY', 'Try again')) }
    await using other = await openDoor({ access: busy })
    const client = await FtpClient.greeted(other.address)
    await client.commands('USER camera')
    expect(await client.command(`PASS ${cameraSecret}`)).toBe('450 Try again')
  })

  describe('that is refused', () => {
    const lines = async (verify: Access['verify'], password: string) => {
      const written: object[] = []
      const keep = (level: string) => (fields: object, message: string) => written.push({ level, message, ...fields })
      const logger = { info: keep('info'), warn: keep('warn'), error: keep('error') }
      await using other = await openDoor({ access: { verify }, logger })
      const client = await FtpClient.greeted(other.address)
      await client.commands(`USER ${password}`)
      await client.command(`PASS ${password}`)
      return written
    }

    test('is one quiet line of the log: from where and why, and neither a stack nor what was shown', async () => {
      const written = await lines(access.verify, 'a slip of the tongue')
      const peer = expect.stringMatching(/^127\.0\.0\.1:\d+$/)
      const [session, reason] = [expect.any(String), 'Unknown key or wrong secret']
      expect(written).toEqual([{ level: 'info', message: 'FTP login refused', session, peer, reason }])
      expect(JSON.stringify(written)).not.toContain('a slip of the tongue')
    })

    test('for a reason that nobody foresaw is an error, once', async () => {
      const err = new TypeError('undefined is not a secret')
      const written = await lines(() => Promise.reject(err), 'whatever')
      expect(written).toEqual([
        expect.objectContaining({ level: 'info', reason: 'Internal error' }),
        expect.objectContaining({ level: 'error', err }),
      ])
    })
  })

  test('nothing that needs a login goes without', async () => {
    const client = await FtpClient.greeted(door.address)
    for (const command of [
      'PASV',
      'EPSV',
      'PORT 127,0,0,1,200,1',
      'LIST',
      'STOR a',
      'CWD /',
      'TYPE I',
      'REST 1',
      'STAT',
    ]) {
      expect(await client.command(command), command).toBe('530 Log in first')
    }
  })
})

describe('what is offered', () => {
  test('FEAT tells it before login, and TLS is not among it', async () => {
    const client = await FtpClient.greeted(door.address)
    const features = (await client.command('FEAT')).split('\r\n').slice(1, -1)
    expect(features.map((line) => line.trim())).toEqual([
      'AVBL',
      'EPRT',
      'EPSV',
      'HASH SHA-256*;SHA-1;MD5;CRC32',
      'HOST',
      'LANG EN*',
      'MDTM',
      'MFF modify;',
      'MFMT',
      'MLST type*;size*;modify*;',
      'PASV',
      'RANG STREAM',
      'REST STREAM',
      'SIZE',
      'TVFS',
      'UTF8',
      'XCRC',
      'XMD5',
      'XSHA1',
      'XSHA256',
    ])
    for (const command of ['AUTH TLS', 'AUTH', 'PROT P', 'PBSZ 0', 'CCC', 'NONSENSE', 'CONSTRUCTOR', '__PROTO__']) {
      expect(await client.command(command), command).toMatch(/^502 /)
    }
  })

  test('the small commands are answered', async () => {
    const client = await FtpClient.loggedIn(door.address)
    const replies = {
      SYST: /^215 UNIX/,
      NOOP: /^200 /,
      'TYPE A': /^200 The type is ascii$/,
      'TYPE L 8': /^200 The type is binary$/,
      'TYPE a n': /^200 The type is ascii$/,
      'TYPE I': /^200 The type is binary$/,
      'TYPE E': /^501 /,
      'TYPE A C': /^501 /,
      'TYPE L 36': /^501 /,
      TYPE: /^501 /,
      'MODE S': /^200 /,
      'MODE B': /^504 /,
      'STRU F': /^200 /,
      'STRU R': /^504 /,
      'ALLO 10': /^200 /,
      'OPTS UTF8 ON': /^200 /,
      'OPTS UTF8 OFF': /^501 /,
      HELP: /^214 /,
      XPWD: /^257 "\/"/,
      'SITE CHMOD 777 x': /^504 SITE knows HELP$/,
      SITE: /^501 /,
      'SITE HELP': /^214 SITE knows HELP$/,
      LANG: /^200 /,
      'LANG en-GB': /^200 /,
      'LANG fr': /^504 /,
      'HOST a.example': /^503 /,
      STOU: /^425 /,
      STOR: /^501 /,
      'MLSD /none': /^425 /,
    }
    for (const [command, reply] of Object.entries(replies))
      expect(await client.command(command), command).toMatch(reply)
    expect(await client.command('STAT')).toMatch(
      /^211-Cenote\r\n Connected from 127\.0\.0\.1:\d+\r\n Logged in as camera\r\n/,
    )
  })

  test('nothing is done after QUIT', async () => {
    const client = await FtpClient.loggedIn(door.address)
    client.write('QUIT\r\nMKD /later\r\n')
    await client.closed()
    await door.frontend.close()
    expect(door.store.records).toEqual([])
  })

  test('MLSD of a file is refused', async () => {
    const client = await FtpClient.loggedIn(door.address)
    await client.upload('/inbox/a', 'x')
    await client.data()
    expect(await client.command('MLSD /inbox/a')).toBe('501 That is a file; use MLST')
  })
})

describe('command lines', () => {
  test('may be cut anywhere, and several may come at once', async () => {
    const client = await FtpClient.greeted(door.address)
    client.write('US')
    client.write('ER cam')
    client.write(`era\r\nPASS ${cameraSecret}\r\nNOOP\r\nPW`)
    expect(
      [await client.reply(), await client.reply(), await client.reply()].map((reply) => reply.slice(0, 3)),
    ).toEqual(['331', '230', '200'])
    client.write('D\r\n')
    expect(await client.reply()).toBe('257 "/"')
  })

  test('that are too long are refused, and the next is heard', async () => {
    const client = await FtpClient.loggedIn(door.address)
    expect(await client.command(`STOR ${'x'.repeat(1 << 20)}`)).toBe('500 The command line is too long')
    expect(await client.command('NOOP')).toMatch(/^200 /)
    expect(client.unread).toBe('')
  })

  test('wait in a bounded queue', async () => {
    const client = await FtpClient.loggedIn(door.address)
    const release = door.store.hold('list')
    const listing = once(door.store.events, 'list')
    client.write('CWD /inbox/a\r\n')
    await listing
    client.write('PWD\r\n'.repeat(65))
    expect(await client.reply()).toBe('421 Too many commands at once')
    release()
    await client.closed()
  })

  test('are answered to those who read', async () => {
    await using strict = await openDoor({ limits: { repliesBytesMax: 1024, commandsQueuedMax: 1 << 20 } })
    const client = await FtpClient.loggedIn(strict.address)
    client.socket.pause().on('error', () => {})
    while (!client.socket.destroyed)
      await new Promise((resolve) => client.socket.write('FEAT\r\n'.repeat(1000), resolve))
    expect(client.unread).toBe('')
  })
})

describe('bounds', () => {
  test('connections', async () => {
    await using small = await openDoor({ limits: { connectionsMax: 2 } })
    const first = await FtpClient.loggedIn(small.address)
    await FtpClient.loggedIn(small.address)
    const third = await FtpClient.open(small.address)
    expect(await third.reply()).toBe('421 Too many connections')
    await third.closed()
    await first.command('QUIT')
    let greeting = ''
    while (greeting !== '220 Cenote') greeting = await (await FtpClient.open(small.address)).reply()
  })

  test('silence between commands, though bytes may dribble in', async () => {
    await using quick = await openDoor({ limits: { controlIdleMsMax: 40 } })
    const client = await FtpClient.loggedIn(quick.address)
    const dribble = setInterval(() => client.write('x'), 5)
    expect(await client.reply()).toBe('421 No command for too long')
    clearInterval(dribble)
    await client.closed()
  })

  test('a client that stays after our last word', async () => {
    await using quick = await openDoor({ limits: { closeMsMax: 30 } })
    const client = await FtpClient.loggedIn(quick.address)
    client.socket.allowHalfOpen = true
    client.write('QUIT\r\n')
    expect(await client.reply()).toMatch(/^221 /)
    await quick.frontend.drain()
  })
})

describe('stopping', () => {
  test('drain lets transfers finish, and says 421 to all', async () => {
    const [busy, idle] = [await FtpClient.loggedIn(door.address), await FtpClient.loggedIn(door.address)]
    const data = await busy.transfer('STOR /inbox/a')
    const drained = door.frontend.drain()
    expect(await idle.reply()).toBe('421 The server is stopping')
    await expect(FtpClient.open(door.address)).rejects.toThrow(/ECONNREFUSED/)
    data.end('hello')
    expect(await busy.reply()).toMatch(/^226 Stored 5 bytes/)
    expect(await busy.reply()).toBe('421 The server is stopping')
    await drained
  })

  test('close ends every connection, and waits for what the store was asked', async () => {
    const busy = await FtpClient.loggedIn(door.address)
    const data = await busy.transfer('STOR /inbox/a')
    data.on('error', () => {}).write('half')
    await once(door.store.events, 'write')
    await door.frontend.close()
    expect(door.store.aborted).toHaveLength(1)
    await busy.closed()
  })

  test('close without listen, twice, and after drain is close', async () => {
    await door.frontend.drain()
    await door.frontend.close()
    await door.frontend.close()
  })

  test.each([
    { passivePorts: { min: 50_001, max: 50_000 } },
    { passivePorts: { min: 0, max: 50_000 } },
    { passivePorts: { min: 50_000, max: 65_536 } },
    { passiveHost: 'ftp.example.org' },
  ])('options that no client could use are refused at once: %j', async (options) => {
    await expect(openDoor(options)).rejects.toThrow(RangeError)
  })

  test('a port that is taken is an error of listen', async () => {
    await expect(openDoor({ port: door.port })).rejects.toThrow(/EADDRINUSE/)
  })
})

test('the door leaves the signals of its process alone', () => {
  const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const
  const mine = () => {}
  process.on('SIGTERM', mine)
  const before = signals.map((signal) => process.listeners(signal))
  const logger = { info() {}, warn() {}, error() {} }
  const options = { host: '127.0.0.1', port: 0, passivePorts: { min: 0, max: 0 } }
  ftpFrontend({ store: new FakeStore(), partials: noPartials(new FakeStore()), access, logger, ...options })
  expect(signals.map((signal) => process.listeners(signal))).toEqual(before)
  process.off('SIGTERM', mine)
})
