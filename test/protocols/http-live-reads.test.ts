import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { LiveReads } from '../../protocols/http/live-reads.ts'

function responseOf(destroyed: boolean): ServerResponse {
  return Object.assign(new EventEmitter(), { destroyed }) as unknown as ServerResponse
}

test('a read is over with its connection', () => {
  const live = new LiveReads()
  const response = responseOf(false)
  const signal = live.begin(response, 60_000)
  expect([live.size, signal.aborted]).toEqual([1, false])
  response.emit('close')
  expect([live.size, signal.aborted]).toEqual([0, true])
})

test('one whose client went away before it began is over, and nothing is kept of it', () => {
  const live = new LiveReads()
  const signal = live.begin(responseOf(true), 60_000)
  expect([live.size, signal.aborted]).toEqual([0, true])
})
