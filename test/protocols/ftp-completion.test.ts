import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ftp } from '../../filters/index.ts'
import type { Disposition, Policy, Principal } from '../../streams/index.ts'
import type { FakeStore } from '../support/fake-store.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { camera, type Door, openDoor, treeStore } from '../support/ftp-door.ts'

/* What is known of the end of a file that came over FTP, and what becomes of it. */

/** The real filter says what a put says of its own. */
const store = () => treeStore({ describe: (envelope) => ftp.start(envelope as Parameters<typeof ftp.start>[0]) })

let door: Door

beforeEach(async () => {
  door = await openDoor({ limits: { verdictMsMax: 5 } }, store())
})

afterEach(() => door.frontend.close())

/** What the stream says of an object's end, from its put on. */
function completions(records: FakeStore['records'], key: string): unknown[] {
  const said = records.flatMap((record) => {
    if (!('key' in record) || record.key !== key) return []
    if (record.operation === 'put') return [record.attributes['ftp.completion']]
    return record.operation === 'attributes' ? [record.set['ftp.completion']] : []
  })
  return said.filter((completion) => completion !== undefined)
}

const judged = ({ store }: Door) => once(store.events, 'judged')

async function uploaded(key: string, on: Door = door): Promise<FtpClient> {
  const client = await FtpClient.loggedIn(on.address)
  expect(await client.upload(`/inbox/${key}`, 'bytes')).toMatch(/^226 /)
  return client
}

test('is unconfirmed in the put, at 226', async () => {
  await uploaded('a')
  expect(completions(door.store.records, 'a')).toEqual(['unconfirmed'])
})

test('of a directory that MKD made is in no doubt', async () => {
  const client = await FtpClient.loggedIn(door.address)
  await client.commands('MKD /inbox/folder')
  client.socket.destroy()
  await door.frontend.close()
  expect(completions(door.store.records, 'folder/')).toEqual(['confirmed'])
})

describe('the next word of the client', () => {
  test.each([
    'NOOP',
    'SIZE /inbox/a',
    'HASH /inbox/a',
    'XMD5 /inbox/a',
    'EPSV',
    'NONSENSE',
    `USER ${'x'.repeat(9000)}`,
    'QUIT',
  ])('%.20s confirms', async (line) => {
    const client = await uploaded('a')
    const told = judged(door)
    client.write(`${line}\r\n`)
    await told
    expect(completions(door.store.records, 'a')).toEqual(['unconfirmed', 'confirmed'])
  })

  test('confirms the last upload, and that once', async () => {
    const client = await uploaded('a')
    await client.upload('/inbox/b', 'bytes')
    await client.commands('NOOP', 'NOOP', 'QUIT')
    await client.closed()
    await door.frontend.close()
    for (const key of ['a', 'b'])
      expect(completions(door.store.records, key), key).toEqual(['unconfirmed', 'confirmed'])
  })

  test('does not confirm when it was sent before the end of the file', async () => {
    const client = await FtpClient.loggedIn(door.address)
    const data = await client.transfer('STOR /inbox/a')
    client.write('NOOP\r\nPWD\r\n') // NOOP is answered at once, PWD waits behind the transfer.
    expect(await client.reply()).toMatch(/^200 /)
    data.end('bytes')
    expect(await client.reply()).toMatch(/^226 /)
    expect(await client.reply()).toMatch(/^257 /)
    const told = judged(door)
    client.socket.destroy()
    await told
    expect(completions(door.store.records, 'a')).toEqual(['unconfirmed', 'control-lost'])
  })

  test('counts from the end of the file on, though 226 is still to come', async () => {
    const open = door.store.hold('commit')
    const client = await FtpClient.loggedIn(door.address)
    const data = await client.transfer('STOR /inbox/a')
    const committing = once(door.store.events, 'commit')
    data.end('bytes')
    await committing
    client.write('NOOP\r\n')
    expect(await client.reply()).toMatch(/^200 /)
    client.socket.destroy()
    const told = judged(door)
    open()
    await told
    expect(completions(door.store.records, 'a')).toEqual(['unconfirmed', 'confirmed'])
  })

  test('is an abort: the file is not trusted', async () => {
    const client = await uploaded('a')
    const told = judged(door)
    expect(await client.command('ABOR')).toMatch(/^225 /)
    await client.commands('NOOP')
    await told
    expect(completions(door.store.records, 'a')).toEqual(['unconfirmed', 'aborted'])
    expect(door.store.records.at(-1)).toMatchObject({
      set: { 'quarantine.reason': 'the client asked for the transfer to be aborted' },
    })
  })
})

