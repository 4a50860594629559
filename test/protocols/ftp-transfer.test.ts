import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StoreError } from '../../streams/index.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { type Door, openDoor } from '../support/ftp-door.ts'

/** SHA-256 of `hello`. */
const helloDigest = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'

let door: Door
let client: FtpClient

beforeEach(async () => {
  door = await openDoor()
  client = await FtpClient.loggedIn(door.address)
  await client.commands('CWD inbox')
})

afterEach(() => door.frontend.close())

function stored(key: string): string | undefined {
  const bytes = door.store.bytesOf('inbox', key)
  return bytes && Buffer.from(bytes).toString()
}

/** Resolves when the store comes to a moment. Ask before the act that leads there. */
function reached(moment: string): Promise<unknown> {
  return once(door.store.events, moment)
}

describe('226 means durable', () => {
  test('the reply tells the receipt, and the envelope who, where and how', async () => {
    expect(await client.upload('a/b', 'hello')).toBe(
      `226 Stored 5 bytes as version 0000000000000001, SHA-256 ${helloDigest}`,
    )
    expect(stored('a/b')).toBe('hello')
    expect(door.store.begun[0]).toEqual({
      origin: {
        principal: { application: 'camera', partition: 'main', permissions: expect.anything() },
        protocol: 'ftp',
        peer: `127.0.0.1:${client.socket.localPort}`,
        request: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
      name: { bucket: 'inbox', key: 'a/b' },
      facts: { type: 'ftp', user: 'camera', path: '/inbox/a/b', secure: false },
      expected: {},
      attributes: {},
    })
  })

  test('it is not said while the commit is underway', async () => {
    const release = door.store.hold('commit')
    const committing = reached('commit')
    const data = await client.transfer('STOR a')
    data.end('hello')
    await committing
    expect(await client.command('NOOP')).toMatch(/^200 /)
    expect(await client.command('STAT')).toBe('213 5 bytes transferred')
    expect(client.unread).toBe('')
    release()
    expect(await client.reply()).toMatch(/^226 Stored 5 bytes/)
  })

  test.each(['begin', 'write', 'commit'] as const)('it is not said when the store fails at %s', async (moment) => {
    door.store.fail(moment, new StoreError('ERR_NO_SPACE', 'The pool is full'))
    const data = await client.data()
    data.on('error', () => {}).end('hello')
    const replies = [await client.command('STOR a')]
    if (moment !== 'begin') replies.push(await client.reply())
    expect(replies.at(-1)).toBe('452 The pool is full')
    expect(replies.length === 1 || replies[0]?.startsWith('150 ')).toBe(true)
    expect(await client.command('NOOP')).toMatch(/^200 /)
    expect(door.store.size).toBe(0)
    expect(await client.upload('a', 'again')).toMatch(/^226 /)
  })

  test('it is not said when something breaks that nobody foresaw', async () => {
    door.store.fail('commit', new TypeError('broken'))
    expect(await client.upload('a', 'hello')).toBe('451 Internal error')
    expect(door.errors).toHaveLength(1)
    expect(door.store.size).toBe(0)
  })

  test('an object that is too large is refused while it comes', async () => {
    door.store.fail('write', new StoreError('ERR_TOO_LARGE', 'At most 1 byte'))
    const data = await client.transfer('STOR a')
    data.on('error', () => {}).write(Buffer.alloc(1 << 20))
    expect(await client.reply()).toBe('552 At most 1 byte')
    expect(door.store.aborted).toHaveLength(1)
  })
})

describe('what is not whole is not stored', () => {
  test('a data connection that is reset', async () => {
    const data = await client.transfer('STOR a')
    const writing = reached('write')
    data.on('error', () => {}).write('half')
    await writing
    data.resetAndDestroy()
    expect(await client.reply()).toBe('426 The data connection was lost')
    expect(door.store.aborted).toHaveLength(1)
    expect(door.store.size).toBe(0)
    expect(await client.upload('a', 'whole')).toMatch(/^226 /)
  })

  test('a data connection whose bytes and reset wait together, which libuv tells as an end', async () => {
    const data = await client.data()
    await client.commands('NOOP', 'NOOP') // The first may overtake the connection; the second finds it accepted.
    data.on('error', () => {}).write('half')
    data.resetAndDestroy()
    expect(await client.commands('STOR a')).toMatch(/^150 /)
    expect(await client.reply()).toBe('426 The data connection was lost')
    expect(door.store.aborted).toHaveLength(1)
    expect(door.store.size).toBe(0)
  })

  test('a control connection that ends first, in whatever way', async () => {
    for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
      for (let round = 0; round < 10; round++) {
        const leaving = await FtpClient.loggedIn(door.address)
        const data = await leaving.transfer('STOR /inbox/a')
        const aborting = reached('abort')
        data.on('error', () => {}).write('half')
        leaving.socket[leave]()
        data.end()
        await aborting
      }
    }
    expect(door.store.aborted).toHaveLength(30)
    expect(door.store.size).toBe(0)
  })

  test('a control connection that ends while the data connection stays', async () => {
    const data = await client.transfer('STOR a')
    const aborting = reached('abort')
    data.on('error', () => {}).write('half')
    client.socket.end()
    await aborting
    expect(door.store.size).toBe(0)
  })

  test('a control connection that is lost after the last byte and before the commit', async () => {
    const release = door.store.hold('write')
    const writing = reached('write')
    const aborting = reached('abort')
    const data = await client.transfer('STOR a')
    data.end('all of it')
    await writing
    client.socket.destroy()
    // Once another session was answered, the server has seen that the first one is gone.
    const other = await FtpClient.loggedIn(door.address)
    await other.commands('QUIT')
    release()
    await aborting
    expect(door.store.size).toBe(0)
  })

  test('a data connection that falls silent', async () => {
    await using quick = await openDoor({ limits: { dataIdleMsMax: 30 } }, door.store)
    const silent = await FtpClient.loggedIn(quick.address)
    const data = await silent.transfer('STOR /inbox/a')
    data.on('error', () => {}).write('half')
    expect(await silent.reply()).toBe('426 The data connection was idle for too long')
    expect(door.store.size).toBe(0)
  })

  test('but a slow store is not the fault of its client', async () => {
    await using quick = await openDoor({ limits: { dataIdleMsMax: 30 } }, door.store)
    const [slow, silent] = [await FtpClient.loggedIn(quick.address), await FtpClient.loggedIn(quick.address)]
    const release = door.store.hold('write')
    const writing = reached('write')
    const bytes = Buffer.alloc(1 << 20, 'x')
    const data = await slow.transfer('STOR /inbox/slow')
    data.end(bytes)
    await writing
    for (let round = 0; round < 2; round++) {
      await silent.transfer('STOR /inbox/silent')
      expect(await silent.reply()).toMatch(/^426 /)
    }
    expect(slow.unread).toBe('')
    release()
    expect(await slow.reply()).toMatch(/^226 Stored 1048576 bytes/)
  })

  test('a download that its client does not read ends', async () => {
    await using quick = await openDoor({ limits: { dataIdleMsMax: 30 } }, door.store)
    await client.upload('big', Buffer.alloc(16 << 20))
    const silent = await FtpClient.loggedIn(quick.address)
    const data = await silent.data()
    data.pause().on('error', () => {})
    expect(await silent.command('RETR /inbox/big')).toMatch(/^150 /)
    expect(await silent.reply()).toBe('426 The data connection was idle for too long')
    data.destroy()
  })
})

