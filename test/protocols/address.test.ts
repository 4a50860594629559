import { expect, test } from 'vitest'
import { hostPort, isLoopback } from '../../protocols/address.ts'

test.each([
  ['127.0.0.1', true],
  ['127.255.0.3', true],
  ['::1', true],
  ['localhost', true],
  ['128.0.0.1', false],
  ['0.0.0.0', false],
  ['::', false],
  ['::2', false],
  ['192.0.2.1', false],
  ['127.example.com', false],
  ['', false],
])('%j is loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected)
})

test('an IPv6 address stands in brackets before a port', () => {
  expect(hostPort('::1', 80)).toBe('[::1]:80')
  expect(hostPort('127.0.0.1', 80)).toBe('127.0.0.1:80')
})