describe('a client that leaves without a word', () => {
  const applications = (controlLost?: Disposition): Principal => {
    const policy: Policy = controlLost ? { controlLost } : {}
    return { ...camera, policy }
  }
  const opened = async (principal: Principal) => {
    const other = await openDoor({ access: { verify: async () => principal }, limits: { verdictMsMax: 5 } }, store())
    onTestFinished(() => other.frontend.close())
    return other
  }

  test.each<[Disposition | undefined, object | undefined]>([
    [undefined, { 'quarantine.reason': 'the client left without a word after the upload' }],
    ['quarantine', { 'quarantine.reason': 'the client left without a word after the upload' }],
    ['keep', { 'ftp.completion': 'control-lost' }],
    ['drop', undefined],
  ])('leaves a file that the policy %s has', async (controlLost, attributes) => {
    const other = await opened(applications(controlLost))
    const client = await uploaded('a', other)
    const told = judged(other)
    client.socket.end()
    await told
    expect(completions(other.store.records, 'a')).toEqual(['unconfirmed', 'control-lost'])
    const stat = await other.store
      .stat({ principal: camera, protocol: 'ftp' }, { bucket: 'inbox', key: 'a' })
      .catch(() => undefined)
    if (attributes) expect(stat?.attributes).toMatchObject(attributes)
    else expect(stat).toBeUndefined()
    if (controlLost === 'keep') expect(stat?.attributes).not.toHaveProperty('quarantine.reason')
  })

  test('is told of before the session counts as closed', async () => {
    const other = await openDoor({ limits: { verdictMsMax: 3_600_000 } }, store())
    const client = await uploaded('a', other)
    const told = judged(other)
    client.socket.destroy()
    await told // Though the wait for others would be an hour.
    expect(completions(other.store.records, 'a')).toEqual(['unconfirmed', 'control-lost'])
    await other.frontend.close()
  })

  test('may have left while its file was being committed', async () => {
    const open = door.store.hold('commit')
    const client = await FtpClient.loggedIn(door.address)
    const data = await client.transfer('STOR /inbox/a')
    const committing = once(door.store.events, 'commit')
    data.end('bytes')
    await committing
    client.socket.destroy()
    const told = judged(door)
    open()
    await told
    expect(completions(door.store.records, 'a')).toEqual(['unconfirmed', 'control-lost'])
  })

  test('has lost nothing when it was silent for too long after another word', async () => {
    const client = await uploaded('a')
    const told = judged(door)
    await client.commands('NOOP')
    client.socket.destroy()
    await told
    await door.frontend.close()
    expect(completions(door.store.records, 'a')).toEqual(['unconfirmed', 'confirmed'])
  })

  test('of whom nothing more came in time is one of them', async () => {
    const other = await openDoor({ limits: { controlIdleMsMax: 100 } }, store())
    const client = await uploaded('a', other)
    const told = judged(other)
    expect(await client.reply()).toMatch(/^421 /)
    await told
    expect(completions(other.store.records, 'a')).toEqual(['unconfirmed', 'control-lost'])
    await other.frontend.close()
  })
})

describe('a server that ends the session', () => {
  test.each(['drain', 'close'] as const)('by %s leaves the file unconfirmed', async (how) => {
    const other = await openDoor({}, store())
    const client = await uploaded('a', other)
    const ended = other.frontend[how]()
    await client.closed()
    await ended
    await other.frontend.close()
    expect(completions(other.store.records, 'a')).toEqual(['unconfirmed'])
  })
})

describe('words on many files', () => {
  test('are written together, and all of them by the end of the session', async () => {
    const batches: number[] = []
    const other = await openDoor({ limits: { verdictMsMax: 3_600_000, verdictsMax: 4 } }, store())
    const { judge } = other.store
    other.store.judge = (verdicts) => {
      batches.push(verdicts.length)
      return judge.call(other.store, verdicts)
    }
    const client = await FtpClient.loggedIn(other.address)
    for (let index = 0; index < 10; index++) await client.upload(`/inbox/${index}`, 'bytes')
    await client.commands('QUIT')
    await client.closed()
    await other.frontend.close()
    expect(batches).toEqual([4, 4, 2])
    const all = other.store.records.filter(({ operation }) => operation === 'attributes')
    expect(all.length).toBe(10)
  })

  test('that wait too long hold up the next upload, and one that cannot be written is told', async () => {
    const other = await openDoor(
      { limits: { verdictMsMax: 3_600_000, verdictsMax: 100, verdictsWaitingMax: 1 } },
      store(),
    )
    const open = other.store.hold('judge')
    other.store.fail('judge', new Error('no'))
    const client = await uploaded('a', other)
    const begun = other.store.begun.length
    const judging = once(other.store.events, 'judge')
    const transferring = client.transfer('STOR /inbox/b')
    await judging
    expect(other.store.begun.length).toBe(begun)
    open()
    const data = await transferring
    data.end('bytes')
    await client.reply()
    expect(other.store.begun.length).toBe(begun + 1)
    expect(other.errors.length).toBe(1)
    await other.frontend.close()
    expect(completions(other.store.records, 'a')).toEqual(['unconfirmed'])
  })
})
