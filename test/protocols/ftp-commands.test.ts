import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { commands, precedeLogIn } from '../../protocols/ftp/commands.ts'
import { smallCommands } from '../../protocols/ftp/ftp-srv-adapter.ts'
import { selfSigned } from '../../server/self-signed.ts'
import { freePort } from '../support/free-port.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { type DoorCases, doors } from '../support/ftp-command-cases.ts'
import { Conversation } from '../support/ftp-conversation.ts'
import { cameraSecret, type Door, openDoor } from '../support/ftp-door.ts'

const every = [...commands.keys(), ...smallCommands].sort()
let context: SecureContext
let door: Door
let conversation: Conversation

beforeAll(async () => {
  const pair = await selfSigned(Date.now())
  context = createSecureContext({ cert: pair.certificate, key: pair.key })
})

afterEach(async () => {
  await conversation.end()
  await door.frontend.close()
})

/** A client before some files, logged in where it may. */
async function open({ mode, reuseRequired = false, isClear = false }: DoorCases): Promise<FtpClient> {
  const port = await freePort()
  const tls = mode && { mode, reuseRequired, context: () => context }
  const limits = { digestBytesMax: 8, closeMsMax: 100 }
  door = await openDoor({ passivePorts: { min: port, max: port }, limits, ...(tls && { tls }) }, await filled())
  const client = await FtpClient.greeted(door.address)
  conversation = new Conversation(client, door, port)
  if (isClear) return client
  if (tls) await client.commands('AUTH TLS')
  if (tls) await client.startTls({ rejectUnauthorized: false })
  await client.commands('USER camera', `PASS ${cameraSecret}`)
  return client
}

async function filled() {
  await using other = await openDoor()
  const writer = await FtpClient.loggedIn(other.address)
  const files = { five: 'hello', ten: '0123456789', 'dir/file': 'x' }
  for (const [name, text] of Object.entries(files)) await writer.upload(`/inbox/${name}`, text)
  return other.store
}

const rows = Object.entries(doors).flatMap(([name, each]: readonly [string, DoorCases]) =>
  Object.entries(each.table).flatMap(([command, cases]) =>
    cases.map(([said, replies]) => ({ name, each, command, said, replies })),
  ),
)

test.each(rows)('$name: $said is answered $replies', async ({ each, said, replies }) => {
  await open(each)
  const expected = replies.split(' / ')
  const heard = await conversation.say(said, expected.length)
  expect(heard.map((reply, index) => reply.slice(0, expected[index]!.length))).toEqual(expected)
  expect(door.errors).toHaveLength(replies.includes('451') ? 1 : 0)
})

describe('every command', () => {
  test('is among these', () => {
    expect([...new Set(rows.map(({ command }) => command))].sort()).toEqual(every)
  })

  test('waits for a login, but for those that may precede it', async () => {
    const client = await open({ ...doors['in clear where TLS is required'] })
    for (const command of every.filter((each) => !precedeLogIn.has(each)))
      expect(await client.command(command), command).toBe('530 Log in first')
    for (const command of [...precedeLogIn].filter((each) => each !== 'QUIT'))
      expect(await client.command(command), command).not.toBe('530 Log in first')
  })

  test('that needs an argument says so', async () => {
    const client = await open(doors['without TLS'])
    for (const [command, { argument }] of commands)
      if (argument === 'needed') expect(await client.command(command)).toBe(`501 ${command} needs an argument`)
  })

  test('is told, with each of its codes, in docs/doors/ftp.md', () => {
    for (const { names, codes } of documented())
      expect.soft(codesSeen(names), names.join()).toEqual([...new Set(codes)].sort())
    expect(
      documented()
        .flatMap(({ names }) => names)
        .sort(),
    ).toEqual(every)
  })
})

function codesSeen(names: readonly string[]): readonly string[] {
  const replies = rows.filter(({ command }) => names.includes(command)).flatMap((row) => row.replies.split(' / '))
  return [...new Set(replies.map((reply) => reply.slice(0, 3)))].filter((code) => !everywhere.includes(code)).sort()
}

/** Refusals that the page tells once, for all commands. */
const everywhere = ['501', '530', '550', '553']

/** The rows of the table of commands: `names` in code, then the RFC, then the codes of answers and of refusals. */
function documented(): readonly { readonly names: readonly string[]; readonly codes: readonly string[] }[] {
  const page = readFileSync(new URL('../../docs/doors/ftp.md', import.meta.url), 'utf8')
  const section = page.slice(page.indexOf('\n## Commands'), page.indexOf('\n## Limits'))
  return [...section.matchAll(/^\| (`.*?) *\|.*?\|(.*?)\|(.*?)\|/gm)].map(([, names = '', yes = '', no = '']) => ({
    names: [...names.matchAll(/`([A-Z0-9]+)`/g)].map(([, name]) => name!),
    codes: `${yes},${no}`.match(/\d{3}/g) ?? [],
  }))
}
