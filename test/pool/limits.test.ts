import { describe, expect, test } from 'vitest'
import type { AtomicWriteLimits, Limits } from '../../pool/device.ts'
import { ConcatDevice, MirrorDevice, RangeDevice } from '../../pool/layout.ts'
import {
  type AtomicWriteClaim,
  powerOfTwoFactor,
  type StackLayout,
  type StackMember,
  stackLimits,
  validateAtomicWrite,
} from '../../pool/limits.ts'
import { MemoryDevice } from '../../pool/memory-device.ts'

// The rules are those of block/blk-settings.c; each row quotes the line or the comment it shows.

const KIB = 1024
const MIB = 1 << 20

const claim = (claimed: Partial<AtomicWriteClaim>): AtomicWriteClaim => ({
  unitMin: 4 * KIB,
  unitMax: 64 * KIB,
  max: 64 * KIB,
  boundary: 0,
  ...claimed,
})

const units = (unitMin: number, unitMax: number, boundary = 0): AtomicWriteLimits => ({ unitMin, unitMax, boundary })

describe('a single device', () => {
  test.each<{
    rule: string
    claimed: Partial<AtomicWriteClaim>
    chunk?: number
    requestBytesMax?: number
    expected: AtomicWriteLimits | undefined
  }>([
    { rule: 'sound claims are believed', claimed: {}, expected: units(4 * KIB, 64 * KIB) },
    { rule: '!lim->atomic_write_hw_max', claimed: { max: 0 }, expected: undefined },
    { rule: 'no support reads as zeros', claimed: { unitMin: 0, unitMax: 0, max: 0 }, expected: undefined },
    { rule: '!is_power_of_2(lim->atomic_write_hw_unit_min)', claimed: { unitMin: 12 * KIB }, expected: undefined },
    { rule: '!is_power_of_2(lim->atomic_write_hw_unit_max)', claimed: { unitMax: 48 * KIB }, expected: undefined },
    {
      rule: 'atomic_write_hw_unit_min > atomic_write_hw_unit_max',
      claimed: { unitMin: 32 * KIB, unitMax: 16 * KIB },
      expected: undefined,
    },
    { rule: 'atomic_write_hw_unit_max > atomic_write_hw_max', claimed: { max: 32 * KIB }, expected: undefined },
    {
      rule: 'atomic_write_hw_max need not be a power of two',
      claimed: { max: 96 * KIB },
      expected: units(4 * KIB, 64 * KIB),
    },
    { rule: 'atomic_write_hw_max_sectors > chunk_sectors', claimed: {}, chunk: 32 * KIB, expected: undefined },
    { rule: 'within the chunk', claimed: {}, chunk: 64 * KIB, expected: units(4 * KIB, 64 * KIB) },
    { rule: 'atomic_write_hw_max > atomic_write_hw_boundary', claimed: { boundary: 32 * KIB }, expected: undefined },
    {
      rule: 'a boundary at atomic_write_hw_max is allowed',
      claimed: { boundary: 64 * KIB },
      expected: units(4 * KIB, 64 * KIB, 64 * KIB),
    },
    { rule: '!is_power_of_2(boundary_sectors)', claimed: { boundary: 192 * KIB }, expected: undefined },
    {
      rule: '!blk_valid_atomic_writes_boundary(chunk, boundary): chunk % boundary',
      claimed: { boundary: 64 * KIB },
      chunk: 96 * KIB,
      expected: undefined,
    },
    {
      rule: '!blk_valid_atomic_writes_boundary(chunk, boundary): boundary % chunk',
      claimed: { boundary: 128 * KIB },
      chunk: 96 * KIB,
      expected: undefined,
    },
    {
      rule: 'a boundary and a chunk that is its multiple',
      claimed: { boundary: 64 * KIB },
      chunk: 192 * KIB,
      expected: units(4 * KIB, 64 * KIB, 64 * KIB),
    },
    {
      rule: 'atomic_write_unit_max = min(hw_unit_max, rounddown_pow_of_two(max_hw_sectors))',
      claimed: {},
      requestBytesMax: 48 * KIB,
      expected: units(4 * KIB, 32 * KIB),
    },
    { rule: 'ours: a request smaller than the least unit', claimed: {}, requestBytesMax: 2 * KIB, expected: undefined },
  ])('$rule', ({ claimed, chunk = 0, requestBytesMax = MIB, expected }) => {
    expect(validateAtomicWrite(claim(claimed), { requestBytesMax, chunk })).toEqual(expected)
  })
})

const limits = (given: Partial<Limits> = {}): Limits => ({
  size: 64 * MIB,
  logicalBlockSize: 512,
  physicalBlockSize: 4096,
  writeCache: 'write-through',
  flushable: true,
  requestBytesMax: MIB,
  ...given,
})

