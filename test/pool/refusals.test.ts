import { describe, expect, test } from 'vitest'
import { PoolError } from '../../pool/index.ts'
import {
  ACCEPTABLE_CODES,
  judge,
  type MemberFacts,
  type PoolRequest,
  REFUSAL_CODES,
  type RefusalCode,
  refusal,
  refusalError,
  refusalsOf,
} from '../../pool/refusals.ts'
import { REGIONS_MIN } from '../../pool/zones.ts'
import {
  blockMember,
  blocks,
  fileMember,
  loopMember,
  native,
  oneDisk,
  request,
  shared,
} from '../support/invented-members.ts'
import { REFUSED_LAYOUTS } from '../support/refused-layouts.ts'
import { REFUSED_MEMBERS } from '../support/refused-members.ts'
import { REFUSED_REQUESTS } from '../support/refused-requests.ts'

const KIB = 1024
const MIB = 1 << 20

const TABLE = [...REFUSED_LAYOUTS, ...REFUSED_MEMBERS, ...REFUSED_REQUESTS]

/** What shows only later, where the requests, locks and superblocks are. */
const LATER: readonly RefusalCode[] = ['R17_NOT_EXCLUSIVE', 'R22_REQ_SHAPE', 'R24_RESHAPE', 'R25_FOREIGN']

describe('invented members', () => {
  test.each([...TABLE])('$code: $why', ({ code, request: asked, members = blocks(1), alsoWithout, ...row }) => {
    const found = refusalsOf(request(asked), members)
    expect(found.map((each) => each.code)).toEqual(row.with ? [code, row.with] : [code])
    expect(found[0]!.value).toMatch(row.value)
    expect(found[0]!.nearest).toBe(row.nearest)
    expect(found[0]!.acceptable).toBe(row.acceptable ?? false)
    // Of what comes along with another, only R02 holds on a pool without atomicity.
    const without = found.filter((each) => (each.code === code ? alsoWithout : each.code === 'R02_STRIPE_NOT_POW2_AU'))
    expect(refusalsOf(request({ ...asked, atomicity: 'none' }), members)).toEqual(without)
  })

  test.each<[string, Partial<PoolRequest>, readonly MemberFacts[]]>([
    ['one disk', {}, blocks(1)],
    ['one file', {}, [fileMember()]],
    ['files of one disk, end to end', {}, [fileMember(oneDisk), fileMember(oneDisk)]],
    [
      'partitions of one disk, striped',
      { layout: 'stripe' },
      [blockMember(oneDisk, { medium: 'sda' }), blockMember(oneDisk, { medium: 'sda', start: 64 * MIB })],
    ],
    [
      'the second half of a disk before the first',
      {},
      [blockMember({}, { medium: 'sda', start: 64 * MIB }), blockMember({}, { medium: 'sda' })],
    ],
    [
      'a loop device over the second half of a disk, and the first half',
      {},
      [loopMember(blockMember({}, { medium: 'sda', start: 64 * MIB })), blockMember({}, { medium: 'sda' })],
    ],
    ['two loop devices over one file, end to end', {}, [loopMember(shared), loopMember(shared, { start: 64 * MIB })]],
    ['a mirror of three', { layout: 'mirror', journalCopies: 3 }, blocks(3)],
    [
      'mirrors on one disk each, striped',
      { layout: 'stripe-of-mirrors' },
      [
        blockMember({ disks: ['a'] }),
        blockMember({ disks: ['b'] }),
        blockMember({ disks: ['a'] }),
        blockMember({ disks: ['b'] }),
      ],
    ],
    ['as many segments as need be', {}, blocks(1, { size: (8 + REGIONS_MIN) * MIB })],
    ['ends off a unit, mirrored', { layout: 'mirror' }, blocks(2, { size: 64 * MIB + 512 })],
    ['an unknown start', {}, [blockMember({}, { start: undefined, alignmentOffset: undefined })]],
    ['native writes where all have them', { native: 'probe' }, blocks(2, native(4 * KIB, 64 * KIB, 64 * KIB))],
    [
      'native writes that one lacks, and so none',
      { native: 'probe' },
      [blockMember(native(16 * KIB, 64 * KIB)), blockMember(native(512, 512)), blockMember()],
    ],
    [
      'native writes that are not asked for',
      {},
      [blockMember(native(16 * KIB, 16 * KIB, 64 * KIB), { start: 32 * KIB }), blockMember(native(512, 512))],
    ],
    ['one leg acknowledged where there is one', { mirrorAcknowledge: 'one' }, blocks(2)],
    ['no discard', { layout: 'mirror' }, [blockMember({}, { discardReadsZero: false }), blockMember()]],
    ['discard without a mirror', { discard: true }, [blockMember({}, { discardReadsZero: false })]],
    [
      'discard in files, whose holes read as zeros',
      { layout: 'mirror', discard: true },
      [fileMember({}, {}, { discardReadsZero: false }), fileMember({}, {}, { discardReadsZero: false })],
    ],
    [
      'large blocks of a file system, past its cache',
      { io: 'direct' },
      [fileMember({}, { name: 'xfs', blockSize: 16 * KIB })],
    ],
    ['bad blocks of a disk under a file system', {}, [fileMember({}, {}, { badRanges: 2 })]],
    ['an array that journals its parity', {}, [blockMember({}, { parity: { level: 'raid5', consistency: 'ppl' } })]],
    ['compression turned off', {}, [fileMember({}, { options: ['compress=no', 'compression=none'] })]],
    ['the file behind a loop device that is behind it', {}, [loopMember(fileMember({ users: ['behind loop0'] }))]],
  ])('%s: nothing is refused', (_, asked, members) => {
    expect(refusalsOf(request(asked), members)).toEqual([])
  })

  test('compression does not reach what is not copied on write', () => {
    const flags = { compressed: false, noCopyOnWrite: true, immutable: false, appendOnly: false }
    const member = fileMember({ flags }, { name: 'btrfs', options: ['compress=zstd'] })
    expect(refusalsOf(request(), [member]).map(({ code }) => code)).toEqual(['R15_COW_BACKING'])
  })

  test('all that applies is told at once', () => {
    const member = fileMember(
      { allocatedBytes: 0, users: ['used for swap'] },
      { name: 'btrfs', options: ['nobarrier'] },
    )
    const asked = request({ layout: 'mirror', acknowledge: 'after-write', io: 'mixed' })
    const codes = refusalsOf(asked, [member, member]).map(({ code }) => code.slice(0, 3))
    expect([...new Set(codes)].sort()).toEqual(['R10', 'R11', 'R14', 'R15', 'R16', 'R17', 'R23'])
  })
})

