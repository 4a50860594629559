import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { HTTP, type CloudEvent as SdkEvent } from 'cloudevents'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RECORD_FORMATS, type RecordFormatName, type ShownRecord } from '../../streams/index.ts'
import { shown } from '../../streams/records/shown-record.ts'
import { goldenFor } from '../golden/golden-file.ts'
import { RECORDS } from '../golden/records.ts'
import { origin } from '../support/store-harness.ts'
import { command, testWith } from '../support/system-tools.ts'

const context = { source: '/cenote/pool/main' }
const names = Object.keys(RECORD_FORMATS) as RecordFormatName[]
const schema = join(import.meta.dirname, '../../docs/attribute-stream.xsd')

/** One of each operation, as applications get it. */
const records: readonly ShownRecord[] = RECORDS.flatMap((record) => shown(record, origin) ?? [])

const batch = (name: RecordFormatName, some = records) => RECORD_FORMATS[name].batch(some, context)
const one = (name: RecordFormatName, record: ShownRecord) => RECORD_FORMATS[name].one(record, context)

test.each(names)('%s is what it was', (name) => {
  const text = [batch(name), one(name, records[2]!), batch(name, [])].join('\n---\n')
  expect(text).toBe(goldenFor(`format-${name}.txt`, text))
})

test.each(names)('%s tells no secret', (name) => {
  expect(batch(name)).not.toContain('argon2id')
})

test('NDJSON has a record a line, whatever it holds', () => {
  const record = { ...records[2]!, key: 'a\nb\r\u2028' } as ShownRecord
  const lines = batch('ndjson', [record, record]).split('\n')
  expect(lines.map((line) => line && JSON.parse(line))).toEqual([record, record, ''])
})

describe('CloudEvents', () => {
  function parse(type: string, body: string): SdkEvent<unknown>[] {
    return [HTTP.toEvent<unknown>({ headers: { 'content-type': type }, body })].flat() as SdkEvent<unknown>[]
  }

  test('are taken by the SDK, one by one and in a batch', () => {
    const { mediaType, batchMediaType } = RECORD_FORMATS.cloudevents
    const events = parse(batchMediaType, batch('cloudevents'))
    expect(events.map(({ data }) => data)).toEqual(records)
    for (const [index, event] of events.entries()) {
      expect(event.validate()).toBe(true)
      expect(parse(mediaType, one('cloudevents', records[index]!))[0]!.toJSON()).toEqual(event.toJSON())
    }
  })

  test('have a subject of allowed characters only', () => {
    const record = { ...records[2]!, key: 'a\u0000\n\u{1fffe}ü%' } as ShownRecord
    expect(JSON.parse(one('cloudevents', record)).subject).toBe('inbox/a%00%0A%F0%9F%BF%BEü%')
  })

  test('are known by source and id, and have one key for each object', () => {
    const events = parse(RECORD_FORMATS.cloudevents.batchMediaType, batch('cloudevents'))
    const ids = new Set(events.map(({ source, id }) => `${source} ${id}`))
    expect(ids.size).toBe(records.length)
    const ofObject = events.filter(({ subject }) => subject?.includes('/'))
    expect(new Set(ofObject.map(({ partitionkey }) => partitionkey))).toEqual(
      new Set(['0000000000000003', '0000000000000009', '0000000000000014', '0000000000000022']),
    )
    expect(events.map(({ type }) => type)).toContain('cenote.record.rename')
  })
})

