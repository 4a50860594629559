import { blockMember, type RefusedRow } from './invented-members.ts'

/** What is refused for what is asked for. Each row breaks one rule, and that one only where it can be broken alone. */
export const REFUSED_REQUESTS: readonly RefusedRow[] = [
  {
    code: 'R11_ASYNC_ACK',
    why: 'an acknowledgement before the flush',
    request: { acknowledge: 'after-write' },
    value: /acknowledge after-write/,
    nearest: 'after-flush',
    alsoWithout: true,
  },
  {
    code: 'R23_MIXED_IO',
    why: 'both ways to one member',
    request: { io: 'mixed' },
    value: /io mixed/,
    nearest: 'auto',
    alsoWithout: true,
  },
  {
    code: 'R26_DISCARD_NONDET',
    why: 'a leg that reads as it likes after a discard',
    request: { layout: 'mirror', discard: true },
    members: [blockMember(), blockMember({ path: '/dev/sdx' }, { discardReadsZero: false })],
    value: /discard on \/dev\/sdx/,
    nearest: 'no discard',
    alsoWithout: true,
  },
]
