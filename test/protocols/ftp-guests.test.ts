import { once } from 'node:events'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { type FtpOptions, Guests } from '../../protocols/index.ts'
import { LoginThrottle } from '../../protocols/login-throttle.ts'
import { type Policy, type Principal, StoreError } from '../../streams/index.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { access, camera, cameraSecret, type Door, openDoor } from '../support/ftp-door.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { turns } from '../support/store-harness.ts'

/* Who comes over FTP: from where, how many, after how many wrong passwords, how fast, and to where. */

const heldTo = (policy: Policy): Principal => ({ ...camera, policy })

async function open(options: Partial<FtpOptions>): Promise<Door> {
  const door = await openDoor(options)
  onTestFinished(() => door.frontend.close())
  return door
}

const clients: FtpClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.socket.destroy()
})

async function come(door: Door): Promise<FtpClient> {
  const client = await FtpClient.open(door.address)
  clients.push(client)
  return client
}

async function logIn(door: Door, user = 'camera', password = cameraSecret) {
  const client = await come(door)
  await client.reply()
  await client.command(`USER ${user}`)
  return { client, reply: await client.command(`PASS ${password}`) }
}

describe('networks of a listener', () => {
  test('others are turned away before they say a word', async () => {
    const near = await open({ networks: ['127.0.0.0/8', '::1'] })
    expect(await (await come(near)).reply()).toBe('220 Cenote')
    const far = await open({ networks: ['192.0.2.0/24'] })
    const client = await come(far)
    expect(await client.reply()).toBe('421 Connections from your address are not taken')
    await client.closed()
  })

  test('that are none are refused at once', async () => {
    for (const range of ['127.0.0.0/33', 'localhost', '', '::1/129'])
      await expect(openDoor({ networks: [range] })).rejects.toThrow('is neither an address nor a range')
  })
})

describe('connections', () => {
  test('of one address are so many, over all listeners, and others again once they have gone', async () => {
    const guests = new Guests({ connectionsPerAddressMax: 2 })
    const [first, second] = [await open({ guests }), await open({ guests })]
    const one = await come(first)
    expect(await one.reply()).toBe('220 Cenote')
    expect(await (await come(second)).reply()).toBe('220 Cenote')
    expect(await (await come(second)).reply()).toBe('421 Too many connections from your address')
    await one.commands('QUIT')
    await one.closed()
    await first.frontend.close()
    await turns(10)
    expect(await (await come(second)).reply()).toBe('220 Cenote')
  })

  test('of one IPv6 network are those of one address', () => {
    const guests = new Guests({ connectionsPerAddressMax: 1 })
    const entered = (address: string) => guests.enter(address)
    expect(['2001:db8::1', '2001:db8:0:0:1::1', '2001:db8::'].map(entered)).toEqual([true, false, false])
    expect(['2001:db8:0:1::1', '2001:db9::1', '::1', '::2'].map(entered)).toEqual([true, true, true, false])
    expect(['192.0.2.1', '::ffff:192.0.2.1', '192.0.2.2'].map(entered)).toEqual([true, false, true])
    guests.leave('2001:db8::9')
    expect(guests.enter('2001:db8::2')).toBe(true)
  })

  test('that say PASS again and may not stay are logged in no more', async () => {
    let connectionsMax = 1
    const door = await open({ access: { verify: async () => heldTo({ connectionsMax }) } })
    const { client } = await logIn(door)
    connectionsMax = 0
    expect(await client.command('PASS x')).toBe('530 camera has 0 sessions, and no more may be')
    expect(await client.command('PWD')).toBe('530 Log in first')
  })

  test('of one application are so many, from login to logout', async () => {
    const guests = new Guests()
    const principal = heldTo({ connectionsMax: 1 })
    const door = await open({ guests, access: { verify: async () => principal } })
    const { client } = await logIn(door)
    expect((await logIn(door)).reply).toBe('530 camera has 1 sessions, and no more may be')
    await client.commands('USER camera', 'PASS x', 'PASS x') // Another login of its own is none more.
    expect((await logIn(door)).reply).toMatch(/^530 /)
    await client.commands('REIN')
    const second = await logIn(door)
    expect(second.reply).toMatch(/^230 /)
    const gone = once(door.store.events, 'judged').catch(() => {})
    await second.client.upload('/inbox/a', 'x')
    second.client.socket.destroy()
    await gone // The session has ended.
    await turns(10)
    expect((await logIn(door)).reply).toMatch(/^230 /)
  })
})