type Given = readonly [unitMin: number, unitMax: number, boundary?: number] | 'none'

/** A member with these atomic writes, its data at `start`. */
function member(given: Given, start = 0, size = 64 * MIB): StackMember {
  return { limits: limits(given === 'none' ? { size } : { size, atomicWrite: units(...given) }), start }
}

describe('atomic writes of a stack', () => {
  test.each<{
    rule: string
    layout: StackLayout
    members: readonly StackMember[]
    chunk?: number
    expected: AtomicWriteLimits | undefined
  }>([
    {
      rule: 'head: the limits of the first bottom device are taken',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB, 64 * KIB])],
      expected: units(4 * KIB, 64 * KIB, 64 * KIB),
    },
    {
      rule: '!(b->features & BLK_FEAT_ATOMIC_WRITES), the first',
      layout: 'mirror',
      members: [member('none'), member([4 * KIB, 64 * KIB])],
      expected: undefined,
    },
    {
      rule: '!(b->features & BLK_FEAT_ATOMIC_WRITES), the last',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB]), member('none')],
      expected: undefined,
    },
    {
      rule: 'tail: unit_min = max, unit_max = min: "the lowest common supported limits from all bottom devices"',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB]), member([8 * KIB, 128 * KIB]), member([512, 32 * KIB])],
      expected: units(8 * KIB, 32 * KIB),
    },
    {
      rule: 'tail: "Can\'t support this": t->unit_min > b->unit_max',
      layout: 'mirror',
      members: [member([16 * KIB, 64 * KIB]), member([4 * KIB, 8 * KIB])],
      expected: undefined,
    },
    {
      rule: 'tail: "Or this": t->unit_max < b->unit_min',
      layout: 'mirror',
      members: [member([4 * KIB, 8 * KIB]), member([16 * KIB, 64 * KIB])],
      expected: undefined,
    },
    {
      rule: 'tail: one unit that both have is enough',
      layout: 'mirror',
      members: [member([4 * KIB, 16 * KIB]), member([16 * KIB, 64 * KIB])],
      expected: units(16 * KIB, 16 * KIB),
    },
    {
      rule: 'tail: "We\'re not going to support different boundary sizes.. yet"',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB, 64 * KIB]), member([4 * KIB, 64 * KIB, 128 * KIB])],
      expected: undefined,
    },
    {
      rule: 'tail: a boundary and none are different, too',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB]), member([4 * KIB, 64 * KIB, 128 * KIB])],
      expected: undefined,
    },
    {
      rule: 'chunk: "b->unit_max = 16K and t->chunk_sectors = 24K … reduce t->unit_max to … 8K in this example"',
      layout: 'stripe',
      members: [member([4 * KIB, 16 * KIB]), member([4 * KIB, 16 * KIB])],
      chunk: 24 * KIB,
      expected: units(4 * KIB, 8 * KIB),
    },
    {
      rule: 'chunk: the chunk itself counts, not io_min, which the physical block raises (the mistake mended in 2025)',
      layout: 'stripe',
      members: [member([512, 4 * KIB]), member([512, 4 * KIB])],
      chunk: 2 * KIB,
      expected: units(512, 2 * KIB),
    },
    {
      rule: 'chunk: a power of two at least unit_max changes nothing',
      layout: 'stripe',
      members: [member([4 * KIB, 64 * KIB]), member([4 * KIB, 64 * KIB])],
      chunk: 64 * KIB,
      expected: units(4 * KIB, 64 * KIB),
    },
    {
      rule: 'chunk: smaller than every least unit, at which the tail fails',
      layout: 'stripe',
      members: [member([16 * KIB, 64 * KIB]), member([16 * KIB, 64 * KIB])],
      chunk: 8 * KIB,
      expected: undefined,
    },
    {
      rule: 'ours: the first member takes no 8 KiB, although Linux would say 8 KiB here',
      layout: 'stripe',
      members: [member([16 * KIB, 64 * KIB]), member([4 * KIB, 64 * KIB])],
      chunk: 8 * KIB,
      expected: undefined,
    },
    {
      rule: 'head: boundary > chunk and boundary % chunk',
      layout: 'stripe',
      members: [member([4 * KIB, 32 * KIB, 64 * KIB]), member([4 * KIB, 32 * KIB, 64 * KIB])],
      chunk: 48 * KIB,
      expected: undefined,
    },
    {
      rule: 'head: chunk > boundary and chunk % boundary',
      layout: 'stripe',
      members: [member([4 * KIB, 32 * KIB, 64 * KIB]), member([4 * KIB, 32 * KIB, 64 * KIB])],
      chunk: 96 * KIB,
      expected: undefined,
    },
    {
      rule: 'head: a chunk that is a multiple of the boundary keeps it',
      layout: 'stripe',
      members: [member([4 * KIB, 32 * KIB, 64 * KIB]), member([4 * KIB, 32 * KIB, 64 * KIB])],
      chunk: 192 * KIB,
      expected: units(4 * KIB, 32 * KIB, 64 * KIB),
    },
    {
      rule: 'no chunk: a linear device\'s "--chunk" is rounding, not a boundary, and is not put in chunk_sectors',
      layout: 'concat',
      members: [member([4 * KIB, 64 * KIB, 64 * KIB]), member([4 * KIB, 64 * KIB, 64 * KIB])],
      chunk: 24 * KIB,
      expected: units(4 * KIB, 64 * KIB, 64 * KIB),
    },
    {
      rule: '!blk_atomic_write_start_sect_aligned: IS_ALIGNED(start, unit_min)',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB], 512), member([4 * KIB, 64 * KIB])],
      expected: undefined,
    },
    {
      rule: '!blk_atomic_write_start_sect_aligned: IS_ALIGNED(start, boundary)',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB, 64 * KIB]), member([4 * KIB, 64 * KIB, 64 * KIB], 32 * KIB)],
      expected: undefined,
    },
    {
      rule: 'a start aligned to the boundary',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB, 64 * KIB]), member([4 * KIB, 64 * KIB, 64 * KIB], 128 * KIB)],
      expected: units(4 * KIB, 64 * KIB, 64 * KIB),
    },
    {
      rule: 'ours: a unit must be aligned to its length in the member, too',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB], 24 * KIB), member([4 * KIB, 64 * KIB])],
      expected: units(4 * KIB, 8 * KIB),
    },
    {
      rule: 'sizes are joins in a concat only',
      layout: 'mirror',
      members: [member([4 * KIB, 64 * KIB], 0, 64 * MIB + 512), member([4 * KIB, 64 * KIB])],
      expected: units(4 * KIB, 64 * KIB),
    },
    {
      rule: 'a join off unit_min puts the second member where nothing is aligned',
      layout: 'concat',
      members: [member([4 * KIB, 64 * KIB], 0, 64 * MIB + 512), member([4 * KIB, 64 * KIB])],
      expected: undefined,
    },
    {
      rule: 'a join off the boundary: a write would cross it on one member',
      layout: 'concat',
      members: [member([4 * KIB, 32 * KIB, 64 * KIB], 0, 64 * MIB + 32 * KIB), member([4 * KIB, 32 * KIB, 64 * KIB])],
      expected: undefined,
    },
    {
      rule: 'a join aligned to 8 KiB leaves units of 8 KiB',
      layout: 'concat',
      members: [member([4 * KIB, 64 * KIB], 0, 64 * MIB + 24 * KIB), member([4 * KIB, 64 * KIB])],
      expected: units(4 * KIB, 8 * KIB),
    },
    {
      rule: 'the end of the last member is no join',
      layout: 'concat',
      members: [member([4 * KIB, 64 * KIB]), member([4 * KIB, 64 * KIB], 0, 64 * MIB + 512)],
      expected: units(4 * KIB, 64 * KIB),
    },
  ])('$layout: $rule', ({ layout, members, chunk, expected }) => {
    expect(stackLimits(layout, members, chunk).atomicWrite).toEqual(expected)
  })

  test('a unit is one request: unit_max = rounddown_pow_of_two(max_hw_sectors)', () => {
    const small = { limits: limits({ requestBytesMax: 40 * KIB, atomicWrite: units(4 * KIB, 64 * KIB) }), start: 0 }
    expect(stackLimits('mirror', [small, member([4 * KIB, 64 * KIB])]).atomicWrite).toEqual(units(4 * KIB, 32 * KIB))
  })

  test('a stripe of mirrors stacks twice', () => {
    const mirror = stackLimits('mirror', [member([4 * KIB, 64 * KIB]), member([8 * KIB, 16 * KIB])])
    const mirrors = [mirror, mirror].map((inner) => ({ limits: inner, start: 0 }))
    expect(stackLimits('stripe', mirrors, 24 * KIB).atomicWrite).toEqual(units(8 * KIB, 8 * KIB))
  })
})

