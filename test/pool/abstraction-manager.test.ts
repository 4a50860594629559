import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  addDevice,
  type CreatePoolRequest,
  createPool,
  FileDevice,
  hasPool,
  type ManagedPool,
  type OpenPoolOptions,
  openPool,
  POOL_BYTES_MIN,
  replaceDevice,
} from '../../pool/index.ts'
import { worker } from '../support/file-device.ts'
import { digest, zeroFile } from '../support/loop-devices.ts'
import { put, readAll } from '../support/pool-client.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const BYTES = POOL_BYTES_MIN
const own = { bytes: BYTES }
/** Two files on one disk are no mirror, unless somebody says that it does not matter. */
const mirrored = { layout: 'mirror', accept: ['R16_SAME_DISK'] } as const
const limits = expect.objectContaining({ code: 'ERR_LIMITS' })

/** The path of a pool that was made. */
async function created(request: Partial<CreatePoolRequest> = {}, folder = join(temporaryFolder(), 'main')) {
  await createPool(folder, { members: [own], ...request }, { worker })
  return folder
}

/** Closed when the test ends. */
async function opened(folder: string, options: OpenPoolOptions = {}): Promise<ManagedPool> {
  const pool = await openPool(folder, { worker, ...options })
  onTestFinished(() => pool.close())
  return pool
}

const missing = (folder: string) =>
  opened(folder).then(
    () => '',
    (error) => `${error.code} ${error.message}`,
  )
const states = (pool: ManagedPool) => pool.status().members.map(({ state }) => state)
const names = (folder: string) => readdirSync(folder).sort()
const pattern = (length: number) => Buffer.alloc(length, 'cenote ')

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

