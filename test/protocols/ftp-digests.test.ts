import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FtpClient } from '../support/ftp-client.ts'
import { type Door, openDoor } from '../support/ftp-door.ts'

let door: Door
let client: FtpClient

beforeEach(async () => {
  door = await openDoor({ limits: { digestBytesMax: 20 } })
  client = await FtpClient.loggedIn(door.address)
  await client.commands('CWD inbox')
  await client.upload('nine', '123456789')
})
afterEach(() => door.frontend.close())

const hex = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex')

describe('HASH', () => {
  test('tells the digest that was calculated while the file came, without reading it', async () => {
    door.store.fail('read', new Error('nothing is to be read'))
    expect(await client.command('HASH nine')).toBe(`213 SHA-256 0-8 ${hex('sha256', '123456789')} nine`)
    expect(await client.command('XSHA256 "nine"')).toBe(`250 ${hex('sha256', '123456789')}`)
  })

  test.each([
    ['SHA-1', hex('sha1', '123456789')],
    ['MD5', hex('md5', '123456789')],
    ['CRC32', 'cbf43926'], // The check value of CRC-32/ISO-HDLC, which zip and XCRC use.
    ['SHA-256', hex('sha256', '123456789')],
  ])('calculates %s', async (name, digest) => {
    expect(await client.command(`OPTS HASH ${name.toLowerCase()}`)).toBe(`200 ${name}`)
    expect(await client.command('OPTS HASH')).toBe(`200 ${name}`)
    expect(await client.command('FEAT')).toContain(`${name}*`)
    expect(await client.command('HASH nine')).toBe(`213 ${name} 0-8 ${digest} nine`)
  })

  test('of a part, once', async () => {
    expect(await client.command('RANG 2 4')).toBe('350 Bytes 2 to 4')
    expect(await client.command('HASH nine')).toBe(`213 SHA-256 2-4 ${hex('sha256', '345')} nine`)
    expect(await client.command('HASH nine')).toBe(`213 SHA-256 0-8 ${hex('sha256', '123456789')} nine`)
    await client.commands('RANG 2 4', 'RANG 1 0')
    expect(await client.command('HASH nine')).toMatch(/^213 SHA-256 0-8 /)
    await client.commands('RANG 0 8')
    expect(await client.command('HASH nine')).toMatch(/^213 SHA-256 0-8 /)
    await client.commands('RANG 8 9')
    expect(await client.command('HASH nine')).toBe('554 The file has 9 bytes')
  })

  test('of nothing', async () => {
    await client.upload('none', '')
    expect(await client.command('XMD5 none')).toBe(`250 ${hex('md5', '')}`)
    expect(await client.command('XCRC none')).toBe('250 00000000')
    expect(await client.command('HASH none')).toBe(`213 SHA-256 0-0 ${hex('sha256', '')} none`)
  })

  test('of so many bytes and no more, but for what is known', async () => {
    await client.upload('long', 'x'.repeat(21))
    expect(await client.command('XMD5 long')).toBe('552 At most 20 bytes are read for a digest')
    expect(await client.command('XSHA256 long')).toBe(`250 ${hex('sha256', 'x'.repeat(21))}`)
    await client.commands('RANG 1 20')
    expect(await client.command('HASH long')).toMatch(/^213 SHA-256 1-20 /)
  })

  test.each([
    ['HASH', '501 HASH needs an argument'],
    ['HASH none', '550 No such file: /inbox/none'],
    ['XCRC none', '550 No such file: /inbox/none'],
    ['OPTS HASH SHA-3', '501 The algorithms are SHA-256, SHA-1, MD5, CRC32'],
    ['RANG', '501 RANG needs an argument'],
    ['RANG 4', '501 RANG needs the first byte and the last, or 1 0 for the whole file'],
    ['RANG 4 2', '501 RANG needs the first byte and the last, or 1 0 for the whole file'],
    ['RANG -1 2', '501 RANG needs the first byte and the last, or 1 0 for the whole file'],
  ])('%s is refused', async (line, reply) => {
    expect(await client.command(line)).toBe(reply)
  })
})

