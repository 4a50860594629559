import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { type Door, openDoor } from '../support/ftp-door.ts'

let door: Door
let client: FtpClient

beforeEach(async () => {
  door = await openDoor()
  client = await FtpClient.loggedIn(door.address)
})

afterEach(() => door.frontend.close())

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

describe('passive mode', () => {
  test('150 comes before the data connection has to', async () => {
    const port = await client.passivePort()
    expect(await client.command('STOR /inbox/a')).toMatch(/^150 /)
    connect(port, '127.0.0.1').end('hello')
    expect(await client.reply()).toMatch(/^226 Stored 5 bytes/)
  })

  test('bytes that came before the command count', async () => {
    const data = await client.data()
    data.end('hello')
    expect(await client.commands('STOR /inbox/a')).toMatch(/^150 /)
    expect(await client.reply()).toMatch(/^226 Stored 5 bytes/)
  })

  test('PASV tells the address and port in six numbers', async () => {
    const reply = await client.command('PASV')
    const [, high, low] = /^227 Entering Passive Mode \(127,0,0,1,(\d+),(\d+)\)\.$/.exec(reply) ?? []
    expect(await listens(Number(high) * 256 + Number(low))).toBe(true)
  })

  test('PASV tells the address that it was given', async () => {
    await using other = await openDoor({ passiveHost: '192.0.2.7' })
    const behind = await FtpClient.loggedIn(other.address)
    expect(await behind.command('PASV')).toMatch(/^227 .*\(192,0,2,7,\d+,\d+\)/)
  })

  test('forty EPSV leave one listener, and none once the client is gone', async () => {
    const ports: number[] = []
    for (let round = 0; round < 40; round++) ports.push(await client.passivePort())
    const last = ports.pop()!
    for (const port of ports.filter((each) => each !== last)) expect(await listens(port), String(port)).toBe(false)
    client.socket.end()
    await client.closed()
    expect(await listens(last)).toBe(false)
  })

  test('a range of one port serves one transfer after the other', async () => {
    const port = await freePort()
    await using narrow = await openDoor({ passivePorts: { min: port, max: port } })
    const [one, other] = [await FtpClient.loggedIn(narrow.address), await FtpClient.loggedIn(narrow.address)]
    for (let round = 0; round < 3; round++) {
      expect(await one.passivePort()).toBe(port)
      expect(await one.upload('/inbox/a', 'hello')).toMatch(/^226 /)
    }
    expect(await one.passivePort()).toBe(port)
    expect(await other.command('EPSV')).toBe('425 No passive port is free; try again')
    expect(await one.command('ABOR')).toMatch(/^225 /)
    expect(await other.passivePort()).toBe(port)
  })

  test('ports are tried from a random one upwards, round the end, as often as allowed', async () => {
    const tried: number[] = []
    const random = {
      integer(min: number, max: number) {
        tried.push(min, max)
        return max
      },
    }
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const options = { passivePorts: { min: port - 20, max: port }, random }
    await using patient = await openDoor(options)
    await using hasty = await openDoor({ ...options, limits: { passiveAttemptsMax: 1 } })
    const chosen = await (await FtpClient.loggedIn(patient.address)).passivePort()
    expect(tried).toEqual([port - 20, port])
    expect(chosen).toBeGreaterThanOrEqual(port - 20)
    expect(chosen).toBeLessThan(port)
    expect(await (await FtpClient.loggedIn(hasty.address)).command('EPSV')).toMatch(/^425 /)
    taken.close()
  })

  test('a listener that comes up when its client is gone goes, too', async () => {
    const port = await freePort()
    let closed: Promise<void> | undefined
    const random = {
      integer() {
        closed = leaving.frontend.close()
        return port
      },
    }
    await using leaving = await openDoor({ passivePorts: { min: port, max: port }, random })
    const late = await FtpClient.loggedIn(leaving.address)
    late.write('EPSV\r\n')
    await late.closed()
    await closed
    expect(await listens(port)).toBe(false)
  })

  test("another host's connection is not the client's", async () => {
    const port = await client.passivePort()
    const thief = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    await once(
      thief.on('error', () => {}),
      'close',
    )
    expect(await client.command('STOR /inbox/a')).toMatch(/^150 /)
    connect(port, '127.0.0.1').end('hello')
    expect(await client.reply()).toMatch(/^226 Stored 5 bytes/)
  })

  test('a second connection is none', async () => {
    const port = await client.passivePort()
    const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    const refused = await Promise.race(
      sockets.map((socket) => {
        return new Promise((resolve) => socket.on('error', () => {}).on('close', () => resolve(socket)))
      }),
    )
    client.write('STOR /inbox/a\r\n')
    sockets.find((socket) => socket !== refused)?.end('hello')
    expect(await client.reply()).toMatch(/^150 /)
    expect(await client.reply()).toMatch(/^226 Stored 5 bytes/)
  })

  test('a connection that never comes is not waited for', async () => {
    await using quick = await openDoor({ limits: { dataConnectMsMax: 30 } })
    const late = await FtpClient.loggedIn(quick.address)
    const port = await late.passivePort()
    expect(await late.command('STOR /inbox/a')).toMatch(/^150 /)
    expect(await late.reply()).toBe('425 No data connection came up in time')
    expect(await listens(port)).toBe(false)
    expect(await late.command('LIST')).toBe('425 Say EPSV, PASV, EPRT or PORT first')
  })

  describe('a connection that is reset before it is taken', () => {
    /** The process waits meanwhile, so that it finds a connection that is gone. */
    const reset = (port: number) => {
      const linger = "s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))"
      const script = `import socket, struct; s = socket.create_connection(('127.0.0.1', ${port})); ${linger}; s.close()`
      execFileSync('python3', ['-c', script])
    }

    test.each(['before the command', 'after it'])('is not waited for: %s', async (when) => {
      await using quick = await openDoor({ limits: { dataReconnectMsMax: 20 } })
      const early = await FtpClient.loggedIn(quick.address)
      const port = await early.passivePort()
      if (when === 'before the command') reset(port)
      expect(await early.command('STOR /inbox/a')).toMatch(/^150 /)
      if (when === 'after it') reset(port)
      expect(await early.reply()).toBe('425 The data connection was lost before it came up')
    })

    test('may have been anybody’s: another one has some time to come', async () => {
      await using patient = await openDoor({ limits: { dataReconnectMsMax: 30_000 } })
      const other = await FtpClient.loggedIn(patient.address)
      const port = await other.passivePort()
      reset(port)
      expect(await other.command('STOR /inbox/a')).toMatch(/^150 /)
      connect(port, '127.0.0.1').end('hello')
      expect(await other.reply()).toMatch(/^226 Stored 5 bytes/)
    })
  })

  test('EPSV knows one protocol, and ALL keeps the others away', async () => {
    expect(await client.command('EPSV 2')).toBe('522 Network protocol not supported, use (1)')
    expect(await client.command('EPSV 1')).toMatch(/^229 /)
    expect(await client.command('EPSV ALL')).toMatch(/^200 /)
    for (const command of ['PASV', 'PORT 127,0,0,1,200,1', 'EPRT |1|127.0.0.1|50000|']) {
      expect(await client.command(command)).toMatch(/^503 /)
    }
    expect(await client.command('EPSV')).toMatch(/^229 /)
  })

  test('over IPv6 there is EPSV', async () => {
    await using six = await openDoor({ host: '::1' })
    expect(six.address).toBe(`[::1]:${six.port}`)
    const socket = await FtpClient.loggedIn(`::1:${six.port}`)
    expect(await socket.command('PASV')).toBe('425 PASV is for IPv4 alone; use EPSV')
    expect(await socket.upload('/inbox/a', 'hello')).toMatch(/^226 /)
    expect(await socket.command('EPRT |2|0:0:0:0:0:0:0:1|50000|')).toMatch(/^200 /)
    expect(await socket.command('EPRT |2|::2|50000|')).toMatch(/^504 /)
  })
})

