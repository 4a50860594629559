import { EventEmitter, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { HeldPages } from '../../protocols/http/held-pages.ts'
import type { HttpLimits } from '../../protocols/http/options.ts'
import type { TailOptions } from '../../streams/index.ts'
import { call } from '../support/http-client.ts'
import { openDoor, rootAuthorization } from '../support/http-door.ts'
import { openHarness, refusal, turn } from '../support/store-harness.ts'

const limits = { heldBytesMax: 100, pageBytesMax: 40, roomMsMax: 60_000, stalledMsMax: 60_000 }

/** An answer whose client takes nothing until it is asked to. */
function answerOf(held: HeldPages) {
  const ending = new AbortController()
  const response = new EventEmitter() as ServerResponse
  const destroyed = { value: false }
  Object.defineProperty(response, 'destroyed', { get: () => destroyed.value })
  response.destroy = () => {
    destroyed.value = true
    response.emit('close')
    return response
  }
  const page = held.open(response, ending.signal)
  return { page, response, ending, destroyed }
}

async function sending(held: HeldPages, bytes: number) {
  const answer = answerOf(held)
  await answer.page.take()
  const pieces = answer.page.pieces(Buffer.alloc(bytes))
  await pieces.next()
  return { ...answer, pieces }
}

/** Whether it has resolved by now. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false
  void promise.then(() => {
    done = true
  })
  for (let turns = 0; turns < 10; turns++) await turn()
  return done
}

describe('what answers hold', () => {
  test('is as much as a page may have until it is made, then what it has, then what is not taken', async () => {
    const held = new HeldPages({ ...limits, heldBytesMax: 1 << 20, pageBytesMax: 1 << 19 })
    const { page } = answerOf(held)
    await page.take()
    await page.take()
    expect(held.bytes).toBe(1 << 19)
    const pieces = page.pieces(Buffer.alloc(100_000))
    await pieces.next()
    expect(held.bytes).toBe(100_000)
    await pieces.next()
    expect(held.bytes).toBe(100_000 - 65_536)
    await pieces.next()
    expect(held.bytes).toBe(0)
  })

  test('is bounded: who finds no room waits, in the order in which they came', async () => {
    const held = new HeldPages(limits)
    const [first, second] = [await sending(held, 40), await sending(held, 40)]
    const [third, fourth] = [answerOf(held), answerOf(held)]
    const taken = [third.page.take(), fourth.page.take()] as const
    expect([await isDone(taken[0]), held.bytes]).toEqual([false, 80])
    first.response.destroy()
    expect([await isDone(taken[0]), await isDone(taken[1]), held.bytes]).toEqual([true, false, 80])
    await second.pieces.next()
    expect([await isDone(taken[1]), held.bytes]).toEqual([true, 80])
    third.page.leave()
    fourth.page.leave()
    expect(held.bytes).toBe(0)
  })

  test('roomMsMax: who has waited in vain is refused, unless an answer has begun', async () => {
    const held = new HeldPages({ ...limits, roomMsMax: 1, heldBytesMax: 80 })
    const [first, second] = [await sending(held, 40), await sending(held, 40)]
    await expect(answerOf(held).page.take()).rejects.toMatchObject(refusal('ERR_BUSY'))
    await first.pieces.next()
    await answerOf(held).page.take()
    const again = first.page.take()
    await expect(answerOf(held).page.take()).rejects.toMatchObject(refusal('ERR_BUSY'))
    expect(await isDone(again)).toBe(false)
    second.response.destroy()
    await again
    expect(held.bytes).toBe(80)
  })

  test('is nothing of one that is gone, whether it waits or not', async () => {
    const held = new HeldPages({ ...limits, heldBytesMax: 40 })
    const first = await sending(held, 40)
    const [gone, next] = [answerOf(held), answerOf(held)]
    const taken = [gone.page.take(), next.page.take()] as const
    gone.ending.abort()
    await taken[0]
    expect([gone.page.bytes, held.bytes]).toEqual([0, 40])
    const late = answerOf(held)
    late.ending.abort()
    await late.page.take()
    first.response.destroy()
    await taken[1]
    expect([late.page.bytes, next.page.bytes, held.bytes]).toEqual([0, 40, 40])
  })

  test('stalledMsMax: the one that stalls the longest is cut off, and only while others wait', async () => {
    const held = new HeldPages({ ...limits, stalledMsMax: 1, heldBytesMax: 80 })
    const [first, second] = [await sending(held, 40), await sending(held, 40)]
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect([first.destroyed.value, second.destroyed.value]).toEqual([false, false])
    await answerOf(held).page.take()
    expect([first.destroyed.value, second.destroyed.value]).toEqual([true, false])
  })

  test('has room for one page at the least', () => {
    expect(() => new HeldPages({ ...limits, pageBytesMax: 101 })).toThrow('there is room for a page')
  })
})

const PAGE_BYTES = 24 << 20

/** A door over a store whose every page is so large that the kernel does not take it for a client that does not read. */
async function open(more: Partial<HttpLimits>) {
  const { store } = await openHarness()
  const tail = store.tail.bind(store)
  const asked = { times: 0 }
  store.tail = async function* (origin, options: TailOptions) {
    if (options.room) asked.times += 1
    for await (const page of tail(origin, options)) {
      const [record] = page.records
      if (record === undefined) yield page
      else yield { ...page, records: [{ ...record, request: 'x'.repeat(PAGE_BYTES) }] }
    }
  }
  const held = { heldBytesMax: 2 * PAGE_BYTES, pageBytesMax: PAGE_BYTES }
  const door = await openDoor({ store, limits: { ...held, ...more } })
  onTestFinished(() => door.frontend.close())
  return { ...door, asked }
}

/** A client that has read the beginning of an answer and reads no further, until it is resumed. */
async function slow(port: number, path: string): Promise<{ readonly socket: Socket; readonly begun: number }> {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${rootAuthorization}\r\nConnection: close\r\n\r\n`)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  socket.pause()
  expect(chunk.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /)
  return { socket, begun: chunk.length }
}

async function bytesOf({ socket, begun }: Awaited<ReturnType<typeof slow>>): Promise<number> {
  let bytes = begun
  socket.on('data', (chunk) => {
    bytes += chunk.length
  })
  socket.resume()
  await once(socket, 'close')
  return bytes
}

const READS = ['?offset=-1', '?offset=-1&live=sse'].map((query) => `/v1/streams/records${query}`)

test('who waits for what is to come holds nothing', async () => {
  const { port } = await open({ heldBytesMax: PAGE_BYTES, roomMsMax: 1000, longPollMsMax: 2000 })
  for (let count = 0; count < 3; count++) await slow(port, '/v1/streams/records?offset=now&live=sse')
  const waiting = call(port, 'GET', '/v1/streams/records?offset=now&live=long-poll')
  expect((await call(port, 'GET', READS[0]!)).status).toBe(200)
  expect((await waiting).status).toBe(204)
})

describe.each(READS)('with clients that do not read, of %s', (path) => {
  test('the next one is refused, to come again', async () => {
    const { port } = await open({ roomMsMax: 50 })
    await slow(port, path)
    await slow(port, path)
    const { status, headers } = await call(port, 'GET', READS[0]!)
    expect([status, headers['retry-after']]).toEqual([503, '1'])
  })

  test('that wait for room, no more are answered at once than there is room for', async () => {
    const { port, asked } = await open({ heldBytesMax: PAGE_BYTES, roomMsMax: 500 })
    const { socket } = await slow(port, path)
    const waiting = Promise.allSettled(Array.from({ length: 3 }, () => slow(port, path)))
    while (asked.times < 4) await turn()
    socket.destroy()
    expect((await waiting).filter(({ status }) => status === 'fulfilled').length).toBe(1)
  })

  test('the first of them is cut off when another one waits, and the second has everything', async () => {
    const { port } = await open({ stalledMsMax: 50, eventsMsMax: 1000 })
    const first = await slow(port, path)
    const second = await slow(port, path)
    const { status, body } = await call(port, 'GET', READS[0]!)
    expect([status, body.length > PAGE_BYTES]).toEqual([200, true])
    expect(await bytesOf(first)).toBeLessThan(PAGE_BYTES)
    expect(await bytesOf(second)).toBeGreaterThanOrEqual(PAGE_BYTES)
  })
})
