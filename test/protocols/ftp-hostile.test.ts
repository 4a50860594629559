import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FtpClient } from '../support/ftp-client.ts'
import { type Door, openDoor } from '../support/ftp-door.ts'

/* What clients do that are in a hurry, or gone; the whole server is attacked in test/e2e/ftp-hostile.test.ts. */

let door: Door
let client: FtpClient

beforeEach(async () => {
  door = await openDoor()
  client = await FtpClient.loggedIn(door.address)
  await client.commands('CWD inbox')
})

afterEach(() => door.frontend.close())

test('a download whose client is gone is read no further', async () => {
  const chunks = 1024
  await client.upload('big', Buffer.alloc(chunks * 64 * 1024))
  let read = 0
  door.store.events.on('chunk', () => {
    read += 1
  })
  const data = await client.transfer('RETR big')
  await once(data, 'readable')
  data.on('error', () => {}).destroy()
  expect(await client.reply()).toBe('426 The data connection was lost')
  expect(read).toBeLessThan(chunks)
  const readBefore = read
  await client.commands('NOOP', 'PWD')
  expect(read).toBe(readBefore)
})

test('NOOP and STAT that were sent behind other commands are answered behind them', async () => {
  const data = await client.transfer('STOR a')
  client.write('PWD\r\nNOOP\r\nSTAT\r\nPWD\r\n')
  data.end('hello')
  const replies: string[] = []
  for (let index = 0; index < 5; index++) replies.push((await client.reply()).slice(0, 3))
  expect(replies).toEqual(['226', '257', '200', '211', '257'])
})

test('ABOR is heard before whatever waits', async () => {
  await client.transfer('STOR a')
  client.write('PWD\r\nABOR\r\n')
  const replies: string[] = []
  for (let index = 0; index < 3; index++) replies.push(await client.reply())
  expect(replies).toEqual(['426 The transfer was aborted', '226 ABOR done', '257 "/inbox"'])
})

test('each ABOR is answered, also when one is enough', async () => {
  await client.transfer('STOR a')
  client.write('ABOR\r\nABOR\r\nPWD\r\nABOR\r\n')
  const replies: string[] = []
  for (let index = 0; index < 5; index++) replies.push((await client.reply()).slice(0, 3))
  expect(replies).toEqual(['426', '226', '225', '257', '225'])
})
