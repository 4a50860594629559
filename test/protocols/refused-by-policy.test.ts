import { describe, expect, onTestFinished, test } from 'vitest'
import { content } from '../../filters/index.ts'
import { smtpFrontend } from '../../protocols/index.ts'
import type { OpenStore, Permission, Policy, Principal } from '../../streams/index.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { openDoor as openFtp } from '../support/ftp-door.ts'
import { call } from '../support/http-client.ts'
import { openDoor as openHttp } from '../support/http-door.ts'
import { SmtpClient, wireForm } from '../support/smtp-client.ts'
import { doorOptions } from '../support/smtp-door.ts'
import { levelCatalog, openHarness, origin, refusal } from '../support/store-harness.ts'

/* What a policy refuses is refused at each door, in its own words, as early as it can be known, and nothing is stored. */

const permissions: readonly Permission[] = ['object:read', 'object:write', 'bucket:create']

async function openStore(): Promise<OpenStore> {
  const { store } = await openHarness({ catalog: await levelCatalog(), stages: () => [content] })
  return store
}

const heldTo = (policy: Policy): Principal => ({ application: 'scanner', partition: 'main', permissions, policy })
const expectEmpty = async (store: OpenStore) => expect((await store.list(origin, 'inbox')).objects).toEqual([])

interface Case {
  readonly what: string
  readonly policy: Policy
  readonly text: string
  readonly http: [status: number, code: string]
  /** Before 150, or in place of 226. */
  readonly ftp: { readonly before?: RegExp; readonly after?: RegExp }
  readonly smtp: RegExp
}

const cases: readonly Case[] = [
  {
    what: 'a name',
    policy: { names: ['*.pdf'] },
    text: 'text',
    http: [403, 'ERR_NAME'],
    ftp: { before: /^553 scanner may store \*\.pdf and no other names$/ },
    smtp: /^550 5\.7\.1 /,
  },
  {
    what: 'a type of content',
    policy: { contentTypes: ['application/pdf'] },
    text: 'text',
    http: [415, 'ERR_CONTENT'],
    ftp: { after: /^550 scanner may store application\/pdf, and this is text\/plain$/ },
    smtp: /^554 5\.6\.1 /,
  },
  {
    what: 'a size',
    policy: { objectBytesMax: 3 },
    text: 'text',
    http: [413, 'ERR_TOO_LARGE'],
    ftp: { after: /^552 an object may have at most 3 bytes$/ },
    smtp: /^552 5\.3\.4 /,
  },
  {
    what: 'a quota that is full',
    policy: { quotaBytes: 0 },
    text: 'text',
    http: [507, 'ERR_QUOTA'],
    ftp: { before: /^552 scanner may keep 0 bytes and has 0: there is no room for 1 more$/ },
    smtp: /^452 4\.2\.2 /,
  },
  {
    what: 'a quota that would be passed',
    policy: { quotaBytes: 3 },
    text: 'text',
    http: [507, 'ERR_QUOTA'],
    ftp: { after: /^552 scanner may keep 3 bytes and has 0: there is no room for 4 more$/ },
    smtp: /^452 4\.2\.2 /,
  },
  {
    what: 'a number of objects',
    policy: { quotaObjects: 0 },
    text: 'text',
    http: [507, 'ERR_QUOTA'],
    ftp: { before: /^552 scanner may keep 0 objects and has 0$/ },
    smtp: /^452 4\.2\.2 /,
  },
]

describe.each(cases)('$what', ({ policy, text, http, ftp, smtp }) => {
  const access = { verify: async () => heldTo(policy), verifyAnswer: async () => heldTo(policy) }

  test('over HTTP', async () => {
    const store = await openStore()
    const door = await openHttp({ store, versions: store.versions, access })
    onTestFinished(() => door.frontend.close())
    const answer = await call(door.port, 'PUT', '/v1/objects/inbox/a.txt', { body: text })
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual(http)
    await expectEmpty(store)
  })

  test('over FTP', async () => {
    const store = await openStore()
    const door = await openFtp({ store, access })
    onTestFinished(() => door.frontend.close())
    const client = await FtpClient.loggedIn(door.address)
    const data = await client.data()
    const reply = await client.command('STOR /inbox/a.txt')
    if (ftp.before) expect(reply).toMatch(ftp.before)
    else {
      expect(reply).toMatch(/^150 /)
      data.end(text)
      expect(await client.reply()).toMatch(ftp.after!)
    }
    await expectEmpty(store)
  })

  test('by mail', async () => {
    const store = await openStore()
    const door = smtpFrontend(
      doorOptions({ store, access, allowedNetworks: { addresses: ['127.0.0.1'], principal: heldTo(policy) } }),
    )
    await door.listen()
    onTestFinished(() => door.close())
    const client = await SmtpClient.greeted(door.address)
    expect(await deliver(client, text)).toMatch(smtp)
    await expectEmpty(store)
  })
})

/** The refusal of a mail, at whichever line it comes. */
async function deliver(client: SmtpClient, text: string): Promise<string> {
  for (const line of ['MAIL FROM:<a@example.org>', 'RCPT TO:<inbox@cenote.local>', 'DATA']) {
    const reply = await client.command(line)
    if (!/^[23]/.test(reply)) return reply
  }
  client.write(wireForm(text))
  return client.reply()
}

test('a rename over FTP is held to the names, too', async () => {
  const store = await openStore()
  const door = await openFtp({ store, access: { verify: async () => heldTo({ names: ['*.pdf'] }) } })
  onTestFinished(() => door.frontend.close())
  const client = await FtpClient.loggedIn(door.address)
  await client.upload('/inbox/a.pdf', 'x')
  await client.commands('RNFR /inbox/a.pdf')
  expect(await client.command('RNTO /inbox/a.exe')).toMatch(/^553 /)
  expect(await client.command('MKD /inbox/folder')).toMatch(/^553 /)
  await expect(store.stat(origin, { bucket: 'inbox', key: 'a.exe' })).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
})
