import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { call, RawClient } from '../support/http-client.ts'
import { type Door, openDoor } from '../support/http-door.ts'

const path = '/v1/objects/inbox/object'
const put = `PUT ${path}`
/** Beyond what any test takes. */
const never = 1e6

describe('drain', () => {
  test('lets uploads in flight end, and no other begin', async () => {
    await using door = await openDoor({ limits: { drainMsMax: never } })
    using idle = await RawClient.connect(door.port)
    idle.request('GET /healthz')
    await idle.answer()
    using committing = await RawClient.connect(door.port)
    const release = door.store.hold('commit')
    committing.request(put, ['Content-Length: 4'], 'full')
    await once(door.store.events, 'commit')
    using sending = await RawClient.connect(door.port)
    sending.request(put, ['Content-Length: 4'], 'ha')
    await once(door.store.events, 'write')

    let drained = false
    const drain = door.frontend.drain().then(() => {
      drained = true
    })
    await idle.rest()
    await expect(call(door.port, 'GET', '/healthz')).rejects.toThrow('ECONNREFUSED')
    expect(drained).toBe(false)
    sending.send('lf')
    release()
    for (const client of [committing, sending]) {
      const answer = await client.answer()
      expect([answer.status, answer.headers.connection]).toEqual([201, 'close'])
      await client.rest()
    }
    await drain
    expect(door.store.aborted).toEqual([])
  })

  test('cuts off what does not end in time', async () => {
    await using door = await openDoor({ limits: { drainMsMax: 20 } })
    using client = await RawClient.connect(door.port)
    const aborted = once(door.store.events, 'abort')
    client.request(put, ['Content-Length: 100'], 'half')
    await once(door.store.events, 'write')
    await door.frontend.drain()
    await aborted
    expect(door.store.size).toBe(0)
  })

  test('of a door that nobody came through, or that never opened', async () => {
    const door = await openDoor()
    await door.frontend.drain()
    await door.frontend.close()
    await door.frontend.close()
  })
})

test('close ends every connection, and nothing half stays', async () => {
  const door = await openDoor()
  using idle = await RawClient.connect(door.port)
  using client = await RawClient.connect(door.port)
  client.request(put, ['Content-Length: 100'], 'half')
  await once(door.store.events, 'write')
  const aborted = once(door.store.events, 'abort')
  await door.frontend.close()
  await aborted
  await Promise.all([client.rest(), idle.rest()])
  expect(door.store.size).toBe(0)
})

test('a port that is taken is told', async () => {
  await using door = await openDoor()
  await expect(openDoor({ port: door.port })).rejects.toThrow('EADDRINUSE')
})

describe('pipelined requests', () => {
  const line = `GET ${path}`

  test('whose client goes leave nothing behind', async () => {
    await using door = await openDoor({ limits: { drainMsMax: never } })
    const client = await RawClient.connect(door.port)
    const release = door.store.hold('read')
    const reads = vi.spyOn(door.store, 'read')
    for (let requests = 0; requests < 3; requests++) client.request(line)
    await once(door.store.events, 'read')
    client.socket.resetAndDestroy()
    await client.closed
    release()
    await door.frontend.drain()
    expect(reads).toHaveBeenCalledTimes(1)
  })

  test('wait for the answer before theirs', async () => {
    await using door = await openDoor()
    using client = await RawClient.connect(door.port)
    const release = door.store.hold('read')
    const reads = vi.spyOn(door.store, 'read')
    for (let requests = 0; requests < 3; requests++) client.request(line)
    await once(door.store.events, 'read')
    expect(reads).toHaveBeenCalledTimes(1)
    release()
    for (let requests = 0; requests < 3; requests++) expect((await client.answer()).status).toBe(404)
    expect(reads).toHaveBeenCalledTimes(3)
  })

  test.each([
    ['is told', '4\r\nhalf', 'write', 'HTTP/1.1 400'],
    ['ends the connection while a whole request waits for its answer', '4\r\nfull\r\n0\r\n\r\n', 'commit', ''],
  ])('what is no HTTP %s', async (_, body, moment, expected) => {
    await using door = await openDoor()
    using client = await RawClient.connect(door.port)
    const release = door.store.hold('commit')
    client.request(put, ['Transfer-Encoding: chunked'], body)
    await once(door.store.events, moment)
    client.send('nonsense\r\n\r\n')
    expect(String(await client.rest()).slice(0, 12)).toBe(expected)
    release()
  })

  test('beyond their bound end the connection', async () => {
    await using door = await openDoor({ limits: { pipelinedMax: 2 } })
    using client = await RawClient.connect(door.port)
    const release = door.store.hold('read')
    for (let requests = 0; requests < 4; requests++) client.request(line)
    expect(String(await client.rest())).toBe('')
    release()
  })
})

