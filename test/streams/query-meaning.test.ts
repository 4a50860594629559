import { describe, expect, test } from 'vitest'
import { wordsIn } from '../../streams/catalog/words.ts'
import type { Attributes, Catalog } from '../../streams/index.ts'
import { parseQuery } from '../../streams/query/query-parser.ts'
import { BASE, CatalogModel } from './catalog-model.ts'
import { folded, keysOf } from './catalog-support.ts'

const NOW = Date.parse('2026-11-15T12:00:00Z')

/** Objects put at these times, named by them. */
async function putAt(times: readonly string[], attributes: Attributes = {}): Promise<Catalog> {
  const model = new CatalogModel()
  for (const [index, time] of times.entries()) {
    const { record, digest } = model.put('inbox', time, attributes)
    model.records[index] = { digest, record: { ...record, time: Date.parse(time) } }
  }
  return folded(model, { clock: { now: () => NOW } })
}

async function having(values: readonly Attributes[]): Promise<Catalog> {
  const model = new CatalogModel()
  for (const [index, attributes] of values.entries()) model.put('inbox', `${index}`, attributes)
  return folded(model)
}

describe('a time', () => {
  const times = [
    '2025-12-31T23:59:59.999Z',
    '2026-10-31T23:59:59.999Z',
    '2026-11-01T00:00:00.000Z',
    '2026-11-01T10:00:30.500Z',
    '2026-11-14T12:00:00.000Z',
    '2026-11-15T12:00:00.000Z',
    '2026-12-01T00:00:00.000Z',
  ]
  const [old, october, first, morning, day, now, december] = times

  test.each([
    ['time:2026-11', [first, morning, day, now]],
    ['time = 2025', [old]],
    ['time:2026-11-01', [first, morning]],
    ['time:2026-11-01T10:00Z', [morning]],
    ['time:2026-11-01T11:00:30+01:00', [morning]],
    ['time:2026-11-01T10:00:30.500Z', [morning]],
    ['time:2026-11-01T10:00:30.501Z', []],
    ['time > 2026-11-01', [day, now, december]],
    ['time >= 2026-11-01 AND time < 2026-12', [first, morning, day, now]],
    ['time <= 2026-11-01', [old, october, first, morning]],
    ['time < 2026-11-01', [old, october]],
    ['time IN [2026-10 TO 2026-11-01]', [october, first, morning]],
    ['time IN (2025, 2026-12-01)', [old, december]],
    ['time >= now-1d', [day, now, december]],
    ['time > now-86400s AND time <= now', [now]],
    ['time >= now+15d', [december]],
    ['time < now-2w', [old, october, first, morning]],
    ['time < now-15d', [old]],
    ['time IN [2026 TO 9999]', [october, first, morning, day, now, december]],
  ])('%s', async (query, expected) => {
    expect((await keysOf(await putAt(times), query, 2)).toSorted()).toEqual(expected)
  })

  test('of another attribute that is known to be one goes by spans, too', async () => {
    const catalog = await having([
      { 'email.date': '2026-11-01T10:00:00.000Z' },
      { 'email.date': '2026-12-01T10:00:00.000Z' },
    ])
    expect(await keysOf(catalog, 'email.date:2026-11')).toEqual(['0'])
  })

  test('means the same now on every page', async () => {
    let now = NOW
    const model = new CatalogModel()
    for (const key of ['a', 'b', 'c']) model.put('inbox', key)
    const catalog = await folded(model, { clock: { now: () => now } })
    const { cursor } = await catalog.query('time < now-1w', { limit: 1 })
    now = 0
    expect(await catalog.query('time < now-1w', {})).toMatchObject({ objects: [] })
    expect(await catalog.query('time < now-1w', { cursor: cursor ?? '' })).toMatchObject({
      objects: [{ key: 'b' }, { key: 'c' }],
    })
  })
})

