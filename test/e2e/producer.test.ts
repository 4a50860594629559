import { expect, test } from 'vitest'
import { seededRandom, seedOf } from '../support/random.ts'
import { requireBuild, rootAuthorization, rootEnvironment, Server } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = seedOf(Date.now() % 1_000_000)
const ROUNDS = 2
const LOG = '/v1/streams/messages/inbox/log'

/** One append; undefined when the server was gone before it answered. */
async function send(server: Server, sequence: number): Promise<number | undefined> {
  const producer = { 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': String(sequence) }
  const headers = { authorization: rootAuthorization, 'content-type': 'application/json', ...producer }
  const init = { method: 'POST', headers, body: String(sequence) }
  return fetch(`${server.address('http')}${LOG}`, init).then(
    ({ status }) => status,
    () => undefined,
  )
}

test(`what a producer sends again after the server was killed is there once (seed ${SEED})`, async () => {
  requireBuild()
  const random = seededRandom(SEED)
  const folder = temporaryFolder()
  const headers = { authorization: rootAuthorization, 'content-type': 'application/json' }
  let server = await Server.start(folder, [], rootEnvironment)
  await fetch(`${server.address('http')}${LOG}`, { method: 'PUT', headers })
  let next = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (let left = random.below(20); left > 0; left--) expect(await send(server, next++)).toBe(200)
    const sending = send(server, next)
    if (random.below(2) === 0) await new Promise(setImmediate)
    await server.kill()
    const status = await sending
    server = await Server.start(folder, [], rootEnvironment)
    const again = await send(server, next)
    expect([200, 204]).toContain(again)
    if (status === 200) expect(again).toBe(204)
    next += 1
  }
  const answer = await fetch(`${server.address('http')}${LOG}`, { headers })
  expect(await answer.json()).toEqual(Array.from({ length: next }, (_, index) => index))
  await server.stop()
})