describe('a device that is added', () => {
  test('has its name in the folder, and is there at the next start', async () => {
    const folder = await created()
    const disk = zeroFile(BYTES)
    const pool = await openPool(folder, { worker })
    const before = pool.status().bytes
    await addDevice(folder, pool, own, { worker })
    await addDevice(folder, pool, { path: disk }, { worker })
    expect(pool.status().bytes).toBe(3 * before)
    const sequence = await put(pool, pattern(40 << 20))
    await pool.close()
    expect(names(folder)).toEqual(['0000.block', '0001.block', '0002.block'])
    const again = await opened(folder)
    expect(states(again)).toEqual(['in-sync', 'in-sync', 'in-sync'])
    expect((await readAll(again, sequence)).equals(pattern(40 << 20))).toBe(true)
  })

  test('is judged first, and what is refused leaves no trace', async () => {
    const folder = await created()
    const foreign = join(await created(), '0000.block')
    const pool = await opened(folder)
    const memory = zeroFile(BYTES, temporaryFolder('/dev/shm'))
    const before = [foreign, memory].map(digest)
    const tiny = zeroFile(1 << 20)
    const parent = temporaryFolder()
    for (const [member, message] of [
      [{ path: memory }, /R10_NO_FLUSH/],
      [{ path: foreign }, /R25_FOREIGN/],
      [{ path: join(folder, '0000.block') }, /R16_SAME_DISK/],
      [{ path: join(parent, 'tiny'), bytes: 1 << 20 }, /hold no segment/],
      [{ path: join(parent, 'huge'), bytes: 2 ** 50 }, /does not fit/],
      [{ path: join(parent, 'none') }, /there is nothing/],
      [{ path: tiny }, /hold no segment/],
    ] as const) {
      await expect(addDevice(folder, pool, member, { worker })).rejects.toThrow(message)
    }
    expect([foreign, memory].map(digest)).toEqual(before)
    expect(names(folder)).toEqual(['0000.block'])
    expect(names(parent)).toEqual([])
    await addDevice(folder, pool, { path: foreign, overwrite: true }, { worker })
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
  })

  test('is refused by what is no concat', async () => {
    const folder = await created({ ...mirrored, members: [own, own] })
    const pool = await opened(folder)
    await expect(addDevice(folder, pool, own, { worker })).rejects.toThrow(/R24_RESHAPE: only a concat pool grows/)
    expect(names(folder)).toEqual(['0000.block', '0001.block'])
  })

  test('one at a time', async () => {
    const folder = await created()
    const pool = await opened(folder)
    const both = await Promise.allSettled([1, 2].map(() => addDevice(folder, pool, own, { worker })))
    const reasons = both.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    expect(reasons).toEqual([expect.objectContaining({ code: 'ERR_BUSY' })])
  })

  test('has its name before it is listed, and the one that it replaces keeps its own until after', async () => {
    const folder = await created()
    const pool = await opened(folder)
    const seen: string[][] = []
    await addDevice(
      folder,
      watched(pool, 'addMember', () => seen.push(names(folder))),
      { path: zeroFile(BYTES) },
      { worker },
    )
    const mirror = await created({ ...mirrored, members: [own, own] })
    const other = watched(await opened(mirror), 'replaceMember', () => seen.push(names(mirror)))
    await replaceDevice(mirror, other, 1, { path: zeroFile(BYTES) }, { worker })
    expect(seen).toEqual([
      ['0000.block', '0001.block'],
      ['0000.block', '0001.block'],
      ['0000.block', '0001.block', '0002.block'],
      ['0000.block', '0001.block', '0002.block'],
    ])
    expect(names(mirror)).toEqual(['0000.block', '0002.block'])
  })

  test('that held another pool holds nothing by the time that it has a name', async () => {
    const folder = await created()
    const foreign = join(await created(), '0000.block')
    const pool = await opened(folder)
    const found: unknown[] = []
    const looking = { ...own, path: foreign, overwrite: true }
    const watching = watched(pool, 'addMember', () => found.push(guardIn(foreign)))
    await addDevice(folder, watching, looking, { worker })
    expect(found).toEqual([false, true])
  })

  test('power fails before it is listed: the pool does not know it, and it is swept away', async () => {
    const folder = await created()
    const disk = zeroFile(BYTES)
    symlinkSync(disk, join(folder, '0001.block'))
    const pool = await openPool(folder, { worker })
    expect(states(pool)).toEqual(['in-sync'])
    await pool.close()
    // The next moment: it has its guards, and no superblock lists it.
    const copy = await created()
    const later = await openPool(copy, { worker })
    const unlisted = join(temporaryFolder(), 'alone')
    copyFileSync(join(copy, '0000.block'), unlisted)
    await addDevice(copy, later, own, { worker })
    await later.close()
    copyFileSync(unlisted, join(copy, '0000.block'))
    writeFileSync(join(copy, '0001.block'), withoutRings(join(copy, '0001.block')))
    const again = await opened(copy)
    expect(states(again)).toEqual(['in-sync'])
    await addDevice(copy, again, own, { worker })
    expect(names(copy)).toEqual(['0000.block', '0001.block'])
    expect(states(again)).toEqual(['in-sync', 'in-sync'])
  })
})