describe('a value that its attribute cannot have', () => {
  test.each([
    [
      'time > banana',
      'column 8: expected a time, as 2026-11, 2026-11-01, 2026-11-01T10:00Z or now-7d, where there is "banana"',
    ],
    ['time > 2026-02-30', 'column 8: expected a time that there is, as 2026-11-30 or 2026-11-30T10:00Z, where'],
    ['time > 2026-11-01T25:00', 'column 8: expected a time that there is,'],
    ['time > 01.11.2026', 'column 8: expected a time as year, month and day with all their digits, as 2026-11-01,'],
    ['time > 2026-11-1', 'column 8: expected a time as year, month and day with all their digits'],
    ['time > 2026/11/01', 'column 8: expected a time as year, month and day with all their digits'],
    ['time IN [11/01/2026 TO now]', 'column 10: expected a time as year, month and day with all their digits'],
    ['a:b AND time:2026-13', 'column 14: expected a time'],
    ['time:2026-02-30', 'column 6: expected a time'],
    ['time:2026-11-31T10:00', 'column 6: expected a time'],
    ['time < now-3y', 'column 8: expected a time'],
    ['time < now-999999999w', 'column 8: expected a time'],
    ['email.date IN (2026, x)', 'column 22: expected a time'],
    ['object.size IN [1KB TO much]', 'column 24: expected a number'],
    ['object.size:1*', 'column 13: expected a number, which has no *,'],
    ['email.secure:yes', 'column 14: expected true or false where there is "yes"'],
    ['checksum.sha256:abc', 'column 17: expected 64 hex digits'],
    ['checksum.crc32c:0123456x', 'column 17: expected 8 hex digits'],
    ['email.subject ~ "?!"', 'column 17: expected a word where there is "?!"'],
    ['NOT (x:y OR time=noon)', 'column 18: expected a time'],
  ])('%s is refused', async (query, message) => {
    const refusal = (await having([])).query(query, {})
    await expect(refusal).rejects.toMatchObject({ code: 'ERR_INVALID', message: expect.stringContaining(message) })
  })
})

describe('a text', () => {
  test('is found by its words, without case and accents, in any order', async () => {
    const catalog = await having([
      { 'email.subject': 'Invoice_March (2nd)' },
      { 'email.subject': 'RECHNUNG März: invoice' },
      { 'email.subject': 'invoices' },
      { 'user.note': 'an invoice of march' },
    ])
    expect(await keysOf(catalog, 'email.subject ~ invoice')).toEqual(['0', '1'])
    expect(await keysOf(catalog, 'email.subject ~ "march invoice"')).toEqual(['0'])
    expect(await keysOf(catalog, 'email.subject ~ marz')).toEqual(['1'])
    expect(await keysOf(catalog, 'email.subject ~ MÄRZ')).toEqual(['1'])
    expect(await keysOf(catalog, 'user.note ~ "MARCH an"')).toEqual(['3'])
    expect(await keysOf(catalog, 'object.name ~ 2')).toEqual(['2'])
  })

  test('of more words than are indexed is found all the same', async () => {
    const words = Array.from({ length: 70 }, (_, index) => `w${index}`)
    const catalog = await having([{ 'email.subject': words.join(' ') }, { 'email.subject': 'w69' }])
    expect((await keysOf(catalog, 'email.subject ~ w69', 1)).toSorted()).toEqual(['0', '1'])
    expect(await keysOf(catalog, 'email.subject ~ "w0 w69"')).toEqual(['0'])
  })

  test('is found by its end, whatever its length', async () => {
    const long = `${'x'.repeat(300)}@example.com`
    const catalog = await having([
      { 'email.from': 'ann@example.com' },
      { 'email.from': long },
      { 'email.from': 'a@b.c' },
    ])
    expect(await keysOf(catalog, 'email.from:*@example.com')).toEqual(['0', '1'])
    expect(await keysOf(catalog, `email.from:*"${long}"`)).toEqual(['1'])
    expect(await keysOf(catalog, 'email.from:*@*')).toEqual(['2', '0', '1'])
  })

  test('that is a digest may be written in upper case', async () => {
    const sha256 = 'ab'.repeat(32)
    const catalog = await having([{ 'checksum.sha256': sha256 }])
    expect(await keysOf(catalog, `checksum.sha256=${sha256.toUpperCase()}`)).toEqual(['0'])
    expect(await keysOf(catalog, 'checksum.sha256:ABAB*')).toEqual(['0'])
  })
})

test('words are runs of letters and digits', () => {
  expect(wordsIn('Scan_2026-11.PDF naïve ＡＢＣ ½ 𝒳 naive')).toEqual([
    'scan',
    '2026',
    '11',
    'pdf',
    'naive',
    'abc',
    '1',
    '2',
    'x',
  ])
  expect(wordsIn('x'.repeat(100))).toEqual(['x'.repeat(64)])
})

