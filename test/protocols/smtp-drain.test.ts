import { once } from 'node:events'
import { createServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { openDoor } from '../support/smtp-door.ts'

test('drain lets messages in flight finish, dismisses the idle and takes nobody new', async () => {
  await using door = await openDoor()
  const idle = await SmtpClient.greeted(door.address)
  const sending = await SmtpClient.greeted(door.address)
  await sending.envelope('inbox@cenote.local')
  sending.write('Subject: late\r\n')
  const release = door.store.hold('commit')
  let drained = false
  const drain = door.frontend.drain().then(() => {
    drained = true
  })
  expect(await idle.reply()).toBe('421 4.3.2 Closing, try again in a moment')
  await idle.closed()
  await expect(SmtpClient.open(door.address)).rejects.toThrow('ECONNREFUSED')
  const committing = once(door.store.events, 'commit')
  sending.write('\r\n.\r\n')
  await committing
  expect(drained).toBe(false)
  release()
  await drain
  expect(await sending.reply()).toMatch(/^250 /)
  expect(await sending.command('MAIL FROM:<ada@example.org>')).toMatch(/^421 /)
  expect(door.objects()[0]?.bytes.toString()).toBe('Subject: late\r\n\r\n')
})

test('drainMsMax: a message that does not come to its end is not waited for', async () => {
  await using door = await openDoor({ limits: { drainMsMax: 20 } })
  const client = await SmtpClient.greeted(door.address)
  await client.envelope('inbox@cenote.local')
  client.write('Subject: endless\r\n')
  await door.frontend.drain()
  expect(await client.reply()).toMatch(/^421 /)
  expect(door.store.size).toBe(0)
})

test('close ends every connection, and what was not sent to its end is not stored', async () => {
  const door = await openDoor()
  const idle = await SmtpClient.greeted(door.address)
  const sending = await SmtpClient.greeted(door.address)
  await sending.envelope('inbox@cenote.local')
  sending.write('Subject: cut\r\n')
  await door.frontend.close()
  expect(await idle.reply()).toMatch(/^421 4\.3\.2 /)
  expect(await sending.reply()).toMatch(/^421 4\.3\.2 /)
  expect(door.store.size).toBe(0)
  await door.frontend.close()
})

test('close waits for a commit underway', async () => {
  const door = await openDoor()
  const release = door.store.hold('commit')
  const client = await SmtpClient.greeted(door.address)
  await client.envelope('inbox@cenote.local')
  const committing = once(door.store.events, 'commit')
  client.write(wireForm('hello\r\n'))
  await committing
  let closed = false
  const close = door.frontend.close().then(() => {
    closed = true
  })
  await client.closed()
  for (let turns = 0; turns < 20; turns++) await turn()
  expect(closed).toBe(false)
  release()
  await close
  expect(door.store.size).toBe(1)
})

test('a port that is taken is told, and a door that never opened closes', async () => {
  const taken = createServer()
  await once(taken.listen(0, '127.0.0.1'), 'listening')
  const port = (taken.address() as { port: number }).port
  await expect(openDoor({ port })).rejects.toThrow('EADDRINUSE')
  taken.close()
})
