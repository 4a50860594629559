import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { content, ftp } from '../../filters/index.ts'
import { type Frontend, type FtpOptions, ftpFrontend } from '../../protocols/index.ts'
import { type Access, type OpenStore, type Permission, type Stage, StoreError } from '../../streams/index.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { named, openHarness, origin, putText, readText } from '../support/store-harness.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz'
const writing: readonly Permission[] = ['object:write']

/** Everybody reads and writes but `dropbox`, who writes only. */
const access: Access = {
  async verify({ key, secret }) {
    if (secret !== 'x') throw new StoreError('ERR_UNAUTHENTICATED', 'wrong')
    const permissions = key === 'dropbox' ? writing : (['object:read', 'object:write'] as const)
    return { application: key, partition: 'main', permissions }
  },
}

let store: OpenStore
let door: Frontend
let client: FtpClient

async function openDoor(options: Partial<FtpOptions> = {}): Promise<void> {
  await door?.close()
  const logger = { info() {}, warn() {}, error: (fields: object) => expect(fields).toBeUndefined() }
  const listening = { host: '127.0.0.1', port: 0, passivePorts: { min: 0, max: 0 } }
  door = ftpFrontend({ store, partials: store.partials, access, logger, ...listening, ...options })
  await door.listen()
  client = await loggedIn()
}

async function loggedIn(user = 'camera'): Promise<FtpClient> {
  const one = await FtpClient.loggedIn(door.address, user, 'x')
  await one.commands('TYPE I')
  return one
}

beforeEach(async () => {
  const stages = [content as Stage]
  const opened = await openHarness({
    stages: ({ facts }) => (facts.type === 'ftp' ? [ftp as Stage, ...stages] : stages),
  })
  store = opened.store
  await openDoor()
})

afterEach(async () => {
  await door.close()
  expect(store.status.uploadsOpen).toBe(0)
})

/** Resolves once all of `text` is on its way into the store. */
async function begin(command: string, text: string, by = client): Promise<Socket> {
  const data = await by.transfer(command)
  data.on('error', () => {})
  data.write(text)
  while (!(await by.command('STAT')).startsWith(`213 ${text.length} `)) await new Promise((turn) => setImmediate(turn))
  return data
}

/** With one byte more: the last one that came is held back. */
async function cutOff(path: string, text: string, by = client): Promise<void> {
  const data = await begin(`STOR ${path}`, `${text}!`, by)
  data.resetAndDestroy()
  expect(await by.reply()).toBe('426 The data connection was lost')
}

async function goOn(command: string, text: string, by = client): Promise<string> {
  const data = await by.transfer(command)
  data.end(text)
  return by.reply()
}

const size = (path = 'inbox/film', by = client) => by.command(`SIZE ${path}`)
const film = () => readText(store, named('film'))

