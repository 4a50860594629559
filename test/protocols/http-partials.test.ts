import { expect, onTestFinished, test } from 'vitest'
import { call, callJson } from '../support/http-client.ts'
import { openDoor, readerAuthorization } from '../support/http-door.ts'
import { envelopeOf, named, openHarness, origin } from '../support/store-harness.ts'

async function open(): Promise<number> {
  const { store } = await openHarness()
  for (const key of ['a', 'b/c']) {
    const upload = await store.partials.begin(envelopeOf(named(key)))
    await upload.write(Buffer.from('half!'))
    await upload.suspend()
  }
  const door = await openDoor({ store, partials: store.partials })
  onTestFinished(() => door.frontend.close())
  return door.port
}

test('uploads that were cut off are listed to who manages buckets, the oldest first', async () => {
  const port = await open()
  const { json } = await callJson(port, 'GET', '/v1/partials?limit=1')
  const { application } = origin.principal
  const first = { application, bucket: 'inbox', key: 'a', upload: '0000000000000002', size: 4, prepared: 2 }
  expect(json).toMatchObject({ partials: [first], total: 2 })
  expect((await callJson(port, 'GET', '/v1/partials', undefined, readerAuthorization)).status).toBe(403)
})

test('they are dropped, by their application and name', async () => {
  const port = await open()
  const drop = async (target: string, as?: string) =>
    (await call(port, 'DELETE', target, as === undefined ? {} : { as })).status
  expect(await drop('/v1/partials/inbox/b/c')).toBe(404) // The asker has none.
  expect(await drop('/v1/partials/inbox/b/c?application=tester', readerAuthorization)).toBe(403)
  expect(await drop('/v1/partials/inbox/b/c?application=tester')).toBe(204)
  expect(await drop('/v1/partials/inbox/b/c?application=tester')).toBe(404)
  expect((await callJson(port, 'GET', '/v1/partials')).json).toMatchObject({ total: 1 })
  expect((await call(port, 'GET', '/v1/objects/inbox/a')).status).toBe(404)
})