describe('logins', () => {
  test('that fail too often from one address are refused unseen, until the window has passed', async () => {
    const clock = new ManualClock()
    let asked = 0
    const counting = {
      verify: (...given: Parameters<typeof access.verify>) => {
        asked += 1
        return access.verify(...given)
      },
    }
    const guests = new Guests({ failuresPerAddressMax: 2, failuresWindowMs: 10_000 }, clock)
    const door = await open({ guests, access: counting })
    for (const user of ['a', 'b'])
      expect((await logIn(door, user, 'wrong')).reply).toBe('530 Unknown key or wrong secret')
    clock.run(4_000)
    expect((await logIn(door)).reply).toBe('530 Too many failed logins: try again in 6 s')
    expect(asked).toBe(2)
    clock.run(6_000)
    expect((await logIn(door)).reply).toMatch(/^230 /)
  })

  test('for one user name are bounded wherever they come from; one that succeeds begins anew', async () => {
    const guests = new Guests({ failuresPerUserMax: 2 }, new ManualClock())
    const door = await open({ guests })
    await logIn(door, 'camera', 'wrong')
    expect((await logIn(door)).reply).toMatch(/^230 /)
    for (let times = 0; times < 2; times++) await logIn(door, 'camera', 'wrong')
    expect((await logIn(door)).reply).toMatch(/^530 Too many failed logins/)
    expect((await logIn(door, 'another', 'wrong')).reply).toBe('530 Unknown key or wrong secret')
  })

  test('that are underway together are no more guesses than those one after the other', async () => {
    const proofs: (() => void)[] = []
    const slow = {
      async verify(...given: Parameters<typeof access.verify>) {
        await new Promise<void>((resolve) => proofs.push(resolve))
        return access.verify(...given)
      },
    }
    const door = await open({ guests: new Guests({ failuresPerAddressMax: 2 }, new ManualClock()), access: slow })
    const logIns = ['wrong', 'wrong', cameraSecret].map((password) => logIn(door, 'camera', password))
    while (proofs.length < 3) await turns(1)
    const replies: string[] = []
    for (const [at, prove] of proofs.entries()) {
      prove()
      replies.push((await logIns[at]!).reply)
    }
    expect(replies[2]).toMatch(/^530 Too many failed logins/)
  })

  test('that fail for another reason are no guesses', async () => {
    const busy = { verify: () => Promise.reject(new StoreError('ERR_BUSY', 'Try again')) }
    const door = await open({ guests: new Guests({ failuresPerAddressMax: 1 }), access: busy })
    for (let times = 0; times < 3; times++) expect((await logIn(door)).reply).toBe('450 Try again')
  })

  test('are remembered of a bounded number of names, those that failed last', () => {
    const clock = new ManualClock()
    const throttle = new LoginThrottle({ failuresMax: 1, windowMs: 1000, keysMax: 3, clock })
    for (const name of ['a', 'b', 'c', 'a', 'd']) throttle.failed(name)
    expect(throttle.size).toBe(3)
    expect(['a', 'b', 'c', 'd'].map((name) => throttle.waitOf(name) > 0)).toEqual([true, false, true, true])
    clock.run(1000)
    expect(throttle.waitOf('a')).toBe(0)
    expect(throttle.size).toBe(2) // What has passed is forgotten when it is looked at.
  })

  test('come in time, or the connection ends', async () => {
    const door = await open({ limits: { loginMsMax: 50 } })
    const client = await come(door)
    await client.reply()
    expect(await client.reply()).toBe('421 No login in time')
    const other = await open({ limits: { loginMsMax: 1000, controlIdleMsMax: 1500 } })
    const { client: quick } = await logIn(other)
    expect(await quick.reply()).toBe('421 No command for too long') // And not for want of a login.
  })

  test('are anonymous where an application is named for that, and nowhere else', async () => {
    const door = await open({ anonymous: () => ({ ...camera, application: 'public', permissions: ['object:read'] }) })
    for (const user of ['anonymous', 'FTP', 'ftp']) {
      const { client, reply } = await logIn(door, user, 'me@example.org')
      expect(reply).toMatch(/^230 /)
      const data = await client.data()
      expect(await client.command('STOR /inbox/a')).toBe('550 public lacks object:write')
      data.destroy()
    }
    expect((await logIn(door, 'anonymous2', 'x')).reply).toMatch(/^530 /)
    expect((await logIn(await open({}), 'anonymous', 'x')).reply).toMatch(/^530 /)
    const refused = await open({
      anonymous: () => {
        throw new StoreError('ERR_FORBIDDEN', 'application public may not come from 127.0.0.1')
      },
    })
    expect((await logIn(refused, 'anonymous', 'x')).reply).toBe('530 application public may not come from 127.0.0.1')
  })
})

