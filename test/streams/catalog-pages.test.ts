import { describe, expect, test } from 'vitest'
import { QUERY_PROBE_MAX } from '../../streams/catalog/catalog.ts'
import type { Attributes } from '../../streams/index.ts'
import { CatalogModel } from './catalog-model.ts'
import { folded, foldRest, keysOf, newDirectory, open, readCounter } from './catalog-support.ts'

const REFUSED = { code: 'ERR_INVALID' }

function modelOf(objects: Readonly<Record<string, Attributes>>): CatalogModel {
  const model = new CatalogModel()
  for (const [key, attributes] of Object.entries(objects)) model.put('inbox', key, attributes)
  return model
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index)
}

describe('a listing', () => {
  test('by delimiter reads as much as the page is long, however much lies under each prefix', async () => {
    const model = new CatalogModel()
    for (const folder of ['a', 'b', 'c', 'd']) for (const index of range(500)) model.put('inbox', `${folder}/${index}`)
    model.put('inbox', 'e')
    const reads = readCounter()
    const catalog = await folded(model, { onRead: (entries) => reads.onRead(entries) })
    const listing = await catalog.list('inbox', { delimiter: '/' })
    expect(listing).toMatchObject({ prefixes: ['a/', 'b/', 'c/', 'd/'], objects: [{ key: 'e' }] })
    expect(reads.count).toBeLessThanOrEqual(40)
    const page = await catalog.list('inbox', { delimiter: '/', after: 'b/', limit: 1 })
    expect(page).toEqual({ prefixes: ['c/'], objects: [], next: 'c/' })
    expect(reads.count).toBeLessThanOrEqual(60)
  })

  test('by prefix reads its page only', async () => {
    const reads = readCounter()
    const model = modelOf(Object.fromEntries(range(2000).map((index) => [`${1000 + index}`, {}])))
    const catalog = await folded(model, { onRead: (entries) => reads.onRead(entries) })
    expect((await catalog.list('inbox', { prefix: '17', limit: 10 })).objects).toHaveLength(10)
    expect(reads.count).toBeLessThanOrEqual(24)
  })

  test('has 1,000 entries unless told, and 10,000 at most', async () => {
    const model = modelOf(Object.fromEntries(range(10_001).map((index) => [`key-${10_000 + index}`, {}])))
    const catalog = await folded(model)
    expect((await catalog.list('inbox', {})).objects).toHaveLength(1000)
    const longest = await catalog.list('inbox', { limit: 10_000 })
    expect(longest.objects).toHaveLength(10_000)
    expect(await catalog.list('inbox', { after: longest.next ?? '' })).toMatchObject({
      objects: [{ key: 'key-20000' }],
    })
    for (const limit of [0, 10_001, 1.5, Number.NaN]) {
      await expect(catalog.list('inbox', { limit })).rejects.toMatchObject(REFUSED)
      await expect(catalog.query('', { limit })).rejects.toMatchObject(REFUSED)
    }
  })

  test('ends a page of large entries early, and so does a query', async () => {
    const attributes = { 'user.long': 'x'.repeat(1 << 20) }
    const model = modelOf(Object.fromEntries(range(12).map((index) => [`key-${index}`, attributes])))
    const catalog = await folded(model)
    const { objects, next } = await catalog.list('inbox', {})
    expect(objects).toHaveLength(8)
    expect((await catalog.list('inbox', { after: next ?? '' })).objects).toHaveLength(4)
    expect((await catalog.query('user.long:*', {})).objects).toHaveLength(8)
    expect(await keysOf(catalog, 'user.long:*')).toHaveLength(12)
  })
})

