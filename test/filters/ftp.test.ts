import { describe, expect, test } from 'vitest'
import { ftp } from '../../filters/index.ts'
import { describeConformance, envelopeOf } from '../support/stage-conformance.ts'

const facts = { type: 'ftp', user: 'scanner', path: '/inbox/2026/ä.pdf', secure: true } as const

describe('ftp filter', () => {
  test('takes who, where and how, and that no one confirmed the end', () => {
    expect(ftp.finish(ftp.start(envelopeOf(facts) as never))).toEqual({
      'ftp.user': 'scanner',
      'ftp.path': '/inbox/2026/ä.pdf',
      'ftp.secure': true,
      'ftp.completion': 'unconfirmed',
    })
  })

  test('makes well-formed Unicode of a name, 1,024 bytes at most', () => {
    const path = `\ud800${'/p'.repeat(2000)}`
    expect(ftp.finish(ftp.start(envelopeOf({ ...facts, path }) as never))).toMatchObject({
      'ftp.path': `\ufffd${'/p'.repeat(510)}/`,
    })
  })
})

describeConformance('ftp filter', {
  stages: [ftp],
  envelope: envelopeOf(facts),
  small: new Uint8Array(100),
  large: new Uint8Array(10_000),
})