describe('ABOR', () => {
  test('without a transfer there is nothing to abort, and a prepared data connection is closed', async () => {
    expect(await client.command('ABOR')).toMatch(/^225 /)
    const port = await client.passivePort()
    expect(await client.command('ABOR')).toMatch(/^225 /)
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toThrow(/ECONNREFUSED/)
  })

  test('stops an upload', async () => {
    const data = await client.transfer('STOR a')
    const writing = reached('write')
    data.on('error', () => {}).write('half')
    await writing
    expect(await client.command('ABOR')).toBe('426 The transfer was aborted')
    expect(await client.reply()).toBe('226 ABOR done')
    expect(door.store.size).toBe(0)
    expect(await client.upload('a', 'whole')).toMatch(/^226 Stored/)
  })

  test('stops a download', async () => {
    await client.upload('big', Buffer.alloc(16 << 20))
    const data = await client.transfer('RETR big')
    await once(data, 'readable')
    data.on('error', () => {})
    expect(await client.command('ABOR')).toBe('426 The transfer was aborted')
    expect(await client.reply()).toBe('226 ABOR done')
    data.destroy()
    expect(await client.command('NOOP')).toMatch(/^200 /)
  })

  test('stops the wait for a data connection', async () => {
    await client.passivePort()
    expect(await client.command('STOR a')).toMatch(/^150 /)
    expect(await client.command('ABOR')).toBe('426 The transfer was aborted')
    expect(await client.reply()).toBe('226 ABOR done')
    expect(door.store.aborted).toHaveLength(1)
  })

  test('comes too late for a commit, whose outcome stands', async () => {
    const release = door.store.hold('commit')
    const committing = reached('commit')
    const data = await client.transfer('STOR a')
    data.end('hello')
    await committing
    client.write('ABOR\r\n')
    // Once another session was answered, the server has read what this one said.
    await FtpClient.loggedIn(door.address)
    release()
    expect(await client.reply()).toMatch(/^226 Stored/)
    expect(await client.reply()).toMatch(/^225 /)
    expect(stored('a')).toBe('hello')
  })
})

