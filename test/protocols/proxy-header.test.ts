import { expect, test } from 'vitest'
import { PROXY_HEADER_BYTES_MAX, parseProxyHeader } from '../../protocols/proxy-header.ts'
import { binaryHeader } from '../support/proxy-header.ts'

const line = (text: string) => Buffer.from(`${text}\r\n`)
const tcp4 = Buffer.from([192, 0, 2, 7, 192, 0, 2, 1, 0x13, 0x88, 0, 25])
const tcp6 = Buffer.concat([
  Buffer.from(`20010db8${'0'.repeat(23)}1${'0'.repeat(32)}`, 'hex'),
  Buffer.from([1, 0, 0, 25]),
])

test.each([
  ['IPv4', line('PROXY TCP4 192.0.2.7 192.0.2.1 5000 25'), { address: '192.0.2.7', port: 5000 }],
  ['IPv6', line('PROXY TCP6 2001:DB8:0::1 ::1 256 25'), { address: '2001:db8::1', port: 256 }],
  ['IPv4 in clothes of IPv6', line('PROXY TCP6 ::ffff:192.0.2.7 ::1 0 25'), { address: '192.0.2.7', port: 0 }],
  ['somebody unknown', line('PROXY UNKNOWN'), undefined],
  ['somebody unknown, and more', line('PROXY UNKNOWN ffff:f 1 2 3'), undefined],
  ['version 2, IPv4', binaryHeader(0x21, 0x11, tcp4), { address: '192.0.2.7', port: 5000 }],
  ['version 2, IPv6', binaryHeader(0x21, 0x21, tcp6), { address: '2001:db8::1', port: 256 }],
  [
    'version 2, and what else it tells',
    binaryHeader(0x21, 0x11, Buffer.concat([tcp4, Buffer.from([0x20, 0, 1, 7])])),
    { address: '192.0.2.7', port: 5000 },
  ],
  ['version 2, the proxy itself', binaryHeader(0x20, 0, Buffer.alloc(0)), undefined],
  ['version 2, another family', binaryHeader(0x21, 0x31, Buffer.alloc(216)), undefined],
])('%s', (_name, header, peer) => {
  const bytes = Buffer.concat([header, Buffer.from('EHLO x\r\n')])
  expect(parseProxyHeader(bytes)).toEqual({ length: header.length, peer })
  for (let length = 0; length < header.length; length++) {
    expect(parseProxyHeader(bytes.subarray(0, length)), `${length} bytes`).toBeUndefined()
  }
})

test.each([
  ['a command', Buffer.from('EHLO x\r\n')],
  ['a TLS handshake', Buffer.from([0x16, 3, 1])],
  ['a name for an address', line('PROXY TCP4 localhost 192.0.2.1 5000 25')],
  ['the wrong family', line('PROXY TCP6 192.0.2.7 192.0.2.1 5000 25')],
  ['another protocol', line('PROXY UDP4 192.0.2.7 192.0.2.1 5000 25')],
  ['a port too far', line('PROXY TCP4 192.0.2.7 192.0.2.1 65536 25')],
  ['no port', line('PROXY TCP4 192.0.2.7 192.0.2.1')],
  ['a line that does not end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`)],
  ['a long line', line(`PROXY UNKNOWN ${'x'.repeat(92)}`)],
  ['version 2, an unknown version', binaryHeader(0x31, 0x11, tcp4)],
  ['version 2, an unknown command', binaryHeader(0x22, 0x11, tcp4)],
  ['version 2, without its addresses', binaryHeader(0x21, 0x21, tcp4)],
  ['version 2, too long', binaryHeader(0x21, 0x11, Buffer.alloc(PROXY_HEADER_BYTES_MAX - 15))],
])('%s is no header', (_name, bytes) => {
  expect(() => parseProxyHeader(bytes)).toThrow(/PROXY header/)
})
