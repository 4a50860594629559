import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { fileTypeFromBuffer } from 'file-type/core'
import { describe, expect, test } from 'vitest'
import { mayHaveSignature } from '../../filters/signatures.ts'

interface Signature {
  readonly offset: number
  readonly bytes: Buffer
}

/** What file-type's own source looks for: `this.check([0x42, 0x4D])`, `this.checkString('ftyp', {offset: 4})`. */
function knownSignatures(): Signature[] {
  const source = readFileSync(createRequire(import.meta.url).resolve('file-type/core'), 'utf8')
  const calls = source.matchAll(
    /this\.check(?:String)?\((?:\[([^\]]*)\]|'((?:[^'\\]|\\.)*)')(?:, \{(?:offset: (\d+))?[^}]*\})?\)/g,
  )
  return Array.from(calls, ([, numbers, text, offset]) => ({
    offset: Number(offset ?? 0),
    bytes: numbers === undefined ? fromLiteral(text!) : Buffer.from(numbers.split(',').map(Number)),
  }))
}

function fromLiteral(text: string): Buffer {
  const escapes: { readonly [sequence: string]: string } = {
    '\\0': '\0',
    '\\r': '\r',
    '\\n': '\n',
    '\\t': '\t',
    '\\\\': '\\',
  }
  return Buffer.from(
    text.replace(/\\u([0-9a-f]{4})|\\./gi, (found, code) =>
      code ? String.fromCharCode(Number.parseInt(code, 16)) : escapes[found]!,
    ),
    'latin1',
  )
}

const signatures = knownSignatures()

function planted(background: Buffer, planting: readonly Signature[]): Buffer {
  const sample = Buffer.from(background)
  for (const { offset, bytes } of planting) bytes.copy(sample, offset)
  return sample
}

/** Holds when file-type is asked, or would have found nothing. */
async function holds(sample: Buffer): Promise<boolean> {
  return mayHaveSignature(sample) || (await fileTypeFromBuffer(sample).catch(() => undefined)) === undefined
}

describe('mayHaveSignature', () => {
  test('the source of file-type is still written so that its signatures can be read from it', () => {
    expect(signatures.length).toBeGreaterThan(180)
    expect(signatures).toContainEqual({ offset: 4, bytes: Buffer.from('ftyp') })
    expect(signatures).toContainEqual({ offset: 0, bytes: Buffer.from('{\\rtf') })
  })

  test('asks for every signature of file-type, on any background', async () => {
    let found = 0
    for (const signature of signatures)
      for (const fill of [0x00, 0x01, 0x43, 0x46, 0x47, 0xaa, 0xff]) {
        const sample = planted(Buffer.alloc(600, fill), [signature])
        expect(await holds(sample), `${signature.bytes.toString('hex')} at ${signature.offset} on ${fill}`).toBe(true)
        if ((await fileTypeFromBuffer(sample).catch(() => undefined)) !== undefined) found++
      }
    expect(found, 'samples that file-type knows').toBeGreaterThan(500)
  })

  test('asks for every frame of MPEG audio, which is told by single bits', async () => {
    for (let second = 0; second < 256; second++) {
      const sample = Buffer.alloc(600, 0x01)
      sample.writeUInt16BE(0xff00 | second, 0)
      expect(await holds(sample), `ff ${second.toString(16)}`).toBe(true)
    }
  })

  test('asks for any combination of them', async () => {
    const planting = fc.array(fc.constantFrom(...signatures), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 600, maxLength: 600 }), planting, (bytes, several) =>
        holds(planted(Buffer.from(bytes), several)),
      ),
      { numRuns: 1000 },
    )
  })

  test('asks for next to no random bytes, which is what it is for', () => {
    let asked = 0
    for (let seed = 0; seed < 10_000; seed++) {
      const sample = Buffer.alloc(300, 0x91)
      sample.writeUInt32BE(Math.imul(seed + 1, 0x9e3779b1) >>> 0, 0)
      if (mayHaveSignature(sample)) asked++
    }
    expect(asked).toBeGreaterThan(0)
    expect(asked).toBeLessThan(500)
  })

  test('finds nothing in one byte', () => {
    expect(mayHaveSignature(Buffer.alloc(0))).toBe(false)
    expect(mayHaveSignature(Buffer.of(0x42))).toBe(false)
  })
})
