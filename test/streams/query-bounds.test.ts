import { expect, onTestFinished, test, vi } from 'vitest'
import { QUERY_PROBE_MAX } from '../../streams/catalog/catalog.ts'
import { NARROWERS_MAX } from '../../streams/catalog/catalog-estimate.ts'
import { QUERY_BYTES_MAX, QUERY_TERMS_MAX } from '../../streams/query/query.ts'
import { parseQuery } from '../../streams/query/query-parser.ts'
import { CatalogModel } from './catalog-model.ts'
import { folded, readCounter } from './catalog-support.ts'

/*
 * What the longest query costs is bounded by its terms and by the objects there are: it does not grow with the square of
 * either. No time is measured, but the entries read.
 */
const OBJECTS = 2 * QUERY_PROBE_MAX

test('a query of as many equalities as may be reads what each of them leads to, and not all of them for each', async () => {
  const reads = readCounter()
  const model = new CatalogModel()
  for (let at = 0; at < OBJECTS; at++) model.put('inbox', `key-${at}`, { 'user.a': 'b' })
  const catalog = await folded(model, { onRead: (entries) => reads.onRead(entries) })
  reads.count = 0
  const text = Array.from({ length: QUERY_TERMS_MAX }, () => 'user.a:b').join(' AND ')
  expect((await catalog.query(text, {})).objects).toHaveLength(OBJECTS)
  expect(reads.count).toBeLessThanOrEqual(2 * QUERY_TERMS_MAX * QUERY_PROBE_MAX)
})

test(`at most ${NARROWERS_MAX} conditions narrow what another one leads to`, async () => {
  const names = Array.from({ length: 2 * NARROWERS_MAX }, (_, at) => `user.a${at}`)
  const attributes = Object.fromEntries(names.map((name) => [name, 'b']))
  const model = new CatalogModel()
  for (let at = 0; at < OBJECTS; at++) model.put('inbox', `key-${at}`, at % 3 < 2 ? attributes : {})
  const catalog = await folded(model)
  const text = names.map((name) => `${name}:b`).join(' AND ')
  const { legs } = await catalog.explain(text, {})
  expect(legs).toMatchObject([{ narrowedBy: { length: NARROWERS_MAX } }])
  expect((await catalog.query(text, {})).objects).toHaveLength(Math.ceil((2 * OBJECTS) / 3))
  expect((await catalog.query(text, { sort: 'user.a0' })).objects).toHaveLength(Math.ceil((2 * OBJECTS) / 3))
})

test('each word of a query is a term', () => {
  const words = Array.from({ length: QUERY_TERMS_MAX + 1 }, (_, at) => `w${at}`)
  expect(parseQuery(`a ~ "${words.slice(1).join(' ')}"`)).toMatchObject({ operator: 'words' })
  const text = `a ~ "${words.join(' ')}"`
  expect(Buffer.byteLength(text)).toBeLessThan(QUERY_BYTES_MAX)
  expect(() => parseQuery(text)).toThrow(`at most ${QUERY_TERMS_MAX} terms`)
})

test('however many words are asked of a text, its own are found once', async () => {
  const words = Array.from({ length: QUERY_TERMS_MAX / 2 }, (_, at) => `w${at}`)
  const text = `${words.join(' ')} ${'x '.repeat(10_000)}`
  const model = new CatalogModel()
  for (let at = 0; at < 4; at++) model.put('inbox', `key-${at}`, { 'user.a': [`${at} ${text}`, `${at} more ${text}`] })
  const catalog = await folded(model)
  const lowered = vi.spyOn(String.prototype, 'toLowerCase')
  onTestFinished(() => lowered.mockRestore())
  const query = `user.a ~ "${words.join(' ')}" AND ${words.map((word) => `user.a ~ ${word}`).join(' AND ')}`
  expect((await catalog.query(query, {})).objects).toHaveLength(4)
  const long = lowered.mock.contexts.filter((context) => String(context).length > text.length)
  expect(long.length).toBeGreaterThan(0)
  expect(long.length).toBeLessThanOrEqual(8)
})
