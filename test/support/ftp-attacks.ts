import { connect, type Socket } from 'node:net'
import { expect } from 'vitest'
import { ftpLimits } from '../../protocols/ftp/options.ts'
import { FtpClient } from './ftp-client.ts'
import type { Random } from './random.ts'
import { ROOT } from './server-process.ts'

/** Where an attack goes, and what it draws from. */
export interface Target {
  /** `host:port` of a door that offers TLS. */
  readonly address: string
  readonly random: Random
  /** How many sockets the server holds at the moment. */
  sockets(): number
}

export type Attack = (target: Target) => Promise<void>

/** Sessions of an attack before count until all that they asked for has come to its end: until then one is turned away. */
async function logIn(target: Target): Promise<FtpClient> {
  const client = await FtpClient.open(target.address)
  if (!(await client.reply()).startsWith('220 ')) return logIn(target)
  await client.commands(`USER ${ROOT.key}`, `PASS ${ROOT.secret}`)
  return client
}

/** Resolves when the server has let go of a client: it has read its end, and answered it. */
async function leave(client: FtpClient): Promise<void> {
  client.socket.end()
  await client.closed()
}

/** Sends text in pieces of any length, each in a packet of its own. */
async function dribble(socket: Socket, text: string, random: Random): Promise<void> {
  for (let start = 0; start < text.length; ) {
    const length = 1 + random.below(7)
    await new Promise<void>((resolve) => socket.write(text.slice(start, start + length), () => resolve()))
    start += length
  }
}

/** However commands are cut, they are answered one by one, in order. */
const segmented: Attack = async (target) => {
  const client = await FtpClient.greeted(target.address)
  const said = ['PWD', 'CWD inbox', 'PWD', 'NOPE', 'TYPE A', 'SIZE x'.repeat(3), 'CDUP', 'PWD', 'NOOP', 'SYST']
  await dribble(client.socket, `USER ${ROOT.key}\r\nPASS ${ROOT.secret}\r\n${said.join('\r\n')}\r\n`, target.random)
  const replies: string[] = []
  for (let index = 0; index < said.length + 2; index++) replies.push((await client.reply()).slice(0, 3))
  expect(replies.join(' ')).toBe('331 230 257 250 257 502 200 550 250 257 200 215')
  await leave(client)
}

/** As many at once as may wait. */
const pipelined: Attack = async (target) => {
  const client = await logIn(target)
  const depth = 60
  for (let round = 0; round < 10; round++) {
    client.write(Array.from({ length: depth }, (_, index) => `${index % 2 === 0 ? 'PWD' : 'NOOP'}\r\n`).join(''))
    for (let index = 0; index < depth; index++)
      expect(await client.reply()).toMatch(index % 2 === 0 ? /^257 "\/"$/ : /^200 /)
  }
  await leave(client)
}

/** A mebibyte without an end of line, before a login and after it, and what comes then. */
const longLines: Attack = async (target) => {
  const line = `STOR ${'x'.repeat(1 << 20)}`
  const stranger = await FtpClient.greeted(target.address)
  const client = await logIn(target)
  for (const each of [stranger, client]) {
    for (let round = 0; round < 4; round++) expect(await each.command(line)).toBe('500 The command line is too long')
    expect(await each.command('NOOP')).toMatch(/^200 /)
    expect(each.unread).toBe('')
  }
  expect(await client.command(`CWD /${'x'.repeat(8186)}`)).toMatch(/^55\d /)
  expect(await client.command(`CWD /${'x'.repeat(8188)}`)).toMatch(/^500 /)
  for (const each of [stranger, client]) await leave(each)
}

/** Words in clear behind AUTH TLS, in the same packet. */
const injected: Attack = async (target) => {
  for (const behind of [`USER ${ROOT.key}\r\n`, 'USER inj', '\r\n', '\x16\x03\x01']) {
    const client = await FtpClient.greeted(target.address)
    client.write(`AUTH TLS\r\n${behind}`)
    expect(await client.reply()).toBe('421 Nothing may follow AUTH TLS in clear')
    await client.closed()
    expect(client.unread).toBe('')
  }
}