describe('what is accepted by name', () => {
  test.each(TABLE.filter(({ acceptable }) => acceptable))('$code: $why', ({ code, request: asked, members = [] }) => {
    const { refused, accepted } = judge(request({ ...asked, accept: [code] }), members)
    expect(refused).toEqual([])
    expect(accepted.map((each) => each.code)).toEqual([code])
  })

  test.each(TABLE.filter(({ code, acceptable }) => !acceptable && ACCEPTABLE_CODES.includes(code)))(
    '$code is still refused: $why',
    ({ code, request: asked, members = [] }) => {
      expect(refusalsOf(request({ ...asked, accept: [code] }), members)).toHaveLength(1)
    },
  )

  test.each([...REFUSAL_CODES.filter((code) => !ACCEPTABLE_CODES.includes(code))])('%s cannot be', (code) => {
    expect(() => refusalsOf(request({ accept: [code] }), blocks(1))).toThrow(
      expect.objectContaining({
        code: 'ERR_LIMITS',
        message: `accept ${code}: this is not a refusal that can be accepted; those are R10_NO_FLUSH, R14_THIN, R15_COW_BACKING, R16_SAME_DISK`,
      }),
    )
  })

  test.each(['R14', 'r14_thin', 'R99_NOTHING', ''])('"%s" is no code', (code) => {
    expect(() => refusalsOf(request({ accept: ['R14_THIN', code] }), blocks(1))).toThrow(
      expect.objectContaining({
        code: 'ERR_LIMITS',
        message: expect.stringMatching(`^accept ${code}: this is no refusal`),
      }),
    )
  })
})

describe('the codes', () => {
  test('each is triggered by a row above, so that no new one passes without a test', () => {
    expect(new Set([...TABLE.map(({ code }) => code), ...LATER])).toEqual(new Set(REFUSAL_CODES))
  })

  test('are numbered from R01 to R26', () => {
    const numbers = Array.from({ length: 26 }, (_, index) => `R${String(index + 1).padStart(2, '0')}`)
    expect(REFUSAL_CODES.map((code) => code.slice(0, 3))).toEqual(numbers)
  })

  test.each(LATER)('%s can be said by whoever finds it', (code) => {
    expect(refusal(code, 'a thing', { nearest: 'another' })).toEqual({
      code,
      value: 'a thing',
      reason: expect.stringMatching(/^[a-z]/),
      nearest: 'another',
      acceptable: false,
    })
  })

  test('an error lists them all', () => {
    const error = refusalError([
      refusal('R24_RESHAPE', 'stripe to mirror'),
      refusal('R11_ASYNC_ACK', 'acknowledge after-write', { nearest: 'after-flush' }),
    ])
    expect(error).toBeInstanceOf(PoolError)
    expect(error.code).toBe('ERR_LIMITS')
    expect(error.message).toBe(
      'R24_RESHAPE: stripe to mirror: the layout of a pool with data does not change, or units would be left half moved; ' +
        'R11_ASYNC_ACK: acknowledge after-write: an acknowledgement says that the bytes are durable, ' +
        'which before the flush nobody knows (nearest: after-flush)',
    )
  })
})
