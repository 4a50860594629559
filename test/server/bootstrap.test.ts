import { randomBytes } from 'node:crypto'
import { existsSync, rmSync, statSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { openGate, serverOrigin } from '../../server/bootstrap.ts'
import { readCliFile, writeCliFile } from '../../server/cli-file.ts'
import { DataFolder } from '../../server/data-folder.ts'
import { permissions, requestTypes } from '../../server/rights.ts'
import { subscription } from '../support/delivery-harness.ts'
import { openHarness } from '../support/store-harness.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { RegistryStore } from './registry-store.ts'

let store: RegistryStore
let folder: DataFolder
beforeEach(() => {
  store = new RegistryStore()
  folder = new DataFolder(temporaryFolder())
})
const told: object[] = []
const log = { info: (details: object) => void told.push(details) }
const open = (configuration: { masterKey?: string; root?: { key: string; secret: string } } = {}) => {
  const { masterKey, root } = configuration
  return openGate({ configuration: { masterKey, root }, folder, store, now: () => 0, random: randomBytes, log })
}

describe('a first start', () => {
  test('generates the root application, which may do everything', async () => {
    const { access, root } = await open()
    if (!root) expect.fail()
    expect(root.key).toMatch(/^CN[A-Z2-7]{16}$/)
    for (const type of requestTypes) expect((await access.verify(root, type)).permissions).toEqual(permissions)
  })

  test('generates none beside the one that the environment defines, which goes to no file', async () => {
    const boss = { key: 'CNBOSSBOSSBOSSBOSS', secret: 'a root secret' }
    const { root, access } = await open({ root: boss })
    expect(root).toBeUndefined()
    expect((await access.verify(boss, 'ftp')).application).toBe(boss.key)
    expect(store.registrations.size).toBe(0)
  })

  test('makes no key file when the environment has the key', async () => {
    const { root } = await open({ masterKey: '5'.repeat(64) })
    expect(existsSync(folder.masterKey)).toBe(false)
    expect((await open({ masterKey: '5'.repeat(64) })).root).toEqual(root)
  })
})

describe('a later start', () => {
  test('knows the root application again', async () => {
    const { root } = await open()
    expect(await open()).toMatchObject({ root })
  })

  test('makes no other in place of one that was removed', async () => {
    const first = await open()
    if (!first.root) expect.fail()
    await first.administration.add(serverOrigin, { id: 'boss', types: requestTypes, permissions })
    await first.administration.remove(serverOrigin, first.root.key)
    expect(await open()).toMatchObject({ root: undefined })
  })

  test('is refused without the key, and makes no new one', async () => {
    await open()
    rmSync(folder.masterKey)
    await expect(open()).rejects.toThrow('master.key is missing, and secrets are sealed under it')
    expect(existsSync(folder.masterKey)).toBe(false)
  })

  test('is refused without the key when only secrets of subscriptions are sealed under it', async () => {
    const root = { key: 'CNBOSSBOSSBOSSBOSS', secret: 'a root secret' }
    await open({ root })
    rmSync(folder.masterKey)
    store.subscribed.push(subscription())
    await expect(open({ root })).rejects.toThrow('master.key is missing, and secrets are sealed under it')
  })

  test('is refused with another key', async () => {
    const { root } = await open()
    await expect(open({ masterKey: '5'.repeat(64) })).rejects.toThrow(
      `the secret of application ${root?.key} was sealed`,
    )
  })
})

test('one process has the lock of a folder', () => {
  const release = folder.lock()
  expect(folder.lock()).toBeUndefined()
  release?.()
  expect(folder.lock()).toBeDefined()
})

test('cli.json is written whole, for its owner alone', async () => {
  expect(await readCliFile(folder.cli)).toBeUndefined()
  await writeCliFile(folder.cli, { url: 'http://127.0.0.1:1', key: 'k', secret: 's' })
  await writeCliFile(folder.cli, { url: 'http://127.0.0.1:2', key: 'k', secret: 's' })
  expect(await readCliFile(folder.cli)).toEqual({ url: 'http://127.0.0.1:2', key: 'k', secret: 's' })
  expect(statSync(folder.cli).mode & 0o777).toBe(0o600)
})

describe('a start of a later program', () => {
  const known = permissions.filter((permission) => permission !== 'object:hold' && permission !== 'bucket:manage')

  /** A store in which an earlier program has registered applications, over real records. */
  async function earlier() {
    const { store } = await openHarness()
    const start = () =>
      openGate({
        configuration: { masterKey: undefined, root: undefined },
        folder,
        store,
        now: () => 0,
        random: randomBytes,
        log,
      })
    const { root } = await start()
    const key = root!.key
    const register = async (by = serverOrigin, more: object = {}) => {
      const registration = (await store.applications()).get(key)!
      await store.register(by, key, { ...registration, permissions: known, ...more })
    }
    const records = () => store.status.sequence
    told.length = 0
    return { store, start, key, register, records }
  }

  test('gives the generated root what it lacks, once, as a record, and says so', async () => {
    const { start, key, register, records } = await earlier()
    await register()
    const before = records()
    const { access, root } = await start()
    expect((await access.verify(root!, 'http')).permissions).toEqual(permissions)
    expect(told).toEqual([{ application: key, permissions: ['object:hold', 'bucket:manage'] }])
    expect(records()).toBe(before + 1)
    await start()
    expect(records()).toBe(before + 1)
  })

  test('gives nothing to one that is held to a policy', async () => {
    const { start, register } = await earlier()
    await register(serverOrigin, { policy: { buckets: ['inbox'] } })
    const { access, root } = await start()
    expect((await access.verify(root!, 'http')).permissions).toEqual(known)
    expect(told).toEqual([])
  })

  test('gives nothing to one that somebody else registered, in place of the root or under an id like it', async () => {
    const { store, start, key, register } = await earlier()
    const boss = { ...serverOrigin, principal: { ...serverOrigin.principal, application: 'boss' } }
    const registration = (await store.applications()).get(key)!
    await store.register(serverOrigin, key, null)
    await store.register(boss, key, registration)
    await register(serverOrigin)
    const { access, root } = await start()
    expect((await access.verify(root!, 'http')).permissions).toEqual(known)
    expect(told).toEqual([])
  })
})