describe("S3's event messages", () => {
  const eventsOf = (record: ShownRecord) => JSON.parse(one('s3', record)).Records

  test('have the members that AWS documents for a put', () => {
    const put = records.find(({ operation }) => operation === 'put')!
    expect(eventsOf(put)).toEqual([
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        awsRegion: 'main',
        eventTime: '2023-11-14T22:13:20.002Z',
        eventName: 'ObjectCreated:Put',
        userIdentity: { principalId: 'scanner' },
        requestParameters: { sourceIPAddress: '192.0.2.7' },
        responseElements: { 'x-amz-request-id': 'f-1' },
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: 'cenote',
          bucket: { name: 'inbox', ownerIdentity: { principalId: 'main' }, arn: 'arn:aws:s3:::inbox' },
          object: {
            key: 'gr%C3%BC%C3%9Fe/scan.pdf',
            size: 3,
            eTag: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
            versionId: '0000000000000003',
            sequencer: '0000000000000003',
          },
        },
      },
    ])
  })

  test('tell of objects only, and of a rename as a copy and a removal', () => {
    const { Records } = JSON.parse(batch('s3')) as { Records: { eventName: string }[] }
    expect(Records.map(({ eventName }) => eventName)).toEqual([
      'ObjectCreated:Put',
      'ObjectTagging:Put',
      'ObjectCreated:Copy',
      'ObjectRemoved:Delete',
      'ObjectRemoved:Delete',
      'ObjectCreated:Put',
      'ObjectTagging:Put',
      'ObjectRemoved:DeleteMarkerCreated',
      'ObjectRemoved:Delete',
      'LifecycleExpiration:Delete',
      'ObjectTagging:Put',
      'ObjectCreated:Put',
    ])
  })

  test('a key is encoded as a form is, and a peer of IPv6 loses its port', () => {
    const record = { ...records[2]!, key: 'red flower+1%.jpg', peer: '[2001:db8::1]:4711' } as ShownRecord
    const [event] = eventsOf(record)
    expect(event.s3.object.key).toBe('red+flower%2B1%25.jpg')
    expect(event.requestParameters.sourceIPAddress).toBe('2001:db8::1')
  })

  test('sequencers have the order of the records as texts', () => {
    const sequencers = [9, 10, 255, 256, 2 ** 40].map(
      (sequence) => eventsOf({ ...records[2]!, sequence })[0].s3.object.sequencer,
    )
    expect([...sequencers].sort()).toEqual(sequencers)
  })
})

describe('XML', () => {
  const validate = (text: string) =>
    spawnSync('xmllint', ['--noout', '--schema', schema, '-'], { input: text, encoding: 'utf8' })

  const needs = [command('xmllint', 'libxml2-utils')]
  const text = fc.string({ unit: 'binary' })
  const value = fc.oneof(text, fc.boolean(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.array(text))
  const attributes = fc.dictionary(text, value)
  const put = records.find(({ operation }) => operation === 'put')!
  const anyPut = fc.record({ key: text, application: text, attributes }).map((members) => ({ ...put, ...members }))

  testWith(needs, 'of every operation is valid by the published schema', async () => {
    const { status, stderr } = validate(batch('xml'))
    expect(stderr).toBe('- validates\n')
    expect(status).toBe(0)
    for (const record of records) expect(validate(one('xml', record)).status).toBe(0)
  })

  testWith(needs, 'the schema finds what does not belong there', async () => {
    const text = batch('xml')
    const broken = [
      text.replace(' sequence="1"', ''),
      text.replace('<size>3</size>', ''),
      text.replace('<size>3</size>', '<size>three</size>'),
      text.replace('type="list"', 'type="set"'),
      text.replace('</records>', '<unheard/></records>'),
      text.replaceAll('urn:cenote:attribute-stream:1', 'urn:another'),
    ]
    for (const one of broken) {
      expect(one).not.toBe(text)
      expect(validate(one).status).not.toBe(0)
    }
  })

  testWith(needs, 'of any text is valid', async () => {
    fc.assert(
      fc.property(fc.array(anyPut, { minLength: 20, maxLength: 40 }), (some) => {
        expect(validate(batch('xml', some as ShownRecord[])).stderr).toBe('- validates\n')
      }),
      { numRuns: 5 },
    )
  })

  testWith([command('python3', 'python3')], 'of any text is read back as it was', async () => {
    const reader = `
import base64, json, sys, xml.etree.ElementTree as tree
space = '{urn:cenote:attribute-stream:1}'
def text(e): return base64.b64decode(e.text or '').decode() if e.get('encoding') else e.text or ''
def value(a):
    one = a.find(space + 'value')
    return [text(i) for i in a.findall(space + 'item')] if one is None else text(one)
records = tree.fromstring(sys.stdin.buffer.read())
json.dump([{'key': text(r.find(space + 'key')), 'application': text(r.find(space + 'application')),
    'attributes': {text(a.find(space + 'name')): value(a) for a in r.iter(space + 'attribute')}} for r in records], sys.stdout)`
    fc.assert(
      fc.property(fc.array(anyPut, { minLength: 20, maxLength: 40 }), (some) => {
        const input = batch('xml', some as ShownRecord[])
        const { stdout, stderr } = spawnSync('python3', ['-c', reader], { input, encoding: 'utf8' })
        expect(stderr).toBe('')
        expect(JSON.parse(stdout)).toEqual(
          some.map(({ key, application, attributes }) => ({
            key,
            application,
            attributes: Object.fromEntries(
              Object.entries(attributes).map(([name, value]) => [name, Array.isArray(value) ? value : String(value)]),
            ),
          })),
        )
      }),
      { numRuns: 5 },
    )
  })
})
