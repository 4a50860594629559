import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseMailDate } from '../../filters/date.ts'

describe('parseMailDate', () => {
  test.each([
    ['Fri, 21 Nov 1997 09:55:06 -0600', '1997-11-21T15:55:06.000Z'],
    ['Tue, 1 Jul 2003 10:52:37 +0200', '2003-07-01T08:52:37.000Z'],
    ['24 Nov 2026 04:01 +0545', '2026-11-23T22:16:00.000Z'],
    ['21 Nov 97 09:55:06 GMT', '1997-11-21T09:55:06.000Z'],
    ['1 Jan 26 00:00:00 Z', '2026-01-01T00:00:00.000Z'],
    ['1 Jan 100 00:00:00 UT', '2000-01-01T00:00:00.000Z'],
    ['Fri, 21 Nov 1997 09(comment):   55  :  06 -0600', '1997-11-21T15:55:06.000Z'],
    ['Thu, 13 Feb 1969 23:32 -0330 (Newfoundland Time)', '1969-02-14T03:02:00.000Z'],
    ['Tue, 24 November 2026 04:01:00 PST', '2026-11-24T12:01:00.000Z'],
    ['Tue, 24 Nov 2026 04:01:00 CEST', '2026-11-24T04:01:00.000Z'],
    ['tue 24 nov 2026 4:01:00 -0000', '2026-11-24T04:01:00.000Z'],
    ['Sat, 31 Dec 2016 23:59:60 +0000', '2017-01-01T00:00:00.000Z'],
    ['29 Feb 2024 00:00:00 +0000', '2024-02-29T00:00:00.000Z'],
  ])('%s', (text, expected) => {
    expect(parseMailDate(text)).toBe(expected)
  })

  test.each([
    '',
    'yesterday',
    'Tue, 24 Nov 2026 04:01:00' /* whose midnight? */,
    '2026-11-24T04:01:00Z',
    '31 Feb 2026 00:00:00 +0000',
    '29 Feb 2026 00:00:00 +0000',
    '0 Jan 2026 00:00:00 +0000',
    '1 Foo 2026 00:00:00 +0000',
    '1 Jan 2026 24:00:00 +0000',
    '1 Jan 2026 00:60:00 +0000',
    '1 Jan 2026 00:00:61 +0000',
    '1 Jan 1899 00:00:00 +0000',
    '1 Jan 2026 00:00:00 +00000',
    `${' '.repeat(128)}1 Jan 2026 00:00:00 +0000`,
  ])('not %j', (text) => {
    expect(parseMailDate(text)).toBeUndefined()
  })

  test('never depends on the zone of this machine', () => {
    const zone = process.env.TZ
    try {
      for (const name of ['UTC', 'Asia/Kathmandu', 'America/St_Johns']) {
        process.env.TZ = name
        expect(parseMailDate('1 Jan 2026 00:00:00 +0100')).toBe('2025-12-31T23:00:00.000Z')
      }
    } finally {
      if (zone === undefined) delete process.env.TZ
      else process.env.TZ = zone
    }
  })

  test('reads back any date that it is given', () => {
    const dates = fc.date({
      min: new Date('1900-01-01T00:00:00Z'),
      max: new Date('9999-12-31T00:00:00Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(dates, (date) => {
        date.setUTCMilliseconds(0)
        expect(parseMailDate(date.toUTCString())).toBe(date.toISOString())
      }),
    )
  })
})