describe('what was cut off goes on', () => {
  test('when the data connection is reset', async () => {
    await cutOff('inbox/film', 'abcdef')
    expect(await size()).toBe('213 6')
    await client.commands('REST 6')
    expect(await goOn('STOR inbox/film', ALPHABET.slice(6))).toMatch(/^226 Stored 26 bytes as version /)
    expect(await film()).toBe(ALPHABET)
    expect(await size()).toBe('213 26')
    const { attributes } = await store.stat(origin, named('film'))
    expect(attributes).toMatchObject({ 'object.size': 26, 'content.type': 'text/plain', 'ftp.user': 'camera' })
  })

  test('when the transfer is aborted', async () => {
    await begin('STOR inbox/film', 'abcdef!')
    expect(await client.command('ABOR')).toMatch(/^426 /)
    expect(await client.reply()).toMatch(/^226 /)
    expect(await size()).toBe('213 6')
    expect(await goOn('APPE inbox/film', ALPHABET.slice(6))).toMatch(/^226 Stored 26 bytes/)
    expect(await film()).toBe(ALPHABET)
  })

  test('when the data connection is silent for too long', async () => {
    await openDoor({ limits: { dataIdleMsMax: 200 } })
    const data = await client.transfer('STOR inbox/film')
    data.on('error', () => {}).write('abcdef!') // STAT would tell nothing of a transfer that was cut by then.
    expect(await client.reply()).toBe('426 The data connection was idle for too long')
    expect(await size()).toBe('213 6')
  })

  test('when the control connection is lost', async () => {
    const other = await loggedIn()
    await begin('STOR inbox/film', 'abcdef!', other)
    other.socket.resetAndDestroy()
    while ((await size()) !== '213 6') await new Promise((turn) => setImmediate(turn))
  })

  test('when the door closes', async () => {
    await begin('STOR inbox/film', 'abcdef!')
    await openDoor()
    expect(await size()).toBe('213 6')
  })

  test('again and again', async () => {
    for (let at = 0; at < 26; at += 5) {
      if (at > 0) await client.commands(`REST ${at}`)
      await cutOff('inbox/film', ALPHABET.slice(at, at + 5))
    }
    expect(await size()).toBe('213 26')
    expect(await goOn('APPE inbox/film', '')).toMatch(/^226 Stored 26 bytes/)
    expect(await film()).toBe(ALPHABET)
  })

  test('from before its end, which is cut back', async () => {
    await cutOff('inbox/film', 'abcdXXXX')
    await client.commands('REST 4')
    expect(await goOn('STOR inbox/film', ALPHABET.slice(4))).toMatch(/^226 Stored 26 bytes/)
    expect(await film()).toBe(ALPHABET)
  })

  test('and is refused beyond it, with what is durable', async () => {
    await cutOff('inbox/film', 'abcdef')
    await client.data()
    await client.commands('REST 7')
    expect(await client.command('STOR inbox/film')).toBe('554 6 bytes are there to go on from')
    expect(await size()).toBe('213 6')
  })

  test('though a data connection that was to go on never came', async () => {
    await cutOff('inbox/film', 'abcdef')
    for (const verb of ['APPE', 'STOR']) {
      const other = await loggedIn()
      await other.passivePort()
      if (verb === 'STOR') await other.commands('REST 6')
      expect(await other.command(`${verb} inbox/film`)).toMatch(/^150 /)
      other.socket.destroy()
      while (store.status.uploadsOpen > 0) await new Promise((turn) => setImmediate(turn))
      expect(await size()).toBe('213 6')
    }
  })

  test('for one at a time', async () => {
    await cutOff('inbox/film', 'abc')
    await client.commands('REST 3')
    const data = await begin('STOR inbox/film', 'def')
    const other = await loggedIn()
    for (const command of ['APPE', 'STOR']) {
      await other.data()
      if (command === 'STOR') await other.commands('REST 3')
      expect(await other.command(`${command} inbox/film`)).toBe('450 another upload goes on under that name')
    }
    expect(await other.command('DELE inbox/film')).toBe('450 an upload goes on under that name')
    data.end(ALPHABET.slice(6))
    expect(await client.reply()).toMatch(/^226 /)
    expect(await film()).toBe(ALPHABET)
  })
})

describe('what goes on from a whole file', () => {
  test('is another version, with what was there before it', async () => {
    await client.upload('inbox/film', 'abc')
    expect(await goOn('APPE inbox/film', 'def')).toMatch(/^226 Stored 6 bytes/)
    await client.commands('REST 2')
    expect(await goOn('STOR inbox/film', 'CDE')).toMatch(/^226 Stored 5 bytes/)
    expect(await film()).toBe('abCDE')
  })

  test('APPE makes a file where there is none', async () => {
    expect(await goOn('APPE inbox/film', 'abc')).toMatch(/^226 Stored 3 bytes/)
    expect(await film()).toBe('abc')
  })

  test('is no business of who may not read', async () => {
    await client.upload('inbox/film', 'abc')
    const dropbox = await loggedIn('dropbox')
    await dropbox.data()
    expect(await dropbox.command('APPE inbox/film')).toMatch(/^550 .*lacks the permission object:read/)
  })

  test('is refused when another version has come meanwhile', async () => {
    await client.upload('inbox/film', 'abc')
    const data = await begin('APPE inbox/film', 'def')
    await putText(store, named('film'), 'another')
    data.end()
    expect(await client.reply()).toBe('550 inbox/film was replaced meanwhile')
    expect(await film()).toBe('another')
    expect(await size()).toBe('213 7')
  })

  test('is refused once, too, when that file is gone by the time at which one that was cut off goes on', async () => {
    await client.upload('inbox/film', 'abc')
    const data = await begin('APPE inbox/film', 'def!')
    data.resetAndDestroy()
    await client.reply()
    expect(await size()).toBe('213 6')
    await store.remove(origin, named('film'))
    expect(await size()).toBe('550 No such file: /inbox/film')
    await client.data()
    expect(await client.command('APPE inbox/film')).toBe(
      '550 inbox/film was replaced or removed since this upload was cut off',
    )
    expect(await goOn('APPE inbox/film', 'anew')).toMatch(/^226 Stored 4 bytes/)
  })
})

describe('text does not go on', () => {
  test.each(['REST 1 + STOR inbox/film', 'APPE inbox/film'])('%s', async (said) => {
    await cutOff('inbox/film', 'abc')
    await client.data()
    const commands = ['TYPE A', ...said.split(' + ')]
    await client.commands(...commands.slice(0, -1))
    expect(await client.command(commands.at(-1)!)).toBe('504 An upload goes on in TYPE I alone')
  })

  test('and nothing is left of it', async () => {
    await client.commands('TYPE A')
    await cutOff('inbox/film', 'abc\r\n')
    await client.commands('TYPE I')
    expect(await size()).toBe('550 No such file: /inbox/film')
  })
})