/** A hundred sessions say EPSV a hundred times each; half of the listeners are connected to, and nothing follows. */
const halfOpenListeners: Attack = async (target) => {
  const before = target.sockets()
  const clients = await Promise.all(Array.from({ length: 100 }, () => logIn(target)))
  const connections: Socket[] = []
  for (let round = 0; round < 100; round++) {
    const ports = await Promise.all(clients.map((client) => client.passivePort()))
    if (round % 50 === 49)
      for (const port of ports.slice(0, 50)) connections.push(connect(port, '127.0.0.1').on('error', () => {}))
    // Of each session: its control connection, and a listener or the one connection that it led to.
    if (round % 10 === 0) expect(target.sockets() - before).toBeLessThanOrEqual(2 * clients.length)
  }
  for (const connection of connections) connection.destroy()
  for (const client of clients) client.socket.destroy()
}

/** Those who say little and slowly keep nobody from being served. */
const slowLoris: Attack = async (target) => {
  const clients = await Promise.all(Array.from({ length: 50 }, () => logIn(target)))
  const connections = await Promise.all(clients.map((client, index) => client.transfer(`STOR /inbox/slow-${index}`)))
  const strangers = await Promise.all(Array.from({ length: 50 }, () => FtpClient.greeted(target.address)))
  const served = await logIn(target)
  for (let round = 0; round < 20; round++) {
    for (const connection of connections) connection.write('x')
    for (const stranger of strangers) stranger.write('U')
    expect(await served.upload('/inbox/served', 'hello')).toMatch(/^226 Stored 5 bytes/)
  }
  for (const connection of connections) connection.resetAndDestroy()
  for (const client of clients) expect(await client.reply()).toMatch(/^426 /)
  for (const client of [...strangers, ...clients, served]) client.socket.destroy()
  const after = await logIn(target)
  for (const index of clients.keys()) expect(await after.command(`HASH /inbox/slow-${index}`)).toMatch(/^550 /)
  await leave(after)
}

const TRICKY = [
  'nul\0in',
  'cr\rin',
  'bell\x07',
  'a//b',
  '../../etc/passwd',
  'a/../../b',
  '..',
  '/..',
  '//',
  '/',
  '.',
  './',
]
const FOREIGN = [
  '\xff\xf4\xff\xf2ABOR',
  'iac\xff\xffin',
  'iac\xff\xfb\x01in',
  'latin1-\xe9',
  'half\xc3',
  'over\xc0\xaf..',
  '\xed\xa0\x80',
]

