import { expect, test } from 'vitest'
import { addressOf } from '../../protocols/smtp/mailbox.ts'
import { ServedRoutes } from '../../server/mail-routes.ts'
import type { Principal, RouteChange } from '../../streams/index.ts'
import { openHarness, origin, originOf, refusal } from '../support/store-harness.ts'

const partner: Principal = { application: 'partner', partition: 'main', permissions: ['object:write'] }
const asked: RouteChange = { bucket: 'inbox', application: 'partner' }

async function open(options: { routesMax?: number } = {}) {
  const { store } = await openHarness()
  const parts = {
    store,
    origin,
    actor: (application: string) => (application === 'partner' ? partner : undefined),
    knows: (application: string) => application === 'partner' || application === 'other',
    ...options,
  }
  return { store, routes: await ServedRoutes.open(parts), again: () => ServedRoutes.open(parts) }
}

test('routes are added, shown, changed and removed, and are there after a start', async () => {
  const { routes, again } = await open()
  const all = { ...asked, prefix: 'bills/', networks: ['192.0.2.0/24'], senders: ['*.Bücher.example'], parts: true }
  const added = await routes.add(origin, 'Bills@A.example', { ...all, unverified: 'quarantine' })
  const kept = { ...all, senders: ['*.xn--bcher-kva.example'], unverified: 'quarantine' }
  expect(added).toEqual({ address: 'bills@a.example', ...kept })
  await routes.add(origin, '*@a.example', asked)
  expect((await routes.list(origin)).map(({ address }) => address)).toEqual(['*@a.example', 'bills@a.example'])
  const changed = await routes.set(origin, 'bills@A.example', { prefix: null, networks: null, application: 'other' })
  const { prefix: _, networks: _networks, ...rest } = kept
  expect(changed).toEqual({ address: 'bills@a.example', ...rest, application: 'other' })
  expect(await (await again()).show(origin, 'bills@a.example')).toEqual(changed)
  expect(await routes.remove(origin, 'bills@a.example')).toBe(true)
  expect(await routes.remove(origin, 'bills@a.example')).toBe(false)
  expect(await routes.show(origin, 'bills@a.example')).toBeUndefined()
  expect(await routes.set(origin, 'bills@a.example', asked)).toBeUndefined()
  expect(await (await again()).list(origin)).toEqual([{ address: '*@a.example', ...asked }])
})

test('the doors see each change at once', async () => {
  const { routes } = await open()
  const find = () => routes.table.find(addressOf('bills+march@a.example'))
  expect(find()).toBeUndefined()
  expect(routes.table.admits('192.0.2.7')).toBe(false)
  await routes.add(origin, 'bills@a.example', asked)
  expect(find()).toMatchObject({ id: 'bills@a.example', bucket: 'inbox', prefix: '', strangers: undefined })
  expect(find()?.actor('192.0.2.7')).toBe(partner)
  expect(routes.table.admits('192.0.2.7')).toBe(false)
  await routes.set(origin, 'bills@a.example', { networks: ['192.0.2.0/24'] })
  expect(routes.table.admits('192.0.2.7')).toBe(true)
  expect(routes.table.admits('198.51.100.7')).toBe(false)
  await routes.set(origin, 'bills@a.example', { senders: ['example.com'] })
  expect(find()?.strangers).toEqual({ senders: ['example.com'], unverified: 'reject' })
  expect(routes.table.admits('198.51.100.7')).toBe(true)
  await routes.set(origin, 'bills@a.example', { senders: null, unverified: 'quarantine' })
  expect(find()?.strangers).toEqual({ senders: ['*'], unverified: 'quarantine' })
})

test.each<[change: object, words: string]>([
  [{ bucket: 'nowhere' }, 'there is no bucket nowhere, and mail makes none'],
  [{ application: 'nobody' }, 'there is no application nobody'],
  [{ bucket: '' }, "a route's bucket must be the name of a bucket"],
  [{ application: null }, 'a route needs its application'],
  [{ bucket: null }, 'a route needs its bucket'],
  ...['bills', '/bills/', 'a//b/', '../', 'a/./', 'a\0/', `${'x'.repeat(512)}/`, ''].map((prefix): [object, string] => [
    { prefix },
    "a route's prefix must be a folder such as invoices/ or a/b/, of 512 bytes at the most",
  ]),
  [{ networks: [] }, "a route's networks must be 1 to 256 addresses and ranges such as 192.168.0.0/16"],
  [{ networks: ['everywhere'] }, "a route's networks must be 1 to 256 addresses and ranges such as 192.168.0.0/16"],
  [{ senders: ['a@b'] }, "a route's senders must be 1 to 256 domains such as example.com, *.example.com or *"],
  [
    { senders: Array.from({ length: 257 }, () => 'a.example') },
    "a route's senders must be 1 to 256 domains such as example.com, *.example.com or *",
  ],
  [{ unverified: 'drop' }, "a route's unverified must be accept, quarantine or reject"],
  [{ parts: 'on' }, "a route's parts must be true or false"],
  [{ partition: 'main' }, 'a route has no partition'],
])('%j is refused in words', async (change, words) => {
  const { routes } = await open()
  const { address: _, ...before } = await routes.add(origin, 'a@a.example', asked)
  const wrong = { ...refusal('ERR_INVALID'), message: words }
  await expect(routes.add(origin, 'b@a.example', { ...asked, ...change } as RouteChange)).rejects.toMatchObject(wrong)
  await expect(routes.set(origin, 'a@a.example', change as RouteChange)).rejects.toMatchObject(wrong)
  expect(await routes.list(origin)).toEqual([{ address: 'a@a.example', ...before }])
})

test('of one address there is one route, and of all no more than routesMax', async () => {
  const { routes } = await open({ routesMax: 2 })
  await routes.add(origin, 'a@a.example', asked)
  await expect(routes.add(origin, 'A@a.example', asked)).rejects.toMatchObject(refusal('ERR_CONFLICT'))
  const both = [routes.add(origin, 'b@a.example', asked), routes.add(origin, 'b@a.example', asked)]
  expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  await expect(routes.add(origin, 'c@a.example', asked)).rejects.toMatchObject(refusal('ERR_QUOTA'))
  await expect(routes.add(origin, 'no address', asked)).rejects.toMatchObject(refusal('ERR_INVALID'))
})

test('whoever may not manage applications has no business with routes', async () => {
  const { routes } = await open()
  const stranger = originOf(['object:read', 'object:write'])
  for (const act of [
    () => routes.add(stranger, 'a@a.example', asked),
    () => routes.list(stranger),
    () => routes.show(stranger, 'a@a.example'),
    () => routes.set(stranger, 'a@a.example', asked),
    () => routes.remove(stranger, 'a@a.example'),
  ])
    await expect(act()).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
})