describe('parts of files', () => {
  beforeEach(() => client.upload('ten', '0123456789'))

  test('a download starts where REST says, and only the next one', async () => {
    await client.commands('REST 7')
    expect(String(await client.download('RETR ten'))).toBe('789')
    expect(String(await client.download('RETR ten'))).toBe('0123456789')
    await client.commands('REST 10')
    expect(String(await client.download('RETR ten'))).toBe('')
    await client.commands('REST 7')
    await client.download('LIST')
    expect(String(await client.download('RETR ten'))).toBe('0123456789')
  })

  test('REST beyond the end is refused, and so is what is no number', async () => {
    await client.commands('REST 11')
    await client.data()
    expect(await client.command('RETR ten')).toMatch(/^554 /)
    for (const text of ['-1', 'x', '1.5', '99999999999999999999', '']) {
      expect(await client.command(`REST ${text}`), text).toMatch(/^501 /)
    }
  })

  test('an upload that would go on where nothing is is refused', async () => {
    await client.data()
    await client.commands('REST 11')
    expect(await client.command('STOR ten')).toBe('554 10 bytes are there to go on from')
    expect(stored('ten')).toBe('0123456789')
    await client.commands('REST 0')
    expect(await client.upload('ten', 'whole')).toMatch(/^226 /)
  })

  test('a read that fails midway is no success', async () => {
    door.store.fail('chunk', new StoreError('ERR_CORRUPT', 'A checksum differs'))
    const data = await client.transfer('RETR ten')
    data.resume()
    expect(await client.reply()).toBe('451 A checksum differs')
  })

  test('a file that is replaced meanwhile is not joined to what the client has', async () => {
    const release = door.store.hold('read')
    const reading = reached('read')
    await client.commands('REST 5')
    await client.data()
    client.write('RETR ten\r\n')
    await reading
    const other = await FtpClient.loggedIn(door.address)
    await other.upload('/inbox/ten', 'longer than it was')
    release()
    expect(await client.reply()).toBe('450 The file was replaced; try again')
  })

  test('a file that is missing is refused before 150', async () => {
    await client.data()
    expect(await client.command('RETR none')).toBe('550 No such file: /inbox/none')
  })
})