describe('a plan', () => {
  async function catalogOf(objects: number): Promise<Catalog> {
    const model = new CatalogModel()
    for (let index = 0; index < objects; index += 1) {
      const attributes = {
        'email.from': `${index % 40}@example.com`,
        half: index % 2,
        'email.subject': `mail ${index}`,
      }
      model.append({
        ...BASE,
        operation: 'put',
        object: String(index + 1).padStart(16, '0'),
        bucket: 'inbox',
        key: `${index}`,
        size: index,
        digests: { sha256: '', crc32c: '' },
        attributes,
      })
    }
    return folded(model)
  }

  test('follows what leads to fewest, and asks other equalities of their indexes', async () => {
    const catalog = await catalogOf(2000)
    expect(await catalog.explain('half:1 AND email.from:7@example.com AND email.subject ~ "mail 7"', {})).toMatchObject(
      {
        query: 'half:1 AND email.from:7@example.com AND email.subject ~ "mail 7"',
        objects: 2000,
        isScan: false,
        legs: [{ reads: 'the words of email.subject', entries: 1, isExact: true, narrowedBy: [] }],
        entries: 1,
      },
    )
    expect(await catalog.explain('half:1 AND email.subject ~ mail', {})).toMatchObject({
      legs: [{ condition: 'half:1', narrowedBy: [{ condition: 'email.subject ~ mail' }] }],
    })
  })

  test.each([3, 40])(
    'merges equalities, or looks objects up (%i), and misses none that the index has not whole',
    async (share) => {
      const model = new CatalogModel()
      const many = Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`user.${index}`, 1]))
      for (let index = 0; index < 1500; index += 1) {
        const attributes = { half: index % 2, zshare: index % share, third: index % 3 }
        model.put('inbox', `${index}`, index === 600 || index === 660 ? { ...many, ...attributes } : attributes)
      }
      const catalog = await folded(model)
      const query = 'half:0 AND zshare:0 AND third:0'
      const { legs } = await catalog.explain('half:0 AND zshare:0', {})
      expect(legs[0]?.narrowedBy[0]?.how ?? 'none').toBe(share === 3 ? 'merge' : 'none')
      for (const text of [query, 'third:0 AND half:0', 'half:0 AND zshare:0', 'half:0 AND n:* OR third:0 AND half:0']) {
        const found = model.found(parseQuery(text)).map(({ stat }) => stat.key)
        expect((await keysOf(catalog, text, 100)).toSorted()).toEqual(found.toSorted())
      }
    },
  )

  test('says what is a scan', async () => {
    const catalog = await catalogOf(100)
    const scans = ['NOT half:1', 'half:1 OR NOT half:0', 'email.subject:*7', 'email.subject:*ail*', '', 'half ~ x']
    for (const query of scans) expect(await catalog.explain(query, {})).toMatchObject({ isScan: true })
    const others = ['email.from:*@example.com', 'half:1 AND email.subject:*7', 'object.bucket:inbox', 'half IN (1, 2)']
    for (const query of others) expect(await catalog.explain(query, {})).toMatchObject({ isScan: false })
    expect(await catalog.explain('half:1 OR email.from:*@x', {})).toMatchObject({
      order: 'one leg after the other',
      legs: [{ reads: 'the index of half' }, { reads: 'the reversed index of email.from', entries: 0 }],
    })
  })

  test('sorts what it finds, or follows the order, whichever looks at less', async () => {
    const catalog = await catalogOf(2000)
    expect(await catalog.explain('email.from:7@example.com', { sort: 'object.size' })).toMatchObject({
      sorting: 'gather',
    })
    expect(await catalog.explain('half:*', { sort: '-object.size', limit: 10 })).toMatchObject({
      sorting: 'follow',
      order: 'object.size, descending',
      legs: [{ reads: 'the index of object.size, in its order' }],
    })
    await expect(catalog.query('', { sort: 'object.bucket' })).rejects.toMatchObject({ code: 'ERR_INVALID' })
    await expect(catalog.query('', { sort: '-' })).rejects.toMatchObject({ code: 'ERR_INVALID' })
  })

  test('that looks at as much as it may says so', async () => {
    const model = new CatalogModel()
    for (let index = 0; index < 50; index += 1) model.put('inbox', `${index}`, { n: index })
    const catalog = await folded(model, { queryScanMax: 10 })
    const page = await catalog.query('NOT n < 45', {})
    expect(page).toMatchObject({ objects: [], limited: true, cursor: expect.any(String) })
    expect(await catalog.query('n < 3', {})).toMatchObject({ limited: false, cursor: null })
    expect(await catalog.query('n:*', { limit: 5 })).toMatchObject({ limited: false, cursor: expect.any(String) })
    const keys = await folded(model, { queryKeysMax: 10 })
    expect(await keys.query('object.key:*x*', {})).toMatchObject({ objects: [], limited: true })
    expect(await keys.query('n:*', { sort: '-n', limit: 45 })).toMatchObject({ limited: true })
  })
})
