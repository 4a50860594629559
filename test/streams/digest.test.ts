import { createHash, randomBytes } from 'node:crypto'
import { crc32c as crc32cReference } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestStage } from '../../streams/digest.ts'
import { digest } from '../../streams/index.ts'
import { wasmHashes } from '../../streams/wasm-hash.ts'
import { agreesWithNode, type HashAlgorithm, type HashFunction, opensslHashes } from '../../system/index.ts'
import { describeConformance, envelopeOf } from '../support/stage-conformance.ts'

const algorithms: readonly HashAlgorithm[] = ['sha256', 'md5']
const openssl = opensslHashes()!
const wasm = await wasmHashes()
const facts = { type: 'http', method: 'PUT', headers: {} } as const
const plain = envelopeOf(facts)
const withMd5 = envelopeOf(facts, { md5: '0'.repeat(32) })
const hash = (algorithm: HashAlgorithm, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest('hex')

describe('the functions of OpenSSL', () => {
  test('are there, and agree with node:crypto', () => {
    expect(openssl).toBeDefined()
    for (const algorithm of algorithms) expect(agreesWithNode(openssl[algorithm], algorithm)).toBe(true)
  })

  test('are refused when one answer is wrong', () => {
    expect(agreesWithNode(openssl.sha256, 'md5')).toBe(false)
    const forgetful: HashFunction = {
      start: () => openssl.md5.start(),
      update: (context, bytes) => openssl.md5.update(context, bytes),
      freeze: (context) => openssl.md5.freeze(context),
      thaw: (state) => openssl.md5.thaw({ ...state, length: state.length % 64 }),
      finish: (context) => openssl.md5.finish(context),
    }
    expect(agreesWithNode(forgetful, 'md5')).toBe(false)
  })

  test('do not take a state that would not fit into memory', () => {
    for (const hashes of [openssl, wasm]) {
      const state = hashes.sha256.freeze(hashes.sha256.start())
      expect(() => hashes.sha256.thaw({ ...state, tail: '00'.repeat(64) })).toThrow('tail')
      expect(() => hashes.sha256.thaw({ ...state, length: 64, tail: '00' })).toThrow('tail')
      expect(() => hashes.sha256.thaw({ ...state, words: `${state.words}00` })).toThrow('words')
      expect(() => hashes.sha256.thaw({ ...state, length: -64 })).toThrow('length')
      expect(() => hashes.sha256.thaw(hashes.md5.freeze(hashes.md5.start()))).toThrow()
    }
  })
})

describe.each(algorithms)('%s', (algorithm) => {
  const functions = { openssl: openssl[algorithm], wasm: wasm[algorithm] }
  const cuts = [...Array(201).keys(), 4095, 4096, 4097, 65_535, 65_536, 99_999, 100_000]
  const input = randomBytes(100_000)

  test.each([
    ['openssl', 'openssl'],
    ['openssl', 'wasm'],
    ['wasm', 'openssl'],
    ['wasm', 'wasm'],
  ] as const)('frozen in %s, thawed in %s', (source, target) => {
    const expected = hash(algorithm, input)
    for (const cut of cuts) {
      const before = functions[source].start()
      functions[source].update(before, input.subarray(0, cut))
      const state = JSON.parse(JSON.stringify(functions[source].freeze(before)))
      expect(state).toMatchObject({ algorithm, length: cut })
      const after = functions[target].thaw(state)
      functions[target].update(after, input.subarray(cut))
      expect(functions[target].finish(after), `cut at ${cut}`).toBe(expected)
    }
  })

  test('both freeze one input to one state', () => {
    for (const cut of cuts) {
      const [one, other] = [functions.openssl, functions.wasm].map((each) => {
        const context = each.start()
        each.update(context, input.subarray(0, cut))
        return each.freeze(context)
      })
      expect(one).toEqual(other)
    }
  })

  // No test hashes so many bytes: the length is set, and both must end alike, as the padding holds it.
  test.each([2 ** 29 - 64, 2 ** 29, 2 ** 32, 2 ** 32 + 64, 2 ** 40, 2 ** 52])('counts on from %d bytes', (length) => {
    const state = { ...functions.wasm.freeze(functions.wasm.start()), length }
    const [one, other] = [functions.openssl, functions.wasm].map((each) => {
      const context = each.thaw(state)
      expect(each.freeze(context)).toEqual(state)
      each.update(context, input.subarray(0, 1000))
      expect(each.freeze(context).length).toBe(length + 1000)
      return each.finish(context)
    })
    expect(one).toBe(other)
  })

  test('keeps contexts apart that are used in turn', () => {
    for (const each of Object.values(functions)) {
      const contexts = [each.start(), each.start(), each.start()]
      for (let round = 0; round < 10; round++)
        for (const [index, context] of contexts.entries())
          each.update(context, input.subarray(1000 * round, 1000 * round + 100 * index))
      const expected = contexts.map((_, index) => {
        const parts = [...Array(10).keys()].map((round) => input.subarray(1000 * round, 1000 * round + 100 * index))
        return hash(algorithm, Buffer.concat(parts))
      })
      expect(contexts.map((context) => each.finish(context))).toEqual(expected)
    }
  })

  test('reads the bytes of a view and no others, wherever it lies', () => {
    const offsets = fc.tuple(fc.nat(300), fc.nat(300))
    fc.assert(
      fc.property(offsets, ([offset, length]) => {
        const bytes = input.subarray(offset, offset + length)
        const shared = new Uint8Array(new SharedArrayBuffer(600), offset, length)
        shared.set(bytes)
        const small = Uint8Array.from(bytes) /* up to 64 bytes lie in the heap of V8 until a pointer is asked for */
        for (const each of Object.values(functions))
          for (const view of [bytes, new Uint8Array(input.buffer, bytes.byteOffset, length), shared, small]) {
            const context = each.start()
            each.update(context, view)
            expect(each.finish(context)).toBe(hash(algorithm, bytes))
          }
      }),
    )
  })
})

describe('digest', () => {
  test('gives what the algorithms define', async () => {
    const state = digest.step(digest.start(withMd5), Buffer.from('123456789'))
    expect(await digest.finish(state)).toEqual({
      'checksum.sha256': '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
      'checksum.crc32c': 'e3069283',
      'checksum.md5': '25f9e794323b453885f5181f1b624d0b',
    })
  })

  test('of no bytes', async () => {
    expect(await digest.finish(digest.start(plain))).toEqual({
      'checksum.sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'checksum.crc32c': '00000000',
    })
  })

  test('has MD5 only when it was declared', async () => {
    expect(await digest.finish(digest.start(plain))).not.toHaveProperty(['checksum.md5'])
  })

  test('agrees with the references on any bytes in any chunks', async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(chunks, async (parts) => {
        const whole = Buffer.concat(parts)
        const state = parts.reduce((before, part) => digest.step(before, part), digest.start(withMd5))
        expect(await digest.finish(state)).toEqual({
          'checksum.sha256': hash('sha256', whole),
          'checksum.crc32c': crc32cReference(whole).toString(16).padStart(8, '0'),
          'checksum.md5': hash('md5', whole),
        })
      }),
    )
  })
})

const inputs = { small: randomBytes(300), large: randomBytes(100_000) }
describeConformance('digest', { stages: [digest], envelope: plain, ...inputs })
describeConformance('digest with MD5', { stages: [digest], envelope: withMd5, ...inputs })
describeConformance('digest in WebAssembly', { stages: [digestStage(wasm)], envelope: withMd5, ...inputs })
