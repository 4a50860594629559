import { describe, expect, test } from 'vitest'
import { assemble, type FoundMember } from '../../pool/assembly.ts'
import type { Geometry } from '../../pool/geometry.ts'
import { MemoryDevice } from '../../pool/index.ts'
import type { Guard, Superblock } from '../../pool/superblock.ts'
import { TINY_FORMAT } from '../support/tiny-pool.ts'

const BYTES = 64 * 1024
const geometries = {
  concat: { layout: 'concat', stripeUnit: 0, legs: 1, runs: 1 },
  stripe: { layout: 'stripe', stripeUnit: 1024, legs: 1, runs: 1 },
  mirror: { layout: 'mirror', stripeUnit: 0, legs: 2, runs: 1 },
  'stripe-of-mirrors': { layout: 'stripe-of-mirrors', stripeUnit: 1024, legs: 2, runs: 1 },
} as const satisfies Record<string, Geometry>

const uuidOf = (letter: string) => Buffer.alloc(16, letter)

/** A letter for each member in the order of the layout; a small one is stale: `Ab` is A in sync and B stale. */
function superblockOf(members: string, serial: number, epoch = 1): Superblock {
  return {
    serial,
    epoch,
    epochStartLsn: 1,
    checkpointLsn: 1,
    checkpointRegion: 0,
    chain: Buffer.alloc(32),
    knownDurableLsn: 1,
    cleanEndLsn: 0,
    nextSequence: 1,
    pages: { block: 0, checksum: 0, pages: 0 },
    members: [...members].map((letter) => ({
      uuid: uuidOf(letter.toUpperCase()),
      state: letter === letter.toUpperCase() ? 'in-sync' : 'stale',
      dataBytes: BYTES / 2,
    })),
  }
}

/** What a device was found with: its letter, and its superblock as `members serial epoch`, or `-` without any. */
function foundOf(what: string, layout: keyof typeof geometries): FoundMember {
  const [letter, members, serial, epoch = '1'] = what.split(' ')
  const guard: Guard = {
    pool: uuidOf('p'),
    member: uuidOf(letter!),
    deviceBytes: BYTES,
    format: TINY_FORMAT,
    geometry: geometries[layout],
    atomicity: 'enforced',
    accepted: 0,
    io: 'auto',
  }
  const superblock = members === '-' ? undefined : superblockOf(members!, Number(serial), Number(epoch))
  return { device: new MemoryDevice(BYTES), guard, superblock }
}

/** The outcome in the letters of superblockOf(), a member without a device in brackets; or why there is none. */
function outcome(found: readonly FoundMember[], degraded: boolean): string {
  try {
    const { members, superblock } = assemble(found, degraded)
    const names = members.map(({ entry, found }) => {
      const letter = entry.uuid.toString('latin1', 0, 1)
      const name = entry.state === 'in-sync' ? letter : letter.toLowerCase()
      return found ? name : `(${name})`
    })
    return `opens ${names.join('')} ${superblock.serial}`
  } catch (error) {
    return (error as Error).message
  }
}

/** What comes of it when nothing is asked for, and where `degraded` was, if that is something else. */
type Case = readonly [
  what: string,
  layout: keyof typeof geometries,
  found: readonly string[],
  plain: string,
  degraded?: string,
]

const MISSING = 'is missing: the pool opens without it only when asked'
const ROLLED_BACK = 'rolled back or has lost its superblocks: the pool opens without it only when asked'
const ALONE = 'nothing stands in for it'
const SPLIT = 'R25_FOREIGN: the pool has split'

