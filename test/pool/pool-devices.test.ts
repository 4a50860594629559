import { copyFileSync, existsSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { addDevice, openPool, replaceDevice } from '../../pool/index.ts'
import { worker } from '../support/file-device.ts'
import { digest, zeroFile } from '../support/loop-devices.ts'
import { put, readAll } from '../support/pool-client.ts'
import {
  BYTES,
  created,
  guardIn,
  mirrored,
  names,
  opened,
  own,
  pattern,
  states,
  watched,
  withoutRings,
} from '../support/pool-folders.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

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
