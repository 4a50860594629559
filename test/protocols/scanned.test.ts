import { describe, expect, onTestFinished, test } from 'vitest'
import { content } from '../../filters/index.ts'
import { type FtpLimits, type HttpLimits, type SmtpLimits, smtpFrontend } from '../../protocols/index.ts'
import type { OpenStore, Permission, Principal, ScanOutcome, ScanPolicy } from '../../streams/index.ts'
import { clean, FakeScanner, refused, scanningBy } from '../support/fake-scanner.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { openDoor as openFtp } from '../support/ftp-door.ts'
import { RawClient } from '../support/http-client.ts'
import { openDoor as openHttp } from '../support/http-door.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { doorOptions } from '../support/smtp-door.ts'
import { gate, levelCatalog, openHarness, origin, turns } from '../support/store-harness.ts'

/* What a scanner says of an upload reaches its sender at each door, in that one's words. */

const permissions: readonly Permission[] = ['object:read', 'object:write', 'bucket:create']
const principal: Principal = { application: 'camera', partition: 'main', permissions }
const access = { verify: async () => principal, verifyAnswer: async () => principal }
const keys = async (store: OpenStore) => (await store.list(origin, 'inbox')).objects.map(({ key }) => key)

async function openStore(judge: () => ScanOutcome | Promise<ScanOutcome>, policy: ScanPolicy = 'accept') {
  const scanner = new FakeScanner(judge)
  const { scanning, timers } = scanningBy(scanner, { policy })
  const { store } = await openHarness({ catalog: await levelCatalog(), stages: () => [content], scanning })
  return { store, scanner, scanning, timers }
}

/** An upload, all of whose bytes were sent. */
interface Sent {
  readonly reply: () => Promise<string>
  readonly leave: () => void
}

type Send = (store: OpenStore, limits?: Partial<HttpLimits & FtpLimits & SmtpLimits>) => Promise<Sent>

const overHttp: Send = async (store, limits = {}) => {
  const door = await openHttp({ store, versions: store.versions, access, limits })
  onTestFinished(() => door.frontend.close())
  const client = await RawClient.connect(door.port)
  client.request('PUT /v1/objects/inbox/a.txt', ['Content-Length: 4'], 'text')
  const reply = async () => {
    const { status, body } = await client.answer()
    const { code = '', detail = '' } = JSON.parse(body.toString())
    return `${status} ${code} ${detail}`.trim()
  }
  return { reply, leave: () => client.socket.destroy() }
}

const overFtp: Send = async (store, limits = {}) => {
  const door = await openFtp({ store, partials: store.partials, access, limits })
  onTestFinished(() => door.frontend.close())
  const client = await FtpClient.loggedIn(door.address)
  const data = await client.data()
  expect(await client.command('STOR /inbox/a.txt')).toMatch(/^150 /)
  data.end('text')
  return { reply: () => client.reply(), leave: () => client.socket.destroy() }
}

const byMail: Send = async (store, limits = {}) => {
  const allowedNetworks = { addresses: ['127.0.0.1'], principal }
  const door = smtpFrontend(doorOptions({ store, access, allowedNetworks, limits }))
  await door.listen()
  onTestFinished(() => door.close())
  const client = await SmtpClient.greeted(door.address)
  for (const line of ['MAIL FROM:<a@example.org>', 'RCPT TO:<inbox@cenote.local>', 'DATA']) await client.command(line)
  client.write(wireForm('text'))
  return { reply: () => client.reply(), leave: () => client.reset() }
}

interface Words {
  readonly refused: string
  readonly unknown: string
  readonly stored: RegExp
}

const doors: readonly [string, Send, Words][] = [
  [
    'over HTTP',
    overHttp,
    {
      refused: '422 ERR_REFUSED a scanner refused it: Eicar 世 250 OK',
      unknown: '503 ERR_BUSY it could not be scanned',
      stored: /^201/,
    },
  ],
  [
    'over FTP',
    overFtp,
    { refused: '550 a scanner refused it: Eicar 世 250 OK', unknown: '450 it could not be scanned', stored: /^226 / },
  ],
  [
    'by mail',
    byMail,
    {
      refused: '550 5.7.1 a scanner refused it: Eicar ? 250 OK',
      unknown: '451 4.3.2 it could not be scanned',
      stored: /^250 /,
    },
  ],
]

describe.each(doors)('%s', (_door, send, words) => {
  test('what is refused is told so, with the reason, and not stored', async () => {
    const { store } = await openStore(() => refused('Eicar 世\r\n250 OK'))
    expect(await (await send(store)).reply()).toBe(words.refused)
    expect(await keys(store)).toEqual([])
  })

  test('what could not be judged is to be sent again, where the policy has it so', async () => {
    const { store } = await openStore(() => ({ verdict: 'unknown', reason: 'a secret' }), 'refuse')
    expect(await (await send(store)).reply()).toBe(words.unknown)
    expect(await keys(store)).toEqual([])
  })

  test('a scanner that thinks for longer than a client may be silent costs nobody an upload', async () => {
    const idleMs = 40
    const thinking = () => new Promise<ScanOutcome>((resolve) => setTimeout(() => resolve(clean), 5 * idleMs))
    const { store } = await openStore(thinking)
    const limits = { bodyIdleMsMax: idleMs, dataIdleMsMax: idleMs, controlIdleMsMax: idleMs, idleMsMax: idleMs }
    expect(await (await send(store, limits)).reply()).toMatch(words.stored)
    expect(await keys(store)).toHaveLength(1)
  })

  test('a server that closes gives up what its scanner thinks about, and says so', async () => {
    const { store, scanner, scanning } = await openStore(() => new Promise(() => {}))
    const { reply } = await send(store)
    await scanner.asked(1)
    scanning.close()
    expect(await reply()).toMatch(/^(503 ERR_BUSY|450|451 4\.3\.2) it was not scanned: the server is closing$/)
    expect(await keys(store)).toEqual([])
  })

  test.each([
    ['clean', clean, 1],
    ['refused', refused('Eicar'), 0],
  ])('whoever leaves while the scanner thinks changes nothing: what is %s', async (_verdict, outcome, stored) => {
    const { open: answer, opened } = gate()
    const { store, scanner } = await openStore(async () => {
      await opened
      return outcome
    })
    const { leave } = await send(store)
    await scanner.asked(1)
    leave()
    await turns(50)
    expect(await keys(store)).toEqual([])
    answer()
    while (store.status.uploadsOpen > 0) await turns(1)
    expect(await keys(store)).toHaveLength(stored)
  })
})
