import { describe, expect, onTestFinished, test } from 'vitest'
import type { OpenStore } from '../../streams/index.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { camera, openDoor as openFtp } from '../support/ftp-door.ts'
import { call, callJson } from '../support/http-client.ts'
import { openDoor as openHttp, readerAuthorization } from '../support/http-door.ts'
import { levelCatalog, named, openHarness, origin, putText, readText } from '../support/store-harness.ts'

/* What is quarantined is read at no door, each in its own words, until it is released over HTTP. */

const words = 'inbox/a is quarantined: half a file'

async function openStore(): Promise<OpenStore> {
  const { store } = await openHarness({ catalog: await levelCatalog() })
  const { sequence: version } = await putText(store, named('a'), 'half')
  await putText(store, named('b'), 'whole')
  await store.judge([{ origin, name: named('a'), version, set: {}, disposition: 'quarantine', reason: 'half a file' }])
  return store
}

describe('HTTP', () => {
  async function open(store: OpenStore): Promise<number> {
    const door = await openHttp({ store, versions: store.versions })
    onTestFinished(() => door.frontend.close())
    return door.port
  }

  test('refuses to read it, by name, in part and by version, and tells what is known of it', async () => {
    const store = await openStore()
    const port = await open(store)
    const { version } = await store.stat(origin, named('a'))
    for (const target of ['/v1/objects/inbox/a', `/v1/objects/inbox/a?version=${version}`]) {
      for (const headers of [{}, { range: 'bytes=1-2' }]) {
        const answer = await call(port, 'GET', target, { as: readerAuthorization, headers })
        expect(answer.status).toBe(403)
        expect(JSON.parse(answer.body.toString())).toMatchObject({
          code: 'ERR_QUARANTINED',
          title: 'Quarantined',
          detail: words,
        })
      }
    }
    expect((await call(port, 'HEAD', '/v1/objects/inbox/a', { as: readerAuthorization })).status).toBe(200)
  })

  test('lists it page by page, to whoever may judge it', async () => {
    const store = await openStore()
    const { sequence: version } = await store.stat(origin, named('b'))
    await store.judge([{ origin, name: named('b'), version, set: {}, disposition: 'quarantine', reason: 'a virus' }])
    const port = await open(store)
    const first = await callJson(port, 'GET', '/v1/quarantine?limit=1')
    const { objects, cursor } = first.json as { objects: object[]; cursor: string }
    expect(objects.length).toBe(1)
    const second = await callJson(port, 'GET', `/v1/quarantine?limit=1&cursor=${encodeURIComponent(cursor)}`)
    const all = [...objects, ...(second.json as { objects: object[] }).objects] as { key: string }[]
    expect(all.map(({ key }) => key).sort()).toEqual(['a', 'b'])
    const reading = await callJson(port, 'GET', '/v1/quarantine', undefined, readerAuthorization)
    expect(reading.status).toBe(403)
  })

  test('releases it once, and drops it once', async () => {
    const store = await openStore()
    const port = await open(store)
    const settle = (key: string, content: object, as?: string) =>
      callJson(port, 'PATCH', `/v1/quarantine/inbox/${key}`, content, as)
    expect((await settle('a', { action: 'release' }, readerAuthorization)).status).toBe(403)
    expect((await settle('a', { action: 'burn' })).status).toBe(400)
    expect((await settle('b', { action: 'drop' })).json).toMatchObject({ code: 'ERR_CONFLICT' })
    expect((await settle('c', { action: 'drop' })).status).toBe(404)
    expect((await settle('a', { action: 'release' })).status).toBe(204)
    const answer = await call(port, 'GET', '/v1/objects/inbox/a', { as: readerAuthorization })
    expect(answer.body.toString()).toBe('half')
    expect((await settle('a', { action: 'release' })).status).toBe(409)
    const { sequence, version } = await store.stat(origin, named('b'))
    await store.judge([
      { origin, name: named('b'), version: sequence, set: {}, disposition: 'quarantine', reason: 'x' },
    ])
    expect((await settle('b', { action: 'drop', version })).status).toBe(204)
    expect((await store.list(origin, 'inbox')).objects.map(({ key }) => key)).toEqual(['a'])
    expect(await readText(store, named('a'))).toBe('half')
  })
})

test('FTP refuses to send it, or to calculate over it, and lists it', async () => {
  const door = await openFtp({ store: await openStore(), access: { verify: async () => camera } })
  onTestFinished(() => door.frontend.close())
  const client = await FtpClient.loggedIn(door.address)
  await client.data()
  expect(await client.command('RETR /inbox/a')).toBe(`550 ${words}`)
  expect(await client.command('XCRC /inbox/a')).toBe(`550 ${words}`)
  expect(await client.command('SIZE /inbox/a')).toBe('213 4')
})