describe('a file that is cut off is shown', () => {
  beforeEach(() => cutOff('inbox/film', 'abcdef'))

  test('to whoever uploads it', async () => {
    expect(await client.command('MLST inbox/film')).toMatch(/type=file;size=6;modify=\d+\.\d+; \/inbox\/film/)
    expect(await client.command('MDTM inbox/film')).toMatch(/^213 2023/)
    expect(String(await client.download('LIST inbox'))).toMatch(/^-rw-r--r-- 1 ftp ftp {12}6 .* film\r\n$/)
    expect(String(await client.download('MLSD inbox'))).toMatch(/^type=file;size=6;modify=\d+\.\d+; film\r\n$/)
    expect(String(await client.download('NLST inbox'))).toBe('inbox/film\r\n')
    expect(String(await client.download('LIST inbox/film'))).toMatch(/ 6 .* inbox\/film\r\n$/)
    expect(await client.command('STAT inbox/film')).toMatch(/ 6 .* inbox\/film/)
  })

  test('to nobody else, and cannot be read', async () => {
    const other = await loggedIn('other')
    expect(await size('inbox/film', other)).toBe('550 No such file: /inbox/film')
    expect(await other.command('MLST inbox/film')).toMatch(/^550 /)
    expect(String(await other.download('LIST inbox'))).toBe('')
    await other.data()
    expect(await other.command('APPE inbox/film')).toMatch(/^150 /)
    await client.data()
    expect(await client.command('RETR inbox/film')).toMatch(/^550 /)
    expect(await client.command('HASH inbox/film')).toMatch(/^550 /)
    expect(await client.command('RNFR inbox/film')).toMatch(/^550 /)
    other.socket.destroy()
  })

  test('until it is removed', async () => {
    expect(await client.command('DELE inbox/film')).toMatch(/^250 /)
    expect(await size()).toMatch(/^550 /)
    expect(await client.command('DELE inbox/film')).toMatch(/^550 /)
  })

  test('until it starts anew', async () => {
    const data = await begin('STOR inbox/film', 'new!')
    const other = await loggedIn()
    expect(await size('inbox/film', other)).toBe('213 0')
    data.resetAndDestroy()
    await client.reply()
    expect(await size()).toBe('213 3')
  })

  test('to whoever may only write, by its size', async () => {
    const dropbox = await loggedIn('dropbox')
    await cutOff('inbox/film', 'abcd', dropbox)
    expect(await size('inbox/film', dropbox)).toBe('213 4')
    await dropbox.commands('REST 4')
    expect(await goOn('STOR inbox/film', 'e', dropbox)).toMatch(/^226 Stored 5 bytes/)
    expect(await size()).toBe('213 5')
  })
})

describe('under the name of a file', () => {
  beforeEach(async () => {
    await client.upload('inbox/film', 'the file before')
    await client.upload('inbox/other', 'x')
  })

  test('its size is what is durable of the new one, and what is read is the one before', async () => {
    await cutOff('inbox/film', 'abcdef')
    expect(await size()).toBe('213 6')
    expect(String(await client.download('MLSD inbox'))).toMatch(/size=6;.* film\r\ntype=file;size=1;.* other\r\n$/)
    expect(String(await client.download('RETR inbox/film'))).toBe('the file before')
    expect(await size('inbox/film', await loggedIn('other'))).toBe('213 15')
    expect(await goOn('APPE inbox/film', 'ghi')).toMatch(/^226 Stored 9 bytes/)
    expect(await film()).toBe('abcdefghi')
  })

  test('nothing is left of an upload whose data connection never came', async () => {
    await openDoor({ limits: { dataConnectMsMax: 20 } })
    await client.passivePort()
    expect(await client.command('STOR inbox/film')).toMatch(/^150 /)
    expect(await client.reply()).toMatch(/^425 /)
    expect(await size()).toBe('213 15')
  })

  test('but one that was cut off before a byte has begun all the same', async () => {
    const data = await client.transfer('STOR inbox/film')
    data.resetAndDestroy()
    expect(await client.reply()).toMatch(/^426 /)
    expect(await size()).toBe('213 0')
    await client.commands('DELE inbox/film')
    expect(await size()).toMatch(/^550 /)
  })

  test('a version that comes later from elsewhere counts', async () => {
    await cutOff('inbox/film', 'abcdef')
    await putText(store, named('film'), 'from elsewhere')
    expect(await size()).toBe('213 14')
    await store.remove(origin, named('film'))
    expect(await size()).toBe('550 No such file: /inbox/film')
  })
})
