import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fromAscii, toAscii } from '../../protocols/ftp/line-ends.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { type Door, openDoor } from '../support/ftp-door.ts'

async function* chunked(chunks: readonly string[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk, 'latin1')
}

async function whole(source: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

const text = fc.array(fc.string({ unit: fc.constantFrom('\r', '\n', 'a'), maxLength: 6 }), { maxLength: 8 })

describe('wherever the chunks are cut', () => {
  test('CR LF is stored as LF, and nothing else changes', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (chunks) => {
        expect(await whole(fromAscii(chunked(chunks)))).toBe(chunks.join('').replaceAll('\r\n', '\n'))
      }),
      { seed: 5 },
    )
  })

  test('LF is sent as CR LF, once', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (chunks) => {
        expect(await whole(toAscii(chunked(chunks)))).toBe(chunks.join('').replaceAll(/(?<!\r)\n/g, '\r\n'))
      }),
      { seed: 5 },
    )
  })
})

describe('over the door', () => {
  let door: Door
  let client: FtpClient
  beforeEach(async () => {
    door = await openDoor()
    client = await FtpClient.loggedIn(door.address)
    await client.commands('CWD inbox', 'TYPE A')
  })
  afterEach(() => door.frontend.close())

  test('a text is stored with LF, says so, and comes back with CR LF', async () => {
    expect(await client.upload('text', 'one\r\ntwo\r\n')).toMatch(/^226 Stored 8 bytes/)
    expect(Buffer.from(door.store.bytesOf('inbox', 'text')!).toString()).toBe('one\ntwo\n')
    expect(door.store.begun[0]?.facts).toMatchObject({ ascii: true })
    expect(String(await client.download('RETR text'))).toBe('one\r\ntwo\r\n')
    await client.commands('TYPE I')
    expect(String(await client.download('RETR text'))).toBe('one\ntwo\n')
    await client.upload('bytes', 'one\r\n')
    expect(door.store.begun[1]?.facts).not.toHaveProperty('ascii')
    expect(Buffer.from(door.store.bytesOf('inbox', 'bytes')!).toString()).toBe('one\r\n')
  })

  test('a data connection that is reset stores nothing', async () => {
    const data = await client.data()
    await client.commands('NOOP', 'NOOP')
    data.on('error', () => {}).write('half\r\n')
    data.resetAndDestroy()
    await client.commands('STOR a')
    expect(await client.reply()).toBe('426 The data connection was lost')
    expect(door.store.size).toBe(0)
  })

  test('what counts bytes is for TYPE I', async () => {
    await client.upload('text', 'one\r\n')
    expect(await client.command('SIZE text')).toBe('550 SIZE is known in TYPE I alone')
    await client.commands('REST 1')
    await client.data()
    expect(await client.command('RETR text')).toBe('504 A download goes on in TYPE I alone')
  })
})