describe('a leg that is replaced', () => {
  test('gives its name to none; its file goes, and what a link led to stays', async () => {
    const [first, second] = [zeroFile(BYTES), zeroFile(BYTES)]
    const folder = await created({ ...mirrored, members: [{ path: first }, own] })
    const pool = await openPool(folder, { worker })
    const sequence = await put(pool, pattern(5 << 20))
    const steps: number[] = []
    await replaceDevice(folder, pool, 0, { path: second }, { worker, onFill: (done) => steps.push(done) })
    expect(steps.length).toBeGreaterThan(1)
    expect(existsSync(first)).toBe(true)
    expect(readlinkSync(join(folder, '0002.block'))).toBe(second)
    await replaceDevice(folder, pool, 1, own, { worker })
    expect(names(folder)).toEqual(['0000.block', '0002.block'])
    await pool.close()
    // With the old link back, as if power had failed before it went.
    symlinkSync(first, join(folder, '0005.block'))
    const again = await opened(folder)
    expect(again.status().members.map(({ device }) => device)).toEqual([second, join(folder, '0000.block')])
    expect((await readAll(again, sequence)).equals(pattern(5 << 20))).toBe(true)
    await replaceDevice(folder, again, 1, own, { worker })
    expect(names(folder)).toEqual(['0001.block', '0002.block'])
  })

  test('was missing, and its broken link goes', async () => {
    const gone = zeroFile(BYTES)
    const folder = await created({ ...mirrored, members: [own, { path: gone }] })
    rmSync(gone)
    const pool = await opened(folder, { degraded: true })
    await replaceDevice(folder, pool, 1, own, { worker })
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
    expect(pool.status().health).toBe('ok')
    expect(names(folder)).toEqual(['0000.block', '0002.block'])
  })

  test('was missing, and a crash left the name of the new one: it is named once', async () => {
    const [gone, fresh] = [zeroFile(BYTES), zeroFile(BYTES)]
    const folder = await created({ ...mirrored, members: [own, { path: gone }] })
    rmSync(gone)
    symlinkSync(fresh, join(folder, '0002.block'))
    const pool = await openPool(folder, { worker, degraded: true })
    await replaceDevice(folder, pool, 1, { path: fresh }, { worker })
    expect(names(folder)).toEqual(['0000.block', '0002.block'])
    await pool.close()
    expect(states(await opened(folder))).toEqual(['in-sync', 'in-sync'])
  })

  test('not by what is refused', async () => {
    const leg = zeroFile(BYTES)
    const folder = await created({ ...mirrored, accept: ['R16_SAME_DISK'], members: [own, { path: leg }] })
    const pool = await opened(folder)
    const parent = temporaryFolder()
    for (const [index, member, message] of [
      [7, own, /there is no member 7/],
      [0, { path: leg }, /R16_SAME_DISK: .* hold the same bytes/],
      [0, { path: join(parent, 'small'), bytes: BYTES / 2 }, /too small to take the place/],
      [0, { path: join(folder, '0000.block') }, /R25_FOREIGN|in use/],
    ] as const) {
      await expect(replaceDevice(folder, pool, index, member, { worker })).rejects.toThrow(message)
    }
    expect([names(folder), names(parent)]).toEqual([['0000.block', '0001.block'], []])
    const other = await created({ members: [own, own] })
    const concat = await opened(other)
    await expect(replaceDevice(other, concat, 0, own, { worker })).rejects.toThrow(/R24_RESHAPE: nothing stands in/)
  })
})

/** A pool that tells before and after it does what `verb` says. */
function watched(pool: ManagedPool, verb: 'addMember' | 'replaceMember', tell: () => void): ManagedPool {
  const get = (target: ManagedPool, name: keyof ManagedPool) => {
    const value = target[name]
    if (typeof value !== 'function') return value
    if (name !== verb) return value.bind(target)
    return async (...given: never[]) => {
      tell()
      await (value as (...all: never[]) => Promise<void>).apply(target, given)
      tell()
    }
  }
  return new Proxy(pool, { get: (target, name) => get(target, name as keyof ManagedPool) })
}

/** Whether either end of a device holds a guard. */
function guardIn(path: string): boolean {
  const bytes = readFileSync(path)
  return [0, bytes.length - 4096].some((offset) => bytes.toString('latin1', offset, offset + 8) === 'CENOTEPL')
}

/** A member as it is after its guards, and before its first superblock. */
function withoutRings(path: string): Buffer {
  const bytes = Buffer.from(readFileSync(path))
  const ring = 32 * 4096
  bytes.fill(0, 4096, 4096 + ring)
  bytes.fill(0, bytes.length - 4096 - ring, bytes.length - 4096)
  return bytes
}