describe('active mode', () => {
  /** A listening client and the number that PORT ends with. */
  async function listening(): Promise<{ accepted: Promise<Socket>; port: number; close(): void }> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    return { accepted: once(server, 'connection').then(([socket]) => socket), port, close: () => server.close() }
  }

  test('the server connects once the transfer begins', async () => {
    for (const way of ['PORT', 'EPRT']) {
      const { accepted, port, close } = await listening()
      const argument = way === 'PORT' ? `127,0,0,1,${port >> 8},${port & 255}` : `|1|127.0.0.1|${port}|`
      await client.commands(`${way} ${argument}`, `STOR /inbox/${way}`)
      const data = await accepted
      data.end('hello')
      expect(await client.reply()).toMatch(/^226 Stored 5 bytes/)
      close()
    }
  })

  test('a client that does not listen is told so', async () => {
    const port = await freePort()
    await client.commands(`EPRT |1|127.0.0.1|${port}|`)
    expect(await client.command('STOR /inbox/a')).toMatch(/^150 /)
    expect(await client.reply()).toBe('425 The data connection was refused')
    expect(door.store.size).toBe(0)
  })

  test.each([
    'PORT 127,0,0,2,200,1',
    'PORT 10,0,0,1,200,1',
    'EPRT |1|127.0.0.2|50000|',
    'EPRT |2|::1|50000|',
    'PORT 127,0,0,1,0,25',
    'EPRT |1|127.0.0.1|1023|',
    'EPRT |1|127.0.0.1|65536|',
  ])('%s reaches nobody else', async (command) => {
    expect(await client.command(command)).toMatch(/^504 /)
    expect(await client.command('STOR /inbox/a')).toMatch(/^425 /)
  })

  test.each(['PORT 127,0,0,1,200', 'PORT 1,2,3,4,5,256', 'PORT a,b,c,d,e,f', 'EPRT x', 'EPRT |1|127.0.0.1||', 'PORT'])(
    '%s is a syntax error',
    async (command) => {
      expect(await client.command(command)).toMatch(/^501 /)
    },
  )

  test('an unknown protocol is told the known ones', async () => {
    expect(await client.command('EPRT |3|127.0.0.1|50000|')).toBe('522 Network protocol not supported, use (1,2)')
  })
})
