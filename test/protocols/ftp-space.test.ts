import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ftp } from '../../filters/index.ts'
import type { PutRecord } from '../../streams/index.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { camera, type Door, openDoor, treeStore } from '../support/ftp-door.ts'

/* ALLO: room that is kept, and evidence of the end. */

let door: Door
let client: FtpClient

beforeEach(async () => {
  const store = treeStore({ describe: (envelope) => ftp.start(envelope as Parameters<typeof ftp.start>[0]) })
  door = await openDoor({}, store)
  client = await FtpClient.loggedIn(door.address)
})

afterEach(() => door.frontend.close())

const puts = () => door.store.records.filter((record): record is PutRecord => record.operation === 'put')
const evidence = () => puts().map(({ attributes }) => [attributes['ftp.allocated'], attributes['ftp.completion']])

describe('ALLO', () => {
  test('of the exact size confirms in the put itself, and leaves nothing to be said', async () => {
    await client.commands('ALLO 5')
    await client.upload('/inbox/a', 'bytes')
    client.socket.destroy()
    await door.frontend.close()
    expect(evidence()).toEqual([[5, 'confirmed']])
    expect(door.store.records.length).toBe(1)
  })

  test.each([4, 6])('of %i bytes for five is noted, and confirms nothing', async (bytes) => {
    await client.commands(`ALLO ${bytes}`)
    await client.upload('/inbox/a', 'bytes')
    expect(evidence()).toEqual([[bytes, 'unconfirmed']])
  })

  test('is of the next upload alone, and of none after REIN', async () => {
    await client.commands('ALLO 5')
    await client.upload('/inbox/a', 'bytes')
    await client.upload('/inbox/b', 'bytes')
    await client.commands('ALLO 5', 'REIN', 'USER camera', 'PASS correct horse')
    await client.upload('/inbox/c', 'bytes')
    expect(evidence().slice(1)).toEqual([
      [undefined, 'unconfirmed'],
      [undefined, 'unconfirmed'],
    ])
  })

  test('is known to the store before the first byte, and compared with nothing in TYPE A', async () => {
    await client.commands('TYPE A', 'ALLO 6')
    await client.upload('/inbox/a', 'text\r\n')
    expect(door.store.begun[0]?.announced).toBe(6)
    expect(evidence()).toEqual([[undefined, 'unconfirmed']])
  })

  test('is refused where the policy of the application lets no such file in', async () => {
    const principal = { ...camera, policy: { objectBytesMax: 4 } }
    await using other = await openDoor({ access: { verify: async () => principal } })
    const client = await FtpClient.loggedIn(other.address)
    expect(await client.command('ALLO 5')).toBe('552 A file may have at most 4 bytes')
    expect(await client.command('ALLO 4')).toMatch(/^200 /)
  })
})

test('FEAT names AVBL, which is for those who may store', async () => {
  expect(await client.command('FEAT')).toContain('\r\n AVBL\r\n')
  door.store.left = 7
  expect(await client.command('AVBL')).toBe('213 7')
  await using other = await openDoor({ access: { verify: async () => ({ ...camera, permissions: ['object:read'] }) } })
  const reader = await FtpClient.loggedIn(other.address)
  expect(await reader.command('AVBL')).toMatch(/^550 /)
})
