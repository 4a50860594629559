import { describe, expect, test } from 'vitest'
import { http } from '../../filters/index.ts'
import type { HttpFacts } from '../../streams/index.ts'
import { describeConformance, envelopeOf } from '../support/stage-conformance.ts'

const facts = (headers: HttpFacts['headers']) => ({ type: 'http', method: 'PUT', headers }) as const
const attributes = (headers: HttpFacts['headers']) => http.finish(http.start(envelopeOf(facts(headers)) as never))

describe('http filter', () => {
  test('takes the method, the headers that describe, and the declared type by a name of its own', () => {
    const headers = {
      'content-type': 'text/csv; charset=utf-8',
      'user-agent': 'curl/7.88.1',
      'content-disposition': 'attachment; filename="r.csv"',
      'content-language': 'de',
      referer: 'https://example.com/',
      'last-modified': 'Tue, 24 Nov 2026 04:00:00 GMT',
    }
    expect(attributes(headers)).toEqual({
      'http.method': 'PUT',
      'content.declared-type': 'text/csv; charset=utf-8',
      'http.header.user-agent': 'curl/7.88.1',
      'http.header.content-disposition': 'attachment; filename="r.csv"',
      'http.header.content-language': 'de',
      'http.header.referer': 'https://example.com/',
      'http.header.last-modified': 'Tue, 24 Nov 2026 04:00:00 GMT',
    })
  })

  test('never takes what proves identity, nor what says nothing of the object', () => {
    const headers = {
      authorization: 'Bearer key:secret',
      'proxy-authorization': 'Basic a2V5',
      cookie: 'session=1',
      'x-amz-security-token': 'token',
      'x-api-key': 'key',
      host: 'localhost',
      'content-length': '5',
      'user-agent': '',
    }
    expect(attributes(headers)).toEqual({ 'http.method': 'PUT' })
  })

  test('cuts a value at 1,024 bytes and between characters', () => {
    const value = attributes({ 'user-agent': `x${'ü'.repeat(2000)}` }) as { readonly [name: string]: string }
    expect(value['http.header.user-agent']).toBe(`x${'ü'.repeat(511)}`)
  })
})

describeConformance('http filter', {
  stages: [http],
  envelope: envelopeOf(facts({ 'user-agent': 'curl', 'content-type': 'text/plain' })),
  small: new Uint8Array(100),
  large: new Uint8Array(10_000),
})
