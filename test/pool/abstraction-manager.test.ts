import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type CreatePoolRequest, createPool, FileDevice, hasPool, openPool } from '../../pool/index.ts'
import { worker } from '../support/file-device.ts'
import { digest, zeroFile } from '../support/loop-devices.ts'
import { put, readAll } from '../support/pool-client.ts'
import {
  BYTES,
  created,
  limits,
  mirrored,
  missing,
  names,
  opened,
  own,
  pattern,
  states,
} from '../support/pool-folders.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

describe('a pool in a folder', () => {
  test('has block files of its own, and files elsewhere by links', async () => {
    const elsewhere = join(temporaryFolder(), 'deep', 'disk')
    const there = zeroFile(BYTES)
    const steps: [number, number][] = []
    const folder = join(temporaryFolder(), 'pool', 'main')
    const members = [own, { path: elsewhere, bytes: BYTES - 5 }, { path: there }]
    const onProgress = (done: number, total: number) => steps.push([done, total])
    await createPool(folder, { members }, { worker, onProgress })
    expect(steps.at(-1)).toEqual([2 * BYTES, 2 * BYTES])
    expect(names(folder)).toEqual(['0000.block', '0001.block', '0002.block'])
    expect(lstatSync(join(folder, '0000.block')).isFile()).toBe(true)
    expect([1, 2].map((n) => readlinkSync(join(folder, `000${n}.block`)))).toEqual([elsewhere, there])
    expect((lstatSync(folder).mode & 0o777).toString(8)).toBe('700')
    expect(names(join(folder, '..'))).toEqual(['main'])
    const pool = await opened(folder)
    expect(pool.status()).toMatchObject({
      layout: 'concat',
      atomicity: 'enforced',
      health: 'ok',
      members: [join(folder, '0000.block'), elsewhere, there].map((device) => ({ device, state: 'in-sync' })),
    })
    const sequence = await put(pool, pattern(40 << 20))
    expect((await readAll(pool, sequence)).equals(pattern(40 << 20))).toBe(true)
  })

  test('is what its superblocks say, whatever the names', async () => {
    const folder = await created({ members: [own, own], layout: 'stripe' })
    renameSync(join(folder, '0000.block'), join(folder, '0007.block'))
    const pool = await opened(folder)
    expect(pool.status().members.map(({ device }) => device)).toEqual(
      ['0007.block', '0001.block'].map((name) => join(folder, name)),
    )
  })

  test.each<[string, Partial<CreatePoolRequest>, object]>([
    [
      'concat',
      { members: [own, own], journalCopies: 2 },
      { redundancy: { dataCopies: 1, journalCopies: 2, stale: [] } },
    ],
    [
      'stripe',
      { members: [own, own], layout: 'stripe', stripeUnit: 65_536 },
      { stripeUnitBytes: 65_536, optimalWriteBytes: 65_536 },
    ],
    [
      'mirror',
      { ...mirrored, members: [own, own] },
      { redundancy: { dataCopies: 2, journalCopies: 2, stale: [] }, accepted: ['R16_SAME_DISK'] },
    ],
    [
      'stripe of mirrors',
      { ...mirrored, layout: 'stripe-of-mirrors', members: [own, own, own, own], legs: 2, stripeUnit: 1 << 20 },
      { redundancy: { dataCopies: 2, journalCopies: 2, stale: [] }, stripeUnitBytes: 1 << 20 },
    ],
    ['other unit', { atomicUnit: 8192 }, { unitBytes: 8192, alignmentBytes: 8192 }],
  ])('takes every layout: %s', async (_, request, atomicity) => {
    const folder = await created(request)
    const pool = await openPool(folder, { worker })
    expect(pool.atomicity()).toMatchObject({ enforced: true, state: 'ok', faultModel: 'v1', ...atomicity })
    const sequence = await put(pool, pattern(3 << 20))
    await pool.close()
    const again = await opened(folder)
    expect((await readAll(again, sequence)).equals(pattern(3 << 20))).toBe(true)
    expect((await again.check()).findings).toEqual([])
  })

  test('tells an application what it may rely on', async () => {
    const pool = await opened(await created({ io: 'buffered' }))
    await put(pool, pattern(100))
    const { refusedOptions, flushMicrosecondsP50, ...atomicity } = pool.atomicity()
    expect(atomicity).toMatchObject({ durability: 'flush-before-acknowledge', native: null, accepted: [] })
    expect(flushMicrosecondsP50).toBeGreaterThan(0)
    expect(refusedOptions).toHaveLength(26)
    expect(refusedOptions[10]).toEqual({ code: 'R11_ASYNC_ACK', reason: expect.stringMatching(/durable/) })
  })

  test('without atomicity says so, promises nothing, and takes what another refuses', async () => {
    const memory = zeroFile(BYTES, temporaryFolder('/dev/shm'))
    await expect(created({ members: [{ path: memory }] })).rejects.toThrow(/R10_NO_FLUSH/)
    const pool = await opened(await created({ members: [{ path: memory }], atomicity: 'none' }))
    expect(pool.status().atomicity).toBe('none')
    const atomicity = pool.atomicity()
    expect(atomicity).toMatchObject({ enforced: false, durability: 'not promised', faultModel: null })
    const codes = atomicity.refusedOptions.map(({ code }) => code)
    expect(codes).not.toContain('R10_NO_FLUSH')
    expect(codes).toContain('R11_ASYNC_ACK')
  })

  test('is read and written as it was judged for', async () => {
    const folder = await created({ members: [own], io: 'direct' })
    expect((await opened(folder)).status().members[0]!.figures!.io).toBe('direct')
  })
})