describe('an answer', () => {
  test('comes in the order of what leads to it, the type first', async () => {
    const values = { a: 10, b: -10, c: '5', d: 2.5, e: true, f: '10', g: -0.5, h: false, i: ['9', '1'] }
    const model = modelOf(Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { 'user.x': value }])))
    const catalog = await folded(model)
    expect(await keysOf(catalog, 'user.x:*')).toEqual(['h', 'e', 'b', 'g', 'd', 'a', 'i', 'f', 'c'])
    expect(await keysOf(catalog, 'user.x >= 5', 1)).toEqual(['a', 'c', 'i'])
    expect(await keysOf(catalog, 'user.x:10')).toEqual(['a', 'f'])
  })

  test('counts sizes in bytes, with units of 1,000 and of 1,024', async () => {
    const model = new CatalogModel()
    for (const size of [0, 999, 1000, 1024, 1_000_000, 1_048_576]) model.put('inbox', `${size}`, {}, size)
    const catalog = await folded(model)
    expect(await keysOf(catalog, 'object.size >= 1KB')).toEqual(['1000', '1024', '1000000', '1048576'])
    expect(await keysOf(catalog, 'object.size = 1kib')).toEqual(['1024'])
    expect(await keysOf(catalog, 'object.size > 1MB AND object.size <= 1MiB')).toEqual(['1048576'])
    expect(await keysOf(catalog, 'object.size < 0.001MB')).toEqual(['0', '999'])
    await expect(catalog.query('object.size:none', {})).rejects.toMatchObject({
      ...REFUSED,
      message: 'query, column 13: expected a number, as 1500, 10MB or 2GiB, where there is "none"',
    })
  })

  test('takes keys as they are, even those that look like times', async () => {
    const catalog = await folded(modelOf({ '2026-11-01T10:00Z': {}, '2026-11-01T10:00:00.000Z': {} }))
    expect(await keysOf(catalog, 'object.key:2026-11-01T10:00Z')).toEqual(['2026-11-01T10:00Z'])
    const within = 'object.bucket:inbox AND object.key:2026-11-01T10:00Z'
    expect(await keysOf(catalog, within)).toEqual(['2026-11-01T10:00Z'])
  })

  test('asks of a list for one element within all comparisons', async () => {
    const model = modelOf({ around: { to: ['a', 'z'] }, between: { to: ['m'] }, single: { to: 'n' } })
    const catalog = await folded(model)
    expect(await keysOf(catalog, 'to > a AND to < z')).toEqual(['between', 'single'])
    expect(await keysOf(catalog, 'to:a AND to:z')).toEqual(['around'])
    expect(await keysOf(catalog, 'to >= a', 1)).toEqual(['around', 'between', 'single'])
  })

  test('reads little when one term is selective, whichever it is', async () => {
    const model = new CatalogModel()
    for (const index of range(3000)) model.put('inbox', `${index}`, { all: 'same', one: `${index}`, n: index })
    const directory = await newDirectory()
    await (await folded(model, { directory })).close()
    const reads = readCounter()
    const catalog = await open({ directory, onRead: (entries) => reads.onRead(entries) })
    expect(await keysOf(catalog, 'all:same AND one:77')).toEqual(['77'])
    expect(await keysOf(catalog, 'one:77 AND all:same')).toEqual(['77'])
    expect(await keysOf(catalog, 'all:same AND n >= 100 AND n < 103')).toEqual(['100', '101', '102'])
    expect(await keysOf(catalog, 'object.bucket:inbox AND object.key:77')).toEqual(['77'])
    expect(reads.count).toBeLessThanOrEqual(20 + 7 * (QUERY_PROBE_MAX + 1))
  })

  test('looks at no more than its bound for one page, and goes on', async () => {
    const model = modelOf(
      Object.fromEntries(range(95).map((index) => [`${1000 + index}`, { all: 'same', last: index === 94 }])),
    )
    const catalog = await folded(model, { queryScanMax: 10 })
    const unindexed = 'x'.repeat(257)
    const pages: number[] = []
    let cursor: string | null = null
    do {
      const page = await catalog.query('object.bucket:inbox AND last:true AND all:same', {
        ...(cursor !== null && { cursor }),
      })
      pages.push(page.objects.length)
      cursor = page.cursor
    } while (cursor !== null)
    expect(pages.reduce((sum, length) => sum + length)).toBe(1)
    expect((await catalog.query(`${unindexed}:*`, {})).cursor).not.toBeNull()
    expect(await keysOf(catalog, `${unindexed}:*`)).toEqual([])
    expect(await keysOf(catalog, 'object.bucket:inbox AND object.key >= 1000')).toHaveLength(95)
  })

  test('is true at the sequence that it names, while the fold goes on', async () => {
    const model = new CatalogModel()
    const live: string[][] = [[]]
    for (const index of range(300)) {
      model.put('inbox', `key-${1000 + index}`, { n: index })
      live.push([...model.entries.values()].map(({ stat }) => stat.key))
      const { object, key } = [...model.entries.values()][0]!.stat
      if (model.entries.size > 20) model.append({ operation: 'delete', object, bucket: 'inbox', key })
      if (model.sequence === live.length) live.push([...model.entries.values()].map(({ stat }) => stat.key))
    }
    const catalog = await open({ batchRecordsMax: 3 })
    catalog.apply(model.records, 1)
    const sequences = new Set<number>()
    while (catalog.position.sequence < model.sequence) {
      for (const page of await Promise.all(['', 'n:*', 'n:*'].map((text) => catalog.query(text, {})))) {
        expect(page.objects.map(({ key }) => key)).toEqual(live[page.sequence])
        sequences.add(page.sequence)
      }
    }
    expect(sequences.size).toBeGreaterThan(1)
  })

  test('goes on from its own cursors only', async () => {
    const catalog = await folded(modelOf({ a: { n: 1 }, b: { n: 2 }, c: { n: 3 } }))
    const { cursor } = await catalog.query('n:*', { limit: 1 })
    if (cursor === null) return expect.unreachable()
    expect(await catalog.query('n:*', { cursor })).toMatchObject({
      objects: [{ key: 'b' }, { key: 'c' }],
      cursor: null,
    })
    const [hash, now, leg] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
    const made = (...values: unknown[]) => Buffer.from(JSON.stringify(values)).toString('base64url')
    const elsewhere = 'cinbox\u0000a'
    const strange = [
      ...['', 'x', `${cursor}!x`, made(), made(hash), made(hash, now), made(hash, now, leg), made(hash, now, leg, '')],
      ...[made(hash, now, leg, elsewhere), made(hash, now, 9, elsewhere), made(hash, now, 0, leg, 'in\u0000n')],
      ...[made(hash, now, -1, 'in\u0000n'), made(hash, 1e300, leg, 'in\u0000n'), made('0', now, leg, 'in\u0000n')],
    ]
    for (const other of strange) await expect(catalog.query('n:*', { cursor: other })).rejects.toMatchObject(REFUSED)
    await expect(catalog.query('n > 0', { cursor })).rejects.toMatchObject(REFUSED)
    await expect(catalog.query('n', {})).rejects.toMatchObject({
      ...REFUSED,
      message: expect.stringContaining('column 2'),
    })
  })

  test('stays the same when an object on the page before is gone', async () => {
    const model = modelOf({ a: { n: 1 }, b: { n: 2 }, c: { n: 3 } })
    const catalog = await folded(model)
    const { cursor } = await catalog.query('n:*', { limit: 2 })
    const object = model.head({ bucket: 'inbox', key: 'b' })?.stat.object ?? ''
    catalog.apply([model.append({ operation: 'delete', object, bucket: 'inbox', key: 'b' })], 1)
    await catalog.settled(model.sequence)
    expect(await catalog.query('n:*', { cursor: cursor ?? '' })).toMatchObject({ objects: [{ key: 'c' }], sequence: 4 })
  })
})