const cases: readonly Case[] = [
  ['two legs alike', 'mirror', ['A AB 7', 'B AB 7'], 'opens AB 7'],
  ['a leg one superblock behind', 'mirror', ['A AB 7', 'B AB 6'], 'opens AB 7'],
  ['a leg two superblocks behind', 'mirror', ['A AB 7', 'B AB 5'], ROLLED_BACK, 'opens Ab 7'],
  ['a leg that has lost both rings', 'mirror', ['A AB 7', 'B -'], ROLLED_BACK, 'opens Ab 7'],
  ['legs that both have', 'mirror', ['A -', 'B -'], 'no valid superblock'],
  ['a leg alone', 'mirror', ['B AB 7'], MISSING, 'opens (a)B 7'],
  ['a leg alone that knows of it', 'mirror', ['B aB 7'], 'opens (a)B 7'],
  ['a leg alone that is stale by its own word', 'mirror', ['A aB 7'], ALONE],
  ['a stale leg that returns', 'mirror', ['A AB 5', 'B aB 7'], 'opens aB 7'],
  ['a stale leg with as many superblocks', 'mirror', ['A AB 7', 'B aB 7 2'], 'opens aB 7'],
  ['a stale leg with as many, of one life', 'mirror', ['A AB 7', 'B aB 7'], 'opens aB 7'],
  ['legs that went on alone, equally far', 'mirror', ['A Ab 7 2', 'B aB 7 2'], SPLIT],
  ['legs that went on alone, one further', 'mirror', ['A Ab 9 3', 'B aB 7 2'], SPLIT],
  ['legs that went on alone, one further in fewer lives', 'mirror', ['A Ab 7 3', 'B aB 9 2'], SPLIT],
  ['a leg of a later life that the newest calls in sync', 'mirror', ['A AB 8 1', 'B AB 7 2'], SPLIT],
  ['a leg that was replaced and returns', 'mirror', ['A AC 9', 'B AB 8', 'C AC 9'], 'opens AC 9'],
  ['a leg that was replaced, without a superblock', 'mirror', ['A AC 9', 'B -', 'C AC 9'], 'opens AC 9'],
  ['a leg that was replaced and told so, alone', 'mirror', ['B AC 9'], ALONE],
  ['a replacement that was cut short', 'mirror', ['A AC 9', 'B AB 8', 'C AB 8'], 'opens AC 9'],
  ['a replacement that no leg lists', 'mirror', ['A AB 8', 'B AB 8', 'C AB 8'], 'opens AB 8'],
  ['a replacement passed over since', 'mirror', ['C AC 9 1', 'A AB 9 2', 'B AB 9 2'], 'opens AB 9'],
  ['the same with a stale leg in either', 'mirror', ['C AbC 9 1', 'A Abd 9 2'], 'opens A(b)(d) 9'],
  ['a replacement that went on alone', 'mirror', ['C aC 11 1', 'A AB 10 2', 'B AB 10 2'], SPLIT],
  ['three legs, one lost', 'mirror', ['A ABC 7', 'C ABC 7'], MISSING, 'opens A(b)C 7'],
  ['three legs, lost one after the other', 'mirror', ['A ABC 5', 'B aBC 6', 'C abC 7'], 'opens abC 7'],
  ['three legs, two against one', 'mirror', ['A Abc 9 2', 'B aBC 8 2', 'C aBC 8 2'], SPLIT],
  ['the two legs that are left of three', 'mirror', ['B aBC 8', 'C aBC 9'], 'opens (a)BC 9'],
  ['columns that are whole', 'stripe-of-mirrors', ['D ABCD 7', 'B ABCD 7', 'C ABCD 7', 'A ABCD 7'], 'opens ABCD 7'],
  ['a leg lost in each column', 'stripe-of-mirrors', ['A ABCD 7', 'D ABCD 7'], MISSING, 'opens A(b)(c)D 7'],
  ['a column lost', 'stripe-of-mirrors', ['A ABCD 7', 'B ABCD 7'], ALONE],
  ['a column with a stale leg only', 'stripe-of-mirrors', ['A ABcD 7', 'B ABcD 7', 'C ABCD 6'], ALONE],
  ['a column rolled back', 'stripe-of-mirrors', ['A ABCD 7', 'B ABCD 7', 'C ABCD 4', 'D ABCD 4'], ALONE],
  ['a column split', 'stripe-of-mirrors', ['A AbCD 9 2', 'B aBCD 9 2', 'C AbCD 9 2', 'D ABCD 8'], SPLIT],
  ['members one superblock apart', 'concat', ['A AB 7', 'B AB 6'], 'opens AB 7'],
  ['a member that was rolled back', 'concat', ['A AB 7', 'B AB 5'], ALONE],
  ['a member that is missing', 'concat', ['A AB 7'], ALONE],
  ['a member that has lost both rings', 'concat', ['A AB 7', 'B -'], 'opens AB 7'],
  ['a device that no superblock lists', 'concat', ['A A 7', 'B -'], 'opens A 7'],
  ['a device that only its own one lists', 'concat', ['A A 7', 'B AB 8'], 'opens AB 8'],
  ['the same, passed over since', 'concat', ['B AB 8 1', 'A A 8 2'], 'opens A 8'],
  ['the same, passed over long since', 'concat', ['B AB 8 1', 'A A 9 2'], 'opens A 9'],
  ['one column rolled back', 'stripe', ['A AB 7', 'B AB 4'], ALONE],
]

describe('found together', () => {
  test.each(cases.map((one) => [...one] as const))('%s, of a %s', (...row) => {
    const [, layout, found, plain, degraded = plain] = row as Case
    // Whatever order they are given in.
    for (const order of ordersOf(found)) {
      const members = order.map((what) => foundOf(what, layout))
      expect(outcome(members, false), order.join(', ')).toContain(plain)
      expect(outcome(members, true), `degraded: ${order.join(', ')}`).toContain(degraded)
    }
  })
})

function ordersOf<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, i) => ordersOf(items.filter((_, at) => at !== i)).map((rest) => [item, ...rest]))
}

describe('refused, whatever is asked for', () => {
  const two = () => [foundOf('A AB 7', 'mirror'), foundOf('B AB 7', 'mirror')]

  test('no device', () => {
    expect(() => assemble([], true)).toThrow(/at least one member/)
  })

  test('one device twice', () => {
    const [one] = two()
    expect(() => assemble([one!, one!], true)).toThrow(/two devices are member/)
  })

  test('members of two pools', () => {
    const [one, other] = two()
    const strange = { ...other!, guard: { ...other!.guard, pool: uuidOf('q') } }
    expect(() => assemble([one!, strange], true)).toThrow(/belongs to another pool/)
  })

  test.each([-512, 512])('a device whose size changed by %i bytes', (change) => {
    const [one, other] = two()
    const changed = { ...other!, device: new MemoryDevice(BYTES + change) }
    expect(() => assemble([one!, changed], true)).toThrow(/the device has/)
  })
})
