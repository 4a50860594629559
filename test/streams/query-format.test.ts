import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  columnOf,
  csvPage,
  ndjsonLines,
  type ObjectStat,
  parseColumns,
  type QueryResult,
  xmlPage,
} from '../../streams/index.ts'
import { command, testWith } from '../support/system-tools.ts'

const schema = join(import.meta.dirname, '../../docs/query-answer.xsd')
const text = fc.string({ unit: 'binary' })
const value = fc.oneof(text, fc.boolean(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.array(text))
const stat: fc.Arbitrary<ObjectStat> = fc.record({
  object: fc.constant('0000000000000007'),
  bucket: fc.constant('inbox'),
  key: text,
  version: fc.constant('0000000000000009'),
  sequence: fc.constant(9),
  size: fc.nat(),
  digests: fc.constant({ sha256: 'ab'.repeat(32), crc32c: '00c0ffee' }),
  time: fc.nat(4e12),
  attributes: fc.dictionary(text, value),
})
const page: fc.Arbitrary<QueryResult> = fc.record({
  sequence: fc.nat(),
  objects: fc.array(stat, { maxLength: 5 }),
  cursor: fc.constantFrom(null, 'bW9yZQ'),
  limited: fc.boolean(),
})

describe('CSV', () => {
  /** RFC 4180 section 2, as a reader has it. */
  function parse(csv: string): readonly (readonly string[])[] {
    const rows: string[][] = [[]]
    for (const [, quoted, bare = '', end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
      rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? bare)
      if (end === '\r\n') rows.push([])
    }
    return rows.slice(0, -1)
  }

  test('has a line of names and one for each object, whatever they hold', () => {
    fc.assert(
      fc.property(page, fc.uniqueArray(text, { minLength: 1, maxLength: 4 }), (one, names) => {
        const columns = ['object.key', ...names]
        const [head, ...rows] = parse(csvPage(one, columns))
        expect(head).toEqual(columns)
        expect(rows).toEqual(
          one.objects.map((object) =>
            columns.map((name) => {
              const cell = columnOf(object, name) ?? ''
              return typeof cell === 'object' ? JSON.stringify(cell) : String(cell)
            }),
          ),
        )
      }),
    )
  })

  test('has columns that an answer carries', () => {
    expect(parseColumns('object.name , user.a')).toEqual(['object.name', 'user.a'])
    for (const columns of [
      '',
      'a,,b',
      'protocol',
      'principal.application',
      Array.from({ length: 101 }, () => 'a').join(),
    ])
      expect(() => parseColumns(columns)).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }))
  })
})

describe('XML', () => {
  const validate = (xml: string) =>
    spawnSync('xmllint', ['--noout', '--schema', schema, '-'], { input: xml, encoding: 'utf8' })
  const needs = [command('xmllint', 'libxml2-utils')]

  testWith(needs, 'of any page is valid by the published schema', async () => {
    const pages = fc.sample(page, 40)
    for (const one of pages) expect(validate(xmlPage(one)).stderr).toBe('- validates\n')
  })

  testWith(needs, 'the schema finds what does not belong there', async () => {
    const [object] = fc.sample(stat, { seed: 1, numRuns: 1 })
    const xml = xmlPage({ sequence: 1, objects: [object!], cursor: null, limited: false })
    expect(validate(xml).status).toBe(0)
    const broken = [
      xml.replace(' limited="false"', ''),
      xml.replace(/<size>.*<\/size>/, ''),
      xml.replace('<bucket>', '<unheard/><bucket>'),
      xml.replaceAll('urn:cenote:query:1', 'urn:another'),
    ]
    for (const one of broken) expect(validate(one).status).not.toBe(0)
  })
})

test('NDJSON goes from page to page, and ends with where it is', async () => {
  const [one] = fc.sample(stat, 1)
  const asked: [string, number][] = []
  const pages: QueryResult[] = [
    { sequence: 5, objects: [one!, one!], cursor: 'b', limited: false },
    { sequence: 6, objects: [one!], cursor: 'c', limited: true },
  ]
  const next = async (cursor: string, limit: number) => {
    asked.push([cursor, limit])
    return pages[1]!
  }
  const lines = (await textOf(Readable.from(ndjsonLines(pages[0]!, 3, next)))).trim().split('\n')
  expect(asked).toEqual([['b', 1]])
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    ...[one, one, one].map((object) => JSON.parse(JSON.stringify(object))),
    { sequence: 6, cursor: 'c', limited: true },
  ])
})