describe('the rate of transfers', () => {
  const second = 1000

  test.each<[string, Partial<FtpOptions>]>([
    ['of a session', { bytesPerSecond: 1024 }],
    ['of an application', { access: { verify: async () => heldTo({ bytesPerSecond: 1024 }) } }],
  ])('%s is bounded both ways', async (_what, options) => {
    const clock = new ManualClock()
    const door = await open({ ...options, guests: new Guests({}, clock) })
    const { client } = await logIn(door)
    const data = await client.transfer('STOR /inbox/a')
    data.end(Buffer.alloc(3 * 1024))
    while (clock.timers === 0) await turns(1) // A second's worth went at once, and the rest waits.
    clock.run(second)
    await turns(20)
    expect(door.store.size).toBe(0)
    clock.run(second)
    expect(await client.reply()).toMatch(/^226 /)
    expect(door.store.bytesOf('inbox', 'a')?.length).toBe(3 * 1024)
    clock.run(10 * second)
    const down = await client.transfer('RETR /inbox/a')
    const received = once(down, 'end')
    down.resume()
    while (clock.timers === 0) await turns(1)
    clock.run(2 * second)
    await received
    expect(await client.reply()).toMatch(/^226 /)
  })

  test('is one for all sessions of an application', async () => {
    const clock = new ManualClock()
    const principal = heldTo({ bytesPerSecond: 1024 })
    const door = await open({ access: { verify: async () => principal }, guests: new Guests({}, clock) })
    const [one, other] = [await logIn(door), await logIn(door)]
    expect(await one.client.upload('/inbox/a', Buffer.alloc(1024))).toMatch(/^226 /)
    const data = await other.client.transfer('STOR /inbox/b')
    data.end(Buffer.alloc(1024))
    while (clock.timers === 0) await turns(1)
    clock.run(second)
    expect(await other.client.reply()).toMatch(/^226 /)
  })

  test('is not had anew by who comes again', async () => {
    const clock = new ManualClock()
    const principal = heldTo({ bytesPerSecond: 1024 })
    const door = await open({ access: { verify: async () => principal }, guests: new Guests({}, clock) })
    const { client } = await logIn(door)
    expect(await client.upload('/inbox/a', Buffer.alloc(1024))).toMatch(/^226 /)
    await client.commands('QUIT')
    await client.closed()
    await turns(20)
    const again = await logIn(door)
    const data = await again.client.transfer('STOR /inbox/b')
    data.end(Buffer.alloc(1024))
    while (clock.timers === 0 && again.client.unread === '') await turns(1)
    expect(again.client.unread).toBe('')
    clock.run(second)
    expect(await again.client.reply()).toMatch(/^226 /)
  })

  test('holds nobody who breaks off, and is not taken for a client that is silent', async () => {
    const clock = new ManualClock()
    const door = await open({ bytesPerSecond: 1024, guests: new Guests({}, clock), limits: { dataIdleMsMax: 50 } })
    const { client } = await logIn(door)
    const data = await client.transfer('STOR /inbox/a')
    data.write(Buffer.alloc(10 * 1024))
    while (clock.timers === 0) await turns(1)
    await new Promise((resolve) => setTimeout(resolve, 150)) // Three times what a silent client is given.
    expect(client.unread).toBe('')
    client.write('ABOR\r\n')
    expect(await client.reply()).toMatch(/^426 /)
    expect(await client.reply()).toMatch(/^226 /)
    expect(clock.timers).toBe(0)
  })

  async function endedUpload(options: Partial<FtpOptions>) {
    const clock = new ManualClock()
    const door = await open({ ...options, guests: new Guests({}, clock) })
    const { client } = await logIn(door)
    const data = await client.transfer('STOR /inbox/a')
    data.end(Buffer.alloc(10 * 1024))
    while (clock.timers === 0) await turns(1)
    await turns(20) // The end of the file has come, too.
    return { clock, door, client }
  }

  test.each<[string, Partial<FtpOptions>]>([
    ['of a session', { bytesPerSecond: 1024 }],
    ['of an application', { access: { verify: async () => heldTo({ bytesPerSecond: 1024 }) } }],
  ])('%s holds nobody who ended a file and left before its turn', async (_what, options) => {
    const { clock, door, client } = await endedUpload(options)
    client.socket.destroy()
    await door.frontend.close()
    expect([clock.timers, door.store.size]).toEqual([0, 0])
  })

  test('leaves a file that ended before its turn to ABOR', async () => {
    const { clock, door, client } = await endedUpload({ bytesPerSecond: 1024 })
    client.write('ABOR\r\n')
    await turns(20)
    clock.run(60 * second)
    expect(await client.reply()).toMatch(/^426 /)
    expect(await client.reply()).toBe('226 ABOR done')
    expect(door.store.size).toBe(0)
  })
})

