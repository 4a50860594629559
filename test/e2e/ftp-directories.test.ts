import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { FtpClient } from '../support/ftp-client.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { ROOT, requireBuild, rootEnvironment, Server } from '../support/server-process.ts'
import { turns } from '../support/store-harness.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/* Directories are prefixes; what is said of them here only the whole server can show. */

const SEED = seedOf(Date.now() % 1_000_000)
const FILES = 200

beforeAll(requireBuild)

async function start(folder: string): Promise<Server> {
  const server = await Server.start(folder, [], rootEnvironment)
  onTestFinished(() => server.kill())
  return server
}

function logIn(server: Server): Promise<FtpClient> {
  return FtpClient.loggedIn(server.host('ftp'), ROOT.key, ROOT.secret)
}

/** The names in a directory; none where there is no such directory. */
async function namesIn(client: FtpClient, path: string): Promise<readonly string[]> {
  const data = await client.data()
  let text = ''
  data.on('data', (chunk) => {
    text += String(chunk)
  })
  const ended = new Promise((resolve) => data.on('close', resolve))
  const reply = await client.command(`NLST ${path}`)
  if (reply.startsWith('550')) return []
  expect(await client.reply()).toBe('226 Listing sent')
  await ended
  return text.split('\r\n').filter(Boolean)
}

async function fill(client: FtpClient, path: string): Promise<void> {
  await client.commands(`MKD ${path}`)
  for (let index = 0; index < FILES; index++) expect(await client.upload(`${path}/${index}`, 'x')).toMatch(/^226 /)
}

test('an empty directory is there after the server was killed, until it is removed', async () => {
  const folder = temporaryFolder()
  const server = await start(folder)
  const client = await logIn(server)
  await client.commands('MKD /inbox/empty', 'MKD /inbox/empty/deeper', 'MKD /inbox/gone', 'RMD /inbox/gone')
  await server.kill()
  const again = await logIn(await start(folder))
  expect(await namesIn(again, '/inbox')).toEqual(['/inbox/empty'])
  expect(String(await again.download('MLSD /inbox/empty'))).toBe('type=dir; deeper\r\n')
  expect(await again.command('RMD /inbox/empty')).toBe('550 /inbox/empty is not empty')
  await again.commands('CWD /inbox/empty/deeper', 'CWD /', 'RMD /inbox/empty/deeper', 'RMD /inbox/empty')
  expect(await namesIn(again, '/inbox')).toEqual([])
})

test('whoever lists meanwhile sees a directory renamed or not, and nothing between', async () => {
  const server = await start(temporaryFolder())
  const [mover, watcher] = [await logIn(server), await logIn(server)]
  await fill(mover, '/inbox/a')
  let isMoving = true
  const moving = (async () => {
    for (let round = 0; round < 20; round++) {
      const [from, to] = round % 2 === 0 ? ['a', 'b'] : ['b', 'a']
      await mover.commands(`RNFR /inbox/${from}`, `RNTO /inbox/${to}`)
    }
    isMoving = false
  })()
  const seen = new Set<number>()
  while (isMoving) seen.add((await namesIn(watcher, '/inbox/a')).length)
  await moving
  expect([...seen].sort((one, other) => one - other)).toEqual([0, FILES])
})

test(`a directory is renamed whole or not at all, whenever the server is killed (seed ${SEED})`, async () => {
  const random = seededRandom(SEED)
  const folder = temporaryFolder()
  let server = await start(folder)
  let client = await logIn(server)
  await fill(client, '/inbox/a')
  for (let round = 0; round < 4; round++) {
    const from = (await namesIn(client, '/inbox/a')).length > 0 ? 'a' : 'b'
    await client.commands(`RNFR /inbox/${from}`)
    client.write(`RNTO /inbox/${from === 'a' ? 'b' : 'a'}\r\n`)
    await turns(random.below(10_000))
    await server.kill()
    server = await start(folder)
    client = await logIn(server)
    const [inA, inB] = [await namesIn(client, '/inbox/a'), await namesIn(client, '/inbox/b')]
    expect([inA.length, inB.length].sort()).toEqual([0, FILES])
  }
})