/** Names that are none, of which nothing is stored, and which end no reply. */
const trickyNames: Attack = async (target) => {
  const client = await logIn(target)
  await client.commands('MKD /inbox/names', 'CWD /inbox/names')
  for (const name of [...TRICKY, ...FOREIGN]) {
    for (const command of ['STOR', 'MKD', 'RNFR', 'DELE', 'SIZE', 'MFMT 20240101000000']) {
      if (command === 'STOR') (await client.data()).on('error', () => {})
      client.write(Buffer.from(`${command} ${name}\r\n`, 'latin1'))
      const reply = await client.reply()
      if (/^350|^2/.test(reply))
        expect([command, name]).toEqual(['RNFR', expect.stringMatching(/^\.{0,2}\/?$|^\/*(?:\.\.)?$/)])
      else expect(reply, `${command} ${JSON.stringify(name)}`).toMatch(/^5\d\d [^\r\n]*$/)
    }
  }
  expect(client.unread).toBe('')
  expect(await client.command('PWD')).toBe('257 "/inbox/names"')
  expect(String(await client.download('MLSD'))).toBe('')
  await client.commands('CWD /', 'RMD /inbox/names')
  await leave(client)
}

const closed = (socket: Socket) => socket.closed || new Promise((resolve) => socket.once('close', resolve))

/** Around the sizes at which buffers, blocks and payloads change their kind. */
const SIZES = [0, 1, 1460, 65_535, 65_536, 65_537, 262_144, 1 << 20, 5 << 20]

const ENDINGS: { readonly [ending: string]: (client: FtpClient, data: Socket) => void } = {
  'the data connection is reset': (client, data) => {
    data.resetAndDestroy()
    client.write('QUIT\r\n')
  },
  'the control connection is reset': (client) => client.socket.resetAndDestroy(),
  'the control connection ends': (client) => client.socket.end(),
  'both are reset': (client, data) => {
    data.resetAndDestroy()
    client.socket.resetAndDestroy()
  },
}

/** Uploads that break off, at each size in each way, leave what was there before; those that end replace it. */
const brokenOff: Attack = async (target) => {
  const watcher = await logIn(target)
  for (const size of SIZES) {
    const whole = target.random.bytes(size)
    expect(await watcher.upload('/inbox/broken', whole)).toMatch(/^226 /)
    for (const [ending, end] of Object.entries(ENDINGS)) {
      const client = await logIn(target)
      const data = await client.data()
      data.on('error', () => {}).resume()
      await client.commands('NOOP', 'NOOP', 'STOR /inbox/broken') // The first may overtake the connection; then it is there.
      await new Promise((resolve) => data.write(Buffer.alloc(size + 1), resolve))
      end(client, data)
      await Promise.all([client.closed(), closed(data)])
      expect((await watcher.download('RETR /inbox/broken')).equals(whole), `${size} bytes, ${ending}`).toBe(true)
    }
  }
  await watcher.commands('DELE /inbox/broken')
  await leave(watcher)
}

/** Five hundred sessions at once, each of which uploads; then half of them vanish. */
const crowd: Attack = async (target) => {
  const clients = await Promise.all(Array.from({ length: 500 }, () => logIn(target)))
  const bytes = target.random.bytes(4 << 10)
  const replies = await Promise.all(clients.map((client, index) => client.upload(`/inbox/crowd/${index % 50}`, bytes)))
  expect(replies.filter((reply) => !reply.startsWith('226 Stored 4096 bytes'))).toEqual([])
  for (const client of clients.slice(250)) client.socket.resetAndDestroy()
  await Promise.all(clients.slice(0, 250).map((client) => client.commands('QUIT')))
}

/** Bytes that are nothing: whatever is answered is a reply, and the next client is served. */
const garbage: Attack = async (target) => {
  for (let round = 0; round < 50; round++) {
    const client = await FtpClient.open(target.address)
    client.write(target.random.bytes(target.random.below(1 << 16)))
    client.socket.end()
    await client.closed()
    expect(client.unread).toMatch(/^(?:\d{3}[ -][^\r\n]*\r\n| [^\r\n]*\r\n)*$/)
  }
  await leave(await logIn(target))
}

/** More connections than there may be are turned away, and whoever comes once there is room is served. */
const turnedAway: Attack = async (target) => {
  const clients: FtpClient[] = []
  const greetings: string[] = []
  // In waves that the queue of those who wait to be accepted can hold.
  for (let wave = 0; wave < 6; wave++) {
    const coming = await Promise.all(Array.from({ length: 200 }, () => FtpClient.open(target.address)))
    greetings.push(...(await Promise.all(coming.map((client) => client.reply()))))
    clients.push(...coming)
  }
  const admitted = greetings.filter((greeting) => greeting === '220 Cenote').length
  expect(admitted).toBeLessThanOrEqual(ftpLimits.connectionsMax)
  expect(new Set(greetings)).toEqual(new Set(['220 Cenote', '421 Too many connections']))
  for (const client of clients) client.socket.destroy()
  await roomFor(600, target)
}

/** Sessions that have ended count until what is known of their uploads is durable: whoever attacks next has room then. */
async function roomFor(sessions: number, { address }: Target): Promise<void> {
  const admitted: FtpClient[] = []
  while (admitted.length < sessions) {
    const client = await FtpClient.open(address)
    if ((await client.reply()).startsWith('220 ')) admitted.push(client)
    else client.socket.destroy()
  }
  await Promise.all(admitted.map((client) => client.commands('QUIT')))
}

export const attacks: { readonly [name: string]: Attack } = {
  'commands cut anywhere': segmented,
  'many commands at once': pipelined,
  'lines without end': longLines,
  'words injected before TLS': injected,
  'ten thousand listeners that nobody uses': halfOpenListeners,
  'clients that are slow on purpose': slowLoris,
  'names that lead elsewhere': trickyNames,
  'uploads that break off': brokenOff,
  'five hundred sessions': crowd,
  garbage,
  'connections beyond the bound': turnedAway,
}
