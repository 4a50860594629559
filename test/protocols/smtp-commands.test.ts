import { afterAll, beforeAll, expect, test } from 'vitest'
import { SmtpClient } from '../support/smtp-client.ts'
import { commandCases, states } from '../support/smtp-command-cases.ts'
import { type Door, openDoor, tlsOf } from '../support/smtp-door.ts'

/* Every command in every state (RFC 5321 section 4.1.4), one connection for each. */

async function answer(state: string, command: string): Promise<string> {
  const client = await SmtpClient.open(door.address)
  await client.reply()
  await client.commands(...states[state]!)
  const reply = await client.command(command)
  client.reset()
  return reply.replace(/\r\n[\s\S]*$/, '').replace(/^250-/, '250 ')
}

let door: Door
beforeAll(async () => {
  door = await openDoor({ tls: tlsOf('offered') })
})
afterAll(() => door.frontend.close())

test.each(Object.keys(commandCases))('%j', async (command) => {
  const expected = commandCases[command]!
  const replies = await Promise.all(Object.keys(states).map((state) => answer(state, command)))
  for (const [at, state] of Object.keys(states).entries()) {
    expect(replies[at], `in state ${state}`).toMatch(new RegExp(`^${expected[state]!}`))
  }
  expect(door.store.size).toBe(0)
  expect(door.errors).toEqual([])
})