describe('the time of a file', () => {
  test.each([
    ['MFMT 20200229123456 nine', '213 Modify=20200229123456; nine'],
    ['MFF Modify=20200229123456.000; nine', '213 Modify=20200229123456.000; nine'],
  ])('%s sets it', async (line, reply) => {
    expect(await client.command(line)).toBe(reply)
    expect(await client.command('MDTM nine')).toBe('213 20200229123456.000')
    expect(await client.command('MLST nine')).toContain('modify=20200229123456.000;')
    expect(String(await client.download('LIST'))).toMatch(/ Feb 29 {2}2020 nine\r\n$/)
  })

  test.each([
    'MFMT 20210229123456 nine',
    'MFMT 2021 nine',
    'MFMT 20210228123456',
    'MFF size=1; nine',
    'MFF modify=1; nine',
  ])('%s is refused', async (line) => {
    expect(await client.command(line)).toBe('501 A time is YYYYMMDDHHMMSS, before the name of a file')
  })

  test('of a file that is not there', async () => {
    expect(await client.command('MFMT 20200229123456 none')).toBe('550 No such file: /inbox/none')
  })
})

test('STOU stores under a name of its own, which both replies tell', async () => {
  const data = await client.data()
  const [, name] = /^150 FILE: ([0-9a-f-]{36})$/.exec(await client.command('STOU')) ?? []
  data.end('hello')
  expect(await client.reply()).toBe(`226 FILE: ${name}`)
  expect(String(await client.download(`RETR ${name}`))).toBe('hello')
})

test('REIN forgets who was there and what was said', async () => {
  await client.commands('TYPE A', 'RNFR nine', 'OPTS HASH MD5', 'REIN')
  expect(await client.command('RNTO ten')).toBe('530 Log in first')
  await client.commands('USER camera', 'PASS correct horse')
  expect(await client.command('RNTO ten')).toBe('503 Say RNFR first')
  expect(await client.command('OPTS HASH')).toBe('200 SHA-256')
  expect(await client.command('STAT')).toContain('TYPE binary')
})

test('HOST comes before a login', async () => {
  const other = await FtpClient.greeted(door.address)
  expect(await other.command('HOST files.example.org')).toBe('220 Every name leads here')
})

describe('a digest that cost a read', () => {
  const reads = (other: Door) => {
    const seen = { count: 0 }
    other.store.events.on('read', () => seen.count++)
    return seen
  }

  test.each([
    ['XSHA1', 'checksum.sha1'],
    ['XMD5', 'checksum.md5'],
    ['XCRC', 'checksum.crc32'],
  ])('for %s is kept as %s, and costs no other', async (command, attribute) => {
    await using other = await openDoor({ limits: { verdictMsMax: 5 } })
    const client = await FtpClient.loggedIn(other.address)
    await client.upload('/inbox/kept', 'some bytes')
    const confirmed = once(other.store.events, 'judged')
    await client.commands('NOOP')
    await confirmed
    const seen = reads(other)
    const judged = once(other.store.events, 'judged')
    const first = await client.commands(`${command} /inbox/kept`)
    await judged
    expect(other.store.records.at(-1)).toMatchObject({ operation: 'attributes', set: { [attribute]: first.slice(4) } })
    expect(await client.commands(`${command} /inbox/kept`)).toBe(first)
    expect(seen.count).toBe(1)
  })

  test('of a part is kept nowhere', async () => {
    await using other = await openDoor({ limits: { verdictMsMax: 5 } })
    const client = await FtpClient.loggedIn(other.address)
    await client.upload('/inbox/kept', 'some bytes')
    await client.commands('OPTS HASH MD5', 'RANG 0 3', 'HASH /inbox/kept', 'QUIT')
    await client.closed()
    await other.frontend.close()
    const sets = other.store.records.flatMap((record) => (record.operation === 'attributes' ? [record.set] : []))
    expect(sets).toEqual([{ 'ftp.completion': 'confirmed' }])
  })
})
