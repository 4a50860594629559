import { Level } from 'level'
import { expect, test } from 'vitest'
import { openPool } from '../../pool/index.ts'
import { type Explanation, type IndexProgress, openCatalog, openStore } from '../../streams/index.ts'
import { worker } from '../support/file-device.ts'
import { dataFolder } from '../support/served-pool.ts'
import { cenote, ROOT, requireBuild, rootAuthorization, rootEnvironment, Server } from '../support/server-process.ts'
import { envelopeOf, named } from '../support/store-harness.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

requireBuild()

const OBJECTS = 12_000
const GROUP = 250
const QUERY = 'user.n = 4711'

async function get<T>(server: Server, path: string): Promise<T> {
  const response = await fetch(`${server.address('http')}${path}`, { headers: { authorization: rootAuthorization } })
  expect(response.status).toBe(200)
  return (await response.json()) as T
}

const query = (more = '') => `/v1/query?q=${encodeURIComponent(QUERY)}${more}`
const keysFound = async (server: Server) =>
  (await get<{ objects: { key: string }[] }>(server, query())).objects.map(({ key }) => key)
const isScan = async (server: Server) => (await get<Explanation>(server, query('&explain=true'))).isScan
const progress = (server: Server) => get<IndexProgress>(server, '/v1/index')

/** Puts many objects into the pool of a folder that nobody serves, many at once. */
async function fill(folder: string): Promise<void> {
  const { pool: path, catalog: directory } = dataFolder(folder)
  const pool = await openPool(path, { worker })
  const catalog = await openCatalog({ directory })
  const store = await openStore({ pool, catalog, partition: 'main', stages: () => [], clock: Date })
  for (let first = 0; first < OBJECTS; first += GROUP) {
    const transaction = store.transaction()
    for (let n = first; n < first + GROUP; n += 1) {
      const attributes = { 'user.n': n, 'user.color': n % 2 === 0 ? 'red' : 'blue', 'user.text': `text ${n % 100}` }
      await transaction.begin(envelopeOf(named(`key-${n}`), {}, attributes))
    }
    await transaction.commit()
  }
  await store.close()
  await catalog.close()
  await pool.close()
}

/** As another version of the program leaves it. */
async function age(folder: string): Promise<void> {
  const level = new Level(dataFolder(folder).catalog)
  const position = JSON.parse((await level.get('p')) ?? '')
  await level.put('p', JSON.stringify({ ...position, index: { ...position.index, format: 0 } }))
  await level.close()
}

async function until(server: Server, due: (progress: IndexProgress) => boolean): Promise<IndexProgress> {
  let seen = await progress(server)
  while (!due(seen)) seen = await progress(server)
  return seen
}

test('an index of an older format is made anew while the server serves, through a kill', async () => {
  const folder = temporaryFolder()
  await (await Server.start(folder, [], rootEnvironment)).stop()
  await fill(folder)
  await age(folder)

  let server = await Server.start(folder, [], rootEnvironment)
  expect((await progress(server)).phase).not.toBe('whole')
  expect(await keysFound(server)).toEqual(['key-4711'])
  expect(await isScan(server)).toBe(true)
  const sorted = `${server.address('http')}/v1/query?q=&sort=-user.n`
  const refused = await fetch(sorted, { headers: { authorization: rootAuthorization } })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await refused.json()).toMatchObject({ detail: expect.stringMatching(/index is being made anew \(\d+ %/) })
  expect(await get(server, '/readyz')).toMatchObject({ status: 'ready', indexPercent: expect.any(Number) })
  const { built } = await until(server, ({ phase, built }) => phase === 'building' && built > 0)
  await server.kill()

  server = await Server.start(folder, [], rootEnvironment)
  expect((await progress(server)).built).toBeGreaterThanOrEqual(built)
  await server.logged('the index is whole')
  expect(await progress(server)).toEqual({ phase: 'whole', built: OBJECTS, objects: OBJECTS })
  expect(await isScan(server)).toBe(false)
  expect(await keysFound(server)).toEqual(['key-4711'])

  const environment = { CENOTE_URL: server.address('http'), CENOTE_KEY: ROOT.key, CENOTE_SECRET: ROOT.secret }
  const asked = await cenote(folder, ['reindex'], environment)
  expect(asked).toMatchObject({ code: 0, stdout: `the index is made anew: ${OBJECTS} objects\n` })
  expect(await keysFound(server)).toEqual(['key-4711'])
  expect((await server.stop()).code).toBe(0)
}, 60_000)
