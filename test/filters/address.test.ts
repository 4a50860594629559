import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bareAddress, parseAddressList } from '../../filters/address.ts'

describe('parseAddressList', () => {
  test.each<[text: string, mailboxes: readonly (readonly [name: string, address: string])[]]>([
    ['', []],
    [' , ; ,', []],
    ['ann@example.com', [['', 'ann@example.com']]],
    ['Ann@EXAMPLE.Com', [['', 'Ann@example.com']]],
    ['<ann@example.com>', [['', 'ann@example.com']]],
    ['Ann Example <ann@example.com>', [['Ann Example', 'ann@example.com']]],
    [
      '"Example, Ann" <ann@example.com>, bob@example.org',
      [
        ['Example, Ann', 'ann@example.com'],
        ['', 'bob@example.org'],
      ],
    ],
    ['"Ann \\"A\\" \\\\ <x@y>" <ann@example.com>', [['Ann "A" \\ <x@y>', 'ann@example.com']]],
    ['Ann "the One" Example <ann@example.com>', [['Ann the One Example', 'ann@example.com']]],
    ['ann@example.com (Ann Example)', [['Ann Example', 'ann@example.com']]],
    ['ann@example.com (Ann (née (B)) \\) Example)', [['Ann (née (B)) ) Example', 'ann@example.com']]],
    ['Ann (a comment, with <x@y>; marks) <ann@example.com>', [['Ann', 'ann@example.com']]],
    [
      'Team: ann@example.com, Bob <bob@example.com>;, eve@example.com',
      [
        ['', 'ann@example.com'],
        ['Bob', 'bob@example.com'],
        ['', 'eve@example.com'],
      ],
    ],
    ['undisclosed-recipients:;', []],
    ['undisclosed-recipients:', []],
    ['"john doe"@example.com', [['', '"john doe"@example.com']]],
    ['"a@b"@example.com', [['', '"a@b"@example.com']]],
    ['<@relay.example,@other:ann@example.com>', [['', 'ann@example.com']]],
    ['< ann@example.com >', [['', 'ann@example.com']]],
    ['Ann Example ann@example.com', [['Ann Example', 'ann@example.com']]],
    ['MAILER-DAEMON (Mail Delivery)', [['MAILER-DAEMON', '']]],
    ['Ann <ann>', [['Ann', '']]],
    ['Ann <>', [['Ann', '']]],
    ['<>', []],
    ['ann@[192.0.2.1]', [['', 'ann@[192.0.2.1]']]],
    ['用户@例子.广告', [['', '用户@例子.广告']]],
    ['=?utf-8?Q?Example,_Ann:_x?= <ann@example.com>', [['=?utf-8?Q?Example,_Ann:_x?=', 'ann@example.com']]],
    ['=?utf-8?B?QQ==?= =?utf-8?B?Qg==?= <ann@example.com>', [['=?utf-8?B?QQ==?= =?utf-8?B?Qg==?=', 'ann@example.com']]],
    ['a=b <ann@example.com>', [['a=b', 'ann@example.com']]],
    ['"Ann <ann@example.com>', [['Ann <ann@example.com>', '']]],
    ['Ann <ann@example.com', [['Ann', 'ann@example.com']]],
    ['(Ann ann@example.com', [['Ann ann@example.com', '']]],
    ['a@b@c', [['a@b@c', '']]],
  ])('%s', (text, mailboxes) => {
    expect(parseAddressList(text, 10)).toEqual(mailboxes.map(([name, address]) => ({ name, address })))
  })

  test('stops at the number asked for', () => {
    const text = 'a@x, b@x, , c@x'
    expect(parseAddressList(text, 2).map(({ address }) => address)).toEqual(['a@x', 'b@x'])
    expect(parseAddressList(text, 3).map(({ address }) => address)).toEqual(['a@x', 'b@x', 'c@x'])
  })

  test('never throws', () => {
    const pieces = fc.constantFrom(
      '"',
      '\\',
      '(',
      ')',
      '<',
      '>',
      ',',
      ';',
      ':',
      '@',
      '=?',
      '?=',
      '=?x?q?',
      ' ',
      'a',
      'ä',
      '\0',
      '\ud800',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (text) => {
        for (const { address } of parseAddressList(text.join(''), 5)) expect(bareAddress(address)).toBe(address)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('bareAddress', () => {
  test.each(['a\0b@example.com', '"a\tb"@example.com', 'a@exa\x7fmple.com', 'a@[1\x01]'])(
    'has no control character: %j',
    (text) => {
      expect(bareAddress(text)).toBe('')
    },
  )

  test('is at most 320 bytes long', () => {
    expect(bareAddress(`${'a'.repeat(64)}@${'b'.repeat(255)}`)).toHaveLength(320)
    expect(bareAddress(`${'a'.repeat(64)}@${'b'.repeat(256)}`)).toBe('')
    expect(bareAddress(`${'ä'.repeat(64)}@${'b'.repeat(192)}`)).toBe('')
  })
})
