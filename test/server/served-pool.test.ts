import { expect, test } from 'vitest'
import type { ScrubFinding, ScrubReport } from '../../pool/index.ts'
import { tellVerified } from '../../server/served-pool.ts'

const clean: ScrubReport = {
  finished: true,
  cursor: null,
  records: 1,
  bytesVerified: 1,
  copiesVerified: 1,
  repaired: [],
  damaged: [],
  repairedCount: 0,
  damagedCount: 0,
}

test('what was found wrong before a leg was let go is in the log, and nothing is when nothing was', () => {
  const lines: [string, object][] = []
  const log = {
    warn: (details: object) => void lines.push(['warn', details]),
    error: (details: object) => void lines.push(['error', details]),
  } as unknown as Parameters<typeof tellVerified>[0]
  tellVerified(log, clean)
  expect(lines).toEqual([])
  const finding: ScrubFinding = { subject: 'payload', kind: 'checksum', member: 0, sequence: 7, payload: 0 }
  tellVerified(log, { ...clean, repairedCount: 3, damagedCount: 2, damaged: [finding, { ...finding, member: 1 }] })
  expect(lines).toEqual([
    ['warn', { repaired: 3 }],
    ['error', { damaged: 2, first: 'payload: checksum on member 0' }],
  ])
})