describe('the other limits of a stack', () => {
  const pair = (first: Partial<Limits>, second: Partial<Limits>) =>
    [first, second].map((given) => ({ limits: limits(given), start: 0 }))

  test.each<[string, StackLayout, number]>([
    ['the sum', 'concat', 160 * MIB + 1024],
    ['twice the smaller, rounded down to the unit of 24 KiB', 'stripe', 2 * 2730 * 24 * KIB],
    ['the smaller', 'mirror', 64 * MIB + 1024],
  ])('the size is %s in a %s', (_, layout, size) => {
    const members = pair({ size: 64 * MIB + 1024 }, { size: 96 * MIB })
    expect(stackLimits(layout, members, 24 * KIB).size).toBe(size)
  })

  test.each<StackLayout>(['concat', 'stripe', 'mirror'])(
    '%s: blocks are the largest, requests the smallest',
    (layout) => {
      const members = pair(
        { logicalBlockSize: 512, physicalBlockSize: 16_384, requestBytesMax: 512 * KIB },
        { logicalBlockSize: 4096, physicalBlockSize: 4096, requestBytesMax: 256 * KIB },
      )
      expect(stackLimits(layout, members, MIB)).toMatchObject({
        logicalBlockSize: 4096,
        physicalBlockSize: 16_384,
        requestBytesMax: 256 * KIB,
      })
    },
  )

  test('a stripe takes no request larger than its unit, because it would be split', () => {
    expect(stackLimits('stripe', pair({}, {}), 64 * KIB).requestBytesMax).toBe(64 * KIB)
    expect(stackLimits('mirror', pair({}, {}), 64 * KIB).requestBytesMax).toBe(MIB)
  })

  test('a request is whole blocks: blk_round_down_sectors(max_sectors, logical_block_size)', () => {
    expect(stackLimits('mirror', pair({ requestBytesMax: 9 * 512 }, { logicalBlockSize: 4096 })).requestBytesMax).toBe(
      4096,
    )
  })

  test.each<[Partial<Limits>, Partial<Limits>, Partial<Limits>]>([
    [{}, {}, { writeCache: 'write-through', flushable: true }],
    [{ writeCache: 'write-back' }, {}, { writeCache: 'write-back', flushable: true }],
    [{}, { writeCache: 'write-back' }, { writeCache: 'write-back', flushable: true }],
    [{ flushable: false }, {}, { writeCache: 'write-through', flushable: false }],
    [{}, { flushable: false }, { writeCache: 'write-through', flushable: false }],
  ])('a cache of any, a flush of all: %j and %j', (first, second, expected) => {
    expect(stackLimits('concat', pair(first, second))).toMatchObject(expected)
  })

  test('no members, or a stripe without a unit, is a mistake of the caller', () => {
    expect(() => stackLimits('concat', [])).toThrow('has members')
    expect(() => stackLimits('stripe', pair({}, {}))).toThrow('has a unit')
  })
})

