import { describe, expect, test } from 'vitest'
import { StoreError, type VerifyEvent } from '../../streams/index.ts'
import { FakeCustody } from '../support/fake-custody.ts'
import { call } from '../support/http-client.ts'
import { openDoor, readerAuthorization } from '../support/http-door.ts'

const progress: VerifyEvent = { type: 'progress', records: 1, recordsTotal: 2, bytes: 3 }
const finding: VerifyEvent = { type: 'finding', code: 'BYTES_DIGEST', detail: 'other bytes', sequence: 4 }
const trusted = 'ab'.repeat(32)

async function open(events: FakeCustody['events'] = []) {
  const custody = new FakeCustody()
  custody.events = events
  return { custody, door: await openDoor({ custody }) }
}

describe('GET /v1/keys', () => {
  test('is for everybody: whoever checks evidence has no credentials here', async () => {
    await using door = (await open()).door
    const { status, body } = await call(door.port, 'GET', '/v1/keys', { as: null })
    expect(status).toBe(200)
    expect(JSON.parse(body.toString()).keys).toMatchObject([{ algorithm: 'ed25519', state: 'active' }])
  })
})

describe('POST /v1/keys', () => {
  test('rotates, for who may', async () => {
    const { custody, door } = await open()
    await using _ = door
    expect((await call(door.port, 'POST', '/v1/keys', { as: readerAuthorization })).status).toBe(403)
    expect((await call(door.port, 'POST', '/v1/keys', { as: null })).status).toBe(401)
    expect(custody.asked).toEqual([])
    expect((await call(door.port, 'POST', '/v1/keys')).status).toBe(201)
    expect(custody.asked).toEqual(['rotate'])
  })
})

describe('GET /v1/verify', () => {
  test('tells what is found line by line', async () => {
    const { custody, door } = await open([progress, finding])
    await using _ = door
    const target = `/v1/verify?bucket=inbox&key=a%2Fb&trust=${trusted}`
    const { status, headers, body } = await call(door.port, 'GET', target, { as: readerAuthorization })
    expect([status, headers['content-type']]).toEqual([200, 'application/x-ndjson'])
    const lines = body.toString().trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual([progress, finding])
    expect(custody.asked).toEqual([{ bucket: 'inbox', key: 'a/b', trust: [trusted] }])
  })

  test.each([
    ['a key without a bucket', '?key=a'],
    ['what is no id of a key', '?trust=abc'],
    ['more ids than are taken', `?trust=${Array(33).fill(trusted).join(',')}`],
    ['what it does not know', '?object=a'],
  ])('refuses %s', async (_what, query) => {
    const { custody, door } = await open()
    await using _ = door
    expect((await call(door.port, 'GET', `/v1/verify${query}`)).status).toBe(400)
    expect(custody.asked).toEqual([])
  })

  test('refuses what fails at once, and breaks off what fails later: no summary, no sound end', async () => {
    const busy = await open([new StoreError('ERR_BUSY', 'another verification runs')])
    await using _ = busy.door
    expect((await call(busy.door.port, 'GET', '/v1/verify')).status).toBe(503)
    const broken = await open([progress, new StoreError('ERR_HALTED', 'the pool is closed')])
    await using _broken = broken.door
    await expect(call(broken.door.port, 'GET', '/v1/verify')).rejects.toThrow()
    expect(broken.door.errors).toHaveLength(1)
  })
})

describe('GET /v1/evidence', () => {
  test('sends the bundle of an object whose key is opaque', async () => {
    const { custody, door } = await open()
    await using _ = door
    const { status, headers, body } = await call(door.port, 'GET', '/v1/evidence/inbox/a%2F..%2Fb')
    expect([status, headers['content-type']]).toEqual([200, 'application/x-tar'])
    expect(body.toString()).toBe('evidence of inbox/a/../b')
    expect(custody.asked).toEqual([{ bucket: 'inbox', key: 'a/../b', versions: [] }])
    expect((await call(door.port, 'GET', '/v1/evidence/inbox/missing')).status).toBe(404)
  })

  test('takes versions by their ids, or all of them', async () => {
    const { custody, door } = await open()
    await using _ = door
    const [one, other] = ['0000000000000004', '0000000000000007']
    const ask = async (versions: string) =>
      (await call(door.port, 'GET', `/v1/evidence/inbox/a?versions=${versions}`)).status
    expect([await ask(`${one},${other}`), await ask('all')]).toEqual([200, 200])
    expect(custody.asked.map((asked) => (asked as { versions: unknown }).versions)).toEqual([[one, other], 'all'])
    for (const versions of ['4', '', 'some', `${one},`, Array(257).fill(one).join(',')])
      expect(await ask(versions), versions).toBe(400)
  })
})
