import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { email } from '../../filters/index.ts'
import { smtpFrontend } from '../../protocols/index.ts'
import { type Origin, openCatalog, openStore } from '../../streams/index.ts'
import { type MemoryPoolOptions, memoryPool } from '../support/memory-pool.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { doorOptions } from '../support/smtp-door.ts'

const root: Origin = {
  principal: { application: 'root', partition: 'main', permissions: ['object:read', 'object:write', 'bucket:create'] },
  protocol: 'http',
}
const mail = 'From: Ada <ada@example.org>\r\nSubject: The plan\r\n\r\nAs agreed.\r\n'

/** The door over the store itself, on a pool in memory. */
async function openStoreDoor(poolOptions: MemoryPoolOptions = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'cenote-smtp-'))
  const pool = memoryPool(poolOptions)
  const catalog = await openCatalog({ directory })
  const clock = { now: Date.now }
  const store = await openStore({ pool, catalog, partition: 'main', stages: () => [email], clock })
  for (const bucket of ['inbox', 'archive']) await store.createBucket(root, bucket)
  const frontend = smtpFrontend(doorOptions({ store }))
  await frontend.listen()
  return {
    store,
    address: frontend.address,
    async [Symbol.asyncDispose]() {
      await frontend.close()
      await store.close()
      await catalog.close()
      await rm(directory, { recursive: true })
    },
  }
}

test('a mail to two buckets is in both, found by its subject, and the reply names it', async () => {
  await using door = await openStoreDoor()
  const client = await SmtpClient.greeted(door.address)
  const reply = await client.message(wireForm(mail), 'inbox+plans@cenote.local', 'archive@cenote.local')
  const { objects } = await door.store.query(root, 'email.subject:"The plan"')
  const found = objects.toSorted((one, other) => one.sequence - other.sequence)
  expect(found.map(({ bucket }) => bucket)).toEqual(['inbox', 'archive'])
  const receipts = found.map(({ object, version }) => `object ${object} version ${version}`).join(', ')
  expect(reply).toBe(`250 2.6.0 Stored ${receipts}`)
  expect(found[0]?.key).toBe(found[1]?.key)
  for (const name of found) {
    const chunks = []
    for await (const chunk of (await door.store.read(root, name)).body) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe(mail)
  }
  expect(door.store.status.uploadsOpen).toBe(0)
})

test('a bucket that is not there, or cannot be, is refused at RCPT', async () => {
  await using door = await openStoreDoor()
  const client = await SmtpClient.greeted(door.address)
  await client.commands('MAIL FROM:<ada@example.org>')
  const recipients = ['nowhere', 'a', 'no_bucket', 'postmaster'].map((bucket) => `${bucket}@cenote.local`)
  for (const recipient of [...recipients, 'postmaster']) {
    expect(await client.command(`RCPT TO:<${recipient}>`)).toBe('550 5.1.1 No bucket of that name here')
  }
  expect(await door.store.buckets(root)).toEqual(['archive', 'inbox'])
})

test('mail for postmaster goes to the bucket of that name, with our domain or without any', async () => {
  await using door = await openStoreDoor()
  await door.store.createBucket(root, 'postmaster')
  const client = await SmtpClient.greeted(door.address)
  for (const recipient of ['postmaster@cenote.local', 'postmaster', 'Postmaster']) {
    expect(await client.message(wireForm(mail), recipient), recipient).toMatch(/^250 2\.6\.0 Stored /)
  }
  expect((await door.store.list(root, 'postmaster')).objects).toHaveLength(3)
})

test('a full pool says 452, and keeps nothing of the message', async () => {
  await using door = await openStoreDoor({ bytesMax: 100_000 })
  const client = await SmtpClient.greeted(door.address)
  const large = `${mail}${'x'.repeat(70)}\r\n`.repeat(1000)
  const recipients = ['inbox@cenote.local', 'archive@cenote.local']
  expect(await client.message(wireForm(large), ...recipients)).toMatch(/^452 4\.3\.1 /)
  expect(await client.message(wireForm(mail), ...recipients)).toMatch(/^250 /)
  expect(door.store.status.uploadsOpen).toBe(0)
})

test('a message whose size is told, and that does not fit, is refused at RCPT', async () => {
  await using door = await openStoreDoor({ bytesMax: 100_000 })
  const client = await SmtpClient.greeted(door.address)
  await client.commands('MAIL FROM:<ada@example.org> SIZE=200000')
  expect(await client.command('RCPT TO:<inbox@cenote.local>')).toMatch(/^452 4\.3\.1 /)
  await client.commands('RSET', 'MAIL FROM:<ada@example.org> SIZE=50000', 'RCPT TO:<inbox@cenote.local>', 'RSET')
  expect(door.store.status.uploadsOpen).toBe(0)
})

test('a flush that fails is no yes, to neither bucket', async () => {
  let isBroken = false
  const flush = async () => {
    if (isBroken) throw new Error('the disk is gone')
  }
  await using door = await openStoreDoor({ flush })
  const client = await SmtpClient.greeted(door.address)
  isBroken = true
  const reply = await client.message(wireForm(mail), 'inbox@cenote.local', 'archive@cenote.local')
  expect(reply).toMatch(/^451 4\.3\.[02] /)
})