test.each([
  [1, 1],
  [24 * KIB, 8 * KIB],
  [2 ** 40, 2 ** 40],
  [3 * 2 ** 40, 2 ** 40],
])('the largest power of two that divides %d is %d', (value, factor) => {
  expect(powerOfTwoFactor(value)).toBe(factor)
})

describe('the devices of a layout', () => {
  const device = (atomicWrite: AtomicWriteLimits) => {
    const memory = new MemoryDevice(4 * MIB)
    return Object.assign(memory, { limits: { ...memory.limits, requestBytesMax: MIB, atomicWrite } })
  }
  const leg = (whole: MemoryDevice) => ({ device: whole, isInSync: true, drop: async () => {} })

  test('promise what is aligned on the whole device, too: where a range begins counts', () => {
    const range = (start: number) => new RangeDevice(device(units(4 * KIB, 64 * KIB)), start, MIB).limits
    expect(range(64 * KIB)).toMatchObject({ size: MIB, atomicWrite: units(4 * KIB, 64 * KIB) })
    expect(range(8 * KIB).atomicWrite).toEqual(units(4 * KIB, 8 * KIB))
    expect(range(2 * KIB).atomicWrite).toBeUndefined()
  })

  test('promise the lowest of all, also when they grow', () => {
    const concat = new ConcatDevice([device(units(4 * KIB, 64 * KIB))])
    concat.add(device(units(8 * KIB, 16 * KIB)))
    expect(concat.limits).toMatchObject({ size: 8 * MIB, atomicWrite: units(8 * KIB, 16 * KIB) })
    concat.add(new MemoryDevice(MIB))
    expect(concat.limits.atomicWrite).toBeUndefined()
    const mirror = new MirrorDevice([leg(device(units(4 * KIB, 8 * KIB))), leg(device(units(8 * KIB, 16 * KIB)))])
    expect(mirror.limits).toMatchObject({ size: 4 * MIB, atomicWrite: units(8 * KIB, 8 * KIB) })
  })
})