describe('what is refused makes no file', () => {
  test.each<[string, Partial<CreatePoolRequest>, RegExp]>([
    ['too small', { members: [{ bytes: BYTES - (1 << 20) - 1 }] }, /R18_JOURNAL_SMALL: 23 segments/],
    ['too large for the disk', { members: [{ bytes: 2 ** 50 }] }, /a block file of .* does not fit/],
    ['two that fit alone', { members: [{ bytes: 2 ** 49 }, { bytes: 2 ** 49 }] }, /block files of .* do not fit/],
    ['no size', { members: [{ path: '/nowhere' }] }, /there is nothing at \/nowhere/],
    ['no members', { members: [] }, /it needs 1 members or more/],
    ['discard', { discard: true }, /a pool sends none/],
    ['two reasons at once', { acknowledge: 'after-write', io: 'mixed' }, /R11_ASYNC_ACK.*; R23_MIXED_IO/],
    ['unknown acceptance', { accept: ['R01_STRIPE_LT_UNIT'] }, /cannot be accepted|is not a refusal that can be/],
    [
      'no room for two runs',
      { members: [{ bytes: BYTES * 4 }, { bytes: 1 << 20 }], journalCopies: 2 },
      /hold no segment|no 2 members/,
    ],
    [
      'the same new file twice',
      {
        members: [
          { path: '/var/tmp/same', ...own },
          { path: '/var/tmp/same', ...own },
        ],
      },
      /R16_SAME_DISK/,
    ],
  ])('%s', async (_, request, message) => {
    const parent = temporaryFolder()
    await expect(created(request, join(parent, 'main'))).rejects.toThrow(message)
    expect(names(parent)).toEqual([])
    expect(existsSync('/var/tmp/same')).toBe(false)
  })

  test('a member that another program holds, after the files of the others were made', async () => {
    const parent = temporaryFolder()
    const held = zeroFile(BYTES)
    const before = digest(held)
    const holder = FileDevice.open(held, { worker })
    const members = [own, { path: join(parent, 'new'), ...own }, { path: held }]
    await expect(created({ members }, join(parent, 'main'))).rejects.toMatchObject({ code: 'ERR_LOCKED' })
    await holder.close()
    expect(names(parent)).toEqual([])
    expect(digest(held)).toBe(before)
  })

  test('a folder that holds something, and one that is a file', async () => {
    const folder = await created()
    const before = digest(join(folder, '0000.block'))
    await expect(created({}, folder)).rejects.toEqual(limits)
    expect(digest(join(folder, '0000.block'))).toBe(before)
    await expect(created({}, join(folder, '0000.block'))).rejects.toEqual(limits)
  })

  test('an empty folder is as good as none, and so is what a crash left beside it', async () => {
    const folder = join(temporaryFolder(), 'main')
    mkdirSync(folder)
    mkdirSync(`${folder}.new`)
    writeFileSync(join(`${folder}.new`, '0000.block'), 'half of it')
    await created({}, folder)
    expect(await hasPool(folder)).toBe(true)
    expect(existsSync(`${folder}.new`)).toBe(false)
  })

  test('a member that holds a pool, unless it is to be overwritten: then its guard is named', async () => {
    const old = join(await created(), '0000.block')
    const before = digest(old)
    await expect(created({ members: [{ path: old }] })).rejects.toThrow(
      /R25_FOREIGN: .*0000\.block is member [0-9a-f]{32} of the pool/,
    )
    expect(digest(old)).toBe(before)
    const folder = join(temporaryFolder(), 'main')
    const told = await createPool(folder, { members: [{ path: old, overwrite: true }] }, { worker })
    expect(told).toEqual({
      accepted: [],
      overwritten: [expect.stringMatching(/0000\.block was member [0-9a-f]{32} of/)],
    })
    await opened(folder)
  })
})