describe('a home', () => {
  test.each(['inbox', 'inbox/deep/er'])('%s is the root of all that its application sees', async (home) => {
    const door = await openDoor({ access: { verify: async () => heldTo({ home }) } })
    onTestFinished(() => door.frontend.close())
    const { client } = await logIn(door)
    expect(await client.command('PWD')).toBe('257 "/"')
    expect((await client.download('LIST')).toString()).toBe('')
    expect((await client.download('LIST /')).toString()).toBe('')
    expect(await client.upload('a.txt', 'text')).toMatch(/^226 /)
    expect(door.store.records.at(-1)).toMatchObject({ bucket: 'inbox', key: `${home}/a.txt`.slice('inbox/'.length) })
    expect((await client.download('NLST')).toString()).toBe('a.txt\r\n')
    expect((await client.download('RETR /a.txt')).toString()).toBe('text')
    expect(await client.command('MKD sub')).toBe('257 "/sub" created')
    await client.commands('CWD sub', 'CWD ..', 'CWD ../../..')
    expect(await client.command('PWD')).toBe('257 "/"')
    await client.commands('RNFR a.txt', 'RNTO sub/b.txt', 'DELE /sub/b.txt', 'RMD sub')
    expect((await client.download('NLST /')).toString()).toBe('')
    expect(await client.command('CWD /inbox')).toMatch(/^550 /)
    expect(await client.command('RMD /')).toMatch(/^504 /)
    expect(await client.command('STAT /../../other')).toMatch(/^550 /)
  })
})
