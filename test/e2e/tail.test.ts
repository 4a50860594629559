import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import {
  cenote,
  requireBuild,
  rootAuthorization,
  rootEnvironment,
  Server,
  startCenote,
} from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

requireBuild()

function put(server: Server, key: string): Promise<Response> {
  const init = { method: 'PUT', headers: { authorization: rootAuthorization }, body: key }
  return fetch(`${server.address('http')}/v1/objects/inbox/${key}`, init)
}

/** Follows; each line is asked for. */
function following(server: Server, args: readonly string[]) {
  const environment = {
    CENOTE_URL: server.address('http'),
    CENOTE_KEY: 'root',
    CENOTE_SECRET: rootEnvironment.CENOTE_ROOT_SECRET!,
  }
  const child: ChildProcess = startCenote(server.folder, ['tail', ...args], environment)
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
  const said = text(child.stderr!)
  const next = async (): Promise<string> => (await lines.next()).value
  const end = async () => {
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    return { code, said: await said }
  }
  return { next, end, environment }
}

test('tail goes on where it was when the server was killed, and ends with Ctrl-C', async () => {
  const folder = temporaryFolder()
  let server = await Server.start(folder, [], rootEnvironment)
  const host = server.host('http')
  const { next, end } = following(server, ['--from', '-1', '--json', '--query', 'record.operation = put'])
  const keyOf = async () => JSON.parse(await next()).key
  await put(server, 'a')
  expect(await keyOf()).toBe('a')
  await put(server, 'b')
  expect(await keyOf()).toBe('b')
  await server.kill()
  server = await Server.start(folder, ['--http', host], rootEnvironment)
  for (const key of ['c', 'd']) await put(server, key)
  expect([await keyOf(), await keyOf()]).toEqual(['c', 'd'])
  const { code, said } = await end()
  expect(code).toBe(0)
  expect(said).toMatch(/connecting again in 0\.5 s\n(.*\n)*cenote: to go on: --from \d{16}\n$/)
  await server.stop()
})

test('tail shows an object, in words and in every format, and says what it is refused', async () => {
  const server = await Server.start(temporaryFolder(), [], rootEnvironment)
  await put(server, 'a')
  const first = following(server, ['inbox/a', '--from', '0'])
  expect(await first.next()).toMatch(/^\d+ {2}20\d\d-\S+ \S+Z {2}put inbox\/a {2}by root over http$/)
  expect((await first.end()).code).toBe(0)
  for (const [format, expected] of [
    ['cloudevents', /^\{"specversion":"1.0"/],
    ['xml', /^<\?xml/],
  ] as const) {
    const { next, end } = following(server, ['inbox/a', '--from', '-1', '--format', format])
    expect(await next()).toMatch(expected)
    await end()
  }
  const run = (args: readonly string[]) => cenote(server.folder, ['tail', ...args], first.environment)
  expect(await run(['inbox/none'])).toMatchObject({ code: 3, stderr: 'cenote: there is no object inbox/none\n' })
  expect(await run(['--query', 'x ='])).toMatchObject({ code: 1, stderr: expect.stringContaining('column') })
  expect(await run(['--from', '7777777'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('the last one is'),
  })
  expect((await run(['--format', 'csv'])).code).toBe(2)
  await server.stop()
  expect((await run([])).code).toBe(5)
})