describe('bounds', () => {
  test('a body that stops coming is given up, with 408', async () => {
    await using door = await openDoor({ limits: { bodyIdleMsMax: 30 } })
    for (const [header, body] of [
      ['Content-Length: 100', 'half'],
      ['Content-Length: 100', ''],
      ['Transfer-Encoding: chunked', '4\r\nhalf\r\n'],
    ] as const) {
      using client = await RawClient.connect(door.port)
      const aborted = once(door.store.events, 'abort')
      client.request(put, [header], body)
      expect((await client.answer()).status).toBe(408)
      await aborted
    }
    expect(door.store.size).toBe(0)
  })

  test('a JSON body that stops coming is given up, with 408', async () => {
    await using door = await openDoor({ limits: { bodyIdleMsMax: 30 } })
    using client = await RawClient.connect(door.port)
    client.request('POST /v1/rename', ['Content-Type: application/json', 'Content-Length: 100'], '{')
    expect((await client.answer()).status).toBe(408)
  })

  test('a store that takes long is waited for', async () => {
    await using door = await openDoor({ limits: { bodyIdleMsMax: 30 } })
    using patient = await RawClient.connect(door.port)
    const release = door.store.hold('commit')
    patient.request(put, ['Content-Length: 4'], 'full')
    await once(door.store.events, 'commit')
    // Another connection begins later and is given up: so much time has gone by, twice.
    for (let round = 0; round < 2; round++) await giveUp(door)
    release()
    expect((await patient.answer()).status).toBe(201)
  })

  test('a body that the store is slow to take is not given up', async () => {
    await using door = await openDoor({ limits: { bodyIdleMsMax: 30 } })
    using patient = await RawClient.connect(door.port)
    const release = door.store.hold('write')
    patient.request(put, ['Content-Length: 4'], 'fu')
    await once(door.store.events, 'write')
    for (let round = 0; round < 2; round++) await giveUp(door)
    patient.send('ll')
    release()
    expect((await patient.answer()).status).toBe(201)
  })

  test('a client that does not read is cut off', async () => {
    // Long enough for the upload of a busy machine, which must not be cut off itself.
    await using door = await openDoor({ limits: { bodyIdleMsMax: 1000, drainMsMax: never } })
    const stored = await call(door.port, 'PUT', path, { body: Buffer.alloc(32 * 1024 * 1024) })
    expect(stored.status).toBe(201)
    using client = await RawClient.connect(door.port)
    client.socket.pause()
    client.request(`GET ${path}`)
    await once(door.store.events, 'chunk')
    await door.frontend.drain()
  })

  test('a connection is kept for so long between requests', async () => {
    await using door = await openDoor({ limits: { keepAliveMsMax: 30 } })
    using client = await RawClient.connect(door.port)
    client.request('GET /healthz')
    expect((await client.answer()).headers.connection).toBe('keep-alive')
    expect(await client.rest()).toHaveLength(0)
  })

  test('a connection that says nothing is closed', async () => {
    await using door = await openDoor({ limits: { bodyIdleMsMax: 30 } })
    using client = await RawClient.connect(door.port)
    expect(await client.rest()).toHaveLength(0)
  })

  test('headers that stop coming are given up, with 408', async () => {
    await using door = await openDoor({ limits: { headersMsMax: 30 } })
    using client = await RawClient.connect(door.port)
    client.send(`${put} HTTP/1.1\r\nHost: `)
    expect((await client.answer()).status).toBe(408)
  })

  test('headers that are too long are refused, with 431', async () => {
    await using door = await openDoor({ limits: { headerBytesMax: 1000 } })
    using client = await RawClient.connect(door.port)
    client.request(put, [`X-Long: ${'x'.repeat(1000)}`])
    expect((await client.answer()).status).toBe(431)
  })

  test('no header is dropped, however many there are', async () => {
    await using door = await openDoor({ limits: { headerBytesMax: 64 * 1024 } })
    const names = Array.from({ length: 2500 }, (_, index) => `x${index}`)
    using client = await RawClient.connect(door.port)
    client.request(put, ['Content-Length: 0', ...names.map((name) => `x-cenote-user-${name}: 1`)])
    expect((await client.answer()).status).toBe(201)
    expect(Object.keys(door.store.begun[0]!.attributes)).toHaveLength(names.length)
  })

  test('connections beyond the last are closed', async () => {
    await using door = await openDoor({ limits: { connectionsMax: 2 } })
    using one = await RawClient.connect(door.port)
    using other = await RawClient.connect(door.port)
    for (const client of [one, other]) {
      client.request('GET /healthz')
      await client.answer()
    }
    using third = await RawClient.connect(door.port)
    await third.rest()
    one.request('GET /healthz')
    expect((await one.answer()).status).toBe(200)
  })
})

/** Resolves after the idle time-out of `door`, seen from a connection that runs into it. */
async function giveUp(door: Door): Promise<void> {
  using client = await RawClient.connect(door.port)
  client.request('POST /v1/rename', ['Content-Type: application/json', 'Content-Length: 100'], '{')
  expect((await client.answer()).status).toBe(408)
}