describe('opening refuses', () => {
  test('a folder with no pool, a link to nothing, and a file that holds none', async () => {
    const folder = temporaryFolder()
    expect(await missing(folder)).toMatch(/^ERR_NOT_FOUND there is no pool in/)
    symlinkSync('/nowhere', join(folder, '0000.block'))
    expect(await missing(folder)).toMatch(/^ERR_NOT_FOUND 0000\.block is missing \(\/nowhere\): ENOENT/)
    rmSync(join(folder, '0000.block'))
    writeFileSync(join(folder, '0000.block'), Buffer.alloc(1 << 20))
    expect(await missing(folder)).toMatch(/^ERR_FORMAT 0000\.block is there, but it holds no pool/)
  })

  test('a member that is missing, by name; a mirror goes on without it when asked to', async () => {
    const gone = join(temporaryFolder(), 'gone')
    const folder = await created({ ...mirrored, members: [own, { path: gone, ...own }] })
    renameSync(gone, `${gone}.away`)
    expect(await missing(folder)).toMatch(
      /^ERR_NOT_FOUND member .*--degraded.*; 0001\.block is missing \(.*gone\): ENOENT/,
    )
    const pool = await opened(folder, { degraded: true })
    expect(states(pool)).toEqual(['in-sync', 'missing'])
    expect(pool.status().health).toBe('degraded')
    expect(pool.atomicity()).toMatchObject({ state: 'degraded', redundancy: { dataCopies: 1, stale: [1] } })
  })

  test('what has changed since: a member on a file system that cannot flush; not what was accepted', async () => {
    const member = zeroFile(BYTES)
    const folder = await created({ ...mirrored, members: [own, { path: member }] })
    await (await openPool(folder, { worker })).close()
    const moved = join(temporaryFolder('/dev/shm'), 'moved')
    copyFileSync(member, moved)
    rmSync(join(folder, '0001.block'))
    symlinkSync(moved, join(folder, '0001.block'))
    const before = digest(moved)
    expect(await missing(folder)).toMatch(/^ERR_LIMITS R10_NO_FLUSH: .*moved on tmpfs/)
    expect(digest(moved)).toBe(before)
  })
})
