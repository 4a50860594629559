import { describe, expect, test } from 'vitest'
import { type PoolRequest, refusalsOf } from '../../pool/refusals.ts'
import { blocks, request } from '../support/invented-members.ts'

describe('a request that makes no sense', () => {
  test.each<[string, Partial<PoolRequest>, number]>([
    ['layout raid10', { layout: 'raid10' }, 4],
    ['layout ', { layout: '' }, 1],
    ['layout concat', {}, 0],
    ['layout stripe', { layout: 'stripe' }, 1],
    ['layout mirror', { layout: 'mirror' }, 1],
    ['layout stripe-of-mirrors', { layout: 'stripe-of-mirrors' }, 5],
    ['layout stripe-of-mirrors', { layout: 'stripe-of-mirrors' }, 2],
    ['legs 1', { layout: 'stripe-of-mirrors', legs: 1 }, 4],
    ['atomicUnit 3000', { atomicUnit: 3000 }, 1],
    ['atomicUnit 256', { atomicUnit: 256 }, 1],
    ['unitBytes 2048', { unitBytes: 2048 }, 1],
    ['segmentBytes 32768', { segmentBytes: 32_768 }, 1],
    ['segmentBytes NaN', { segmentBytes: Number.NaN }, 1],
    ['stripeUnit 0', { layout: 'stripe', stripeUnit: 0 }, 2],
    ['journalCopies 0', { journalCopies: 0 }, 1],
    ['native -1', { native: -1 }, 1],
  ])('%s', (message, asked, members) => {
    expect(() => refusalsOf(request(asked), blocks(members))).toThrow(
      expect.objectContaining({ code: 'ERR_LIMITS', message: expect.stringContaining(message) }),
    )
  })
})