describe('what is not in the index', () => {
  test('is found all the same: attributes beyond 64, by name', async () => {
    const attributes = Object.fromEntries(range(70).map((index) => [`user.${169 - index}`, 69 - index]))
    const reads = readCounter()
    const model = modelOf({ few: { 'user.100': 1 }, many: attributes, one: { 'user.169': 69 } })
    const catalog = await folded(model, { onRead: (entries) => reads.onRead(entries) })
    expect(await keysOf(catalog, 'user.163:63', 1)).toEqual(['many'])
    expect(await keysOf(catalog, 'user.164:64', 1)).toEqual(['many'])
    expect(await keysOf(catalog, 'user.169:69', 1)).toEqual(['one', 'many'])
    expect(await keysOf(catalog, 'user.165:64')).toEqual([])
    reads.count = 0
    expect(await keysOf(catalog, 'user.100:1')).toEqual(['few'])
    expect(reads.count).toBe(2)
    const unset = Object.keys(attributes).slice(0, 6)
    const object = model.head({ bucket: 'inbox', key: 'many' })?.stat.object ?? ''
    model.append({ operation: 'attributes', object, bucket: 'inbox', key: 'many', set: {}, unset })
    await foldRest(catalog, model)
    reads.count = 0
    expect(await keysOf(catalog, 'user.100:1')).toEqual(['few'])
    expect(reads.count).toBe(1)
  })

  test('is found all the same: elements of lists beyond 64 of one object', async () => {
    const to = range(60).map((index) => `to-${index}`)
    const cc = range(60).map((index) => `cc-${index}`)
    const catalog = await folded(modelOf({ mail: { cc, subject: 'hello', to }, other: { to: 'to-4' } }))
    expect(await keysOf(catalog, 'cc:cc-59')).toEqual(['mail'])
    expect(await keysOf(catalog, 'to:to-3')).toEqual(['mail'])
    expect(await keysOf(catalog, 'to:to-4', 1)).toEqual(['other', 'mail'])
    expect(await keysOf(catalog, 'to:*', 1)).toEqual(['other', 'mail'])
    expect(await keysOf(catalog, 'subject:hello')).toEqual(['mail'])
  })

  test('of a long value is checked on the entry', async () => {
    const start = 'x'.repeat(255)
    const catalog = await folded(
      modelOf({ a: { v: `${start}a` }, b: { v: `${start}b` }, both: { v: [`${start}a`, `${start}b`] } }),
    )
    expect(await keysOf(catalog, `v:${start}a`)).toEqual(['a', 'both'])
    expect(await keysOf(catalog, `v > ${start}a`, 1)).toEqual(['b', 'both'])
    expect(await keysOf(catalog, `v:${start}*`, 1)).toEqual(['a', 'b', 'both'])
  })

  test('is a name of more than 256 bytes', async () => {
    const name = 'é'.repeat(128)
    const catalog = await folded(modelOf({ a: { [name]: 1, [`${name}x`]: 1 }, b: { n: 1 } }))
    expect(await keysOf(catalog, `${name}:1`)).toEqual(['a'])
    expect(await keysOf(catalog, `${name}x:1`)).toEqual(['a'])
  })
})
