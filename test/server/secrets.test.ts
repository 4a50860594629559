import { createSecretKey, randomBytes } from 'node:crypto'
import { chmodSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createMasterKey, deriveKey, parseMasterKey, readMasterKey } from '../../server/master-key.ts'
import { generateKey, generateSecret, isGeneratedKey, SecretSeal } from '../../server/secrets.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const sealUnder = (master: Buffer) => new SecretSeal(createSecretKey(master), randomBytes)

describe('master key', () => {
  test('is created for its owner alone, and read again', async () => {
    const path = join(temporaryFolder(), 'master.key')
    expect(await readMasterKey(path)).toBeUndefined()
    const created = await createMasterKey(path, randomBytes)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect((await readMasterKey(path))?.equals(created)).toBe(true)
    await expect(createMasterKey(path, randomBytes)).rejects.toThrow('EEXIST')
  })

  test('is refused when others may read it', async () => {
    const path = join(temporaryFolder(), 'master.key')
    await createMasterKey(path, randomBytes)
    chmodSync(path, 0o640)
    await expect(readMasterKey(path)).rejects.toThrow(`chmod 600 ${path}`)
    expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
  })

  test('is 32 bytes in hexadecimal or base64, and its text is in no error', () => {
    const bytes = randomBytes(32)
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      expect(parseMasterKey(` ${bytes.toString(encoding)}\n`, 'KEY').export()).toEqual(bytes)
    }
    for (const text of [
      '',
      'short',
      bytes.toString('hex').slice(2),
      randomBytes(33).toString('base64'),
      '!'.repeat(44),
    ]) {
      expect(() => parseMasterKey(text, 'KEY')).toThrow(/^KEY is not a key of 32 bytes in hexadecimal or base64$/)
    }
  })

  test('gives each use a key of its own', () => {
    const master = createSecretKey(randomBytes(32))
    expect(deriveKey(master, 'one').equals(deriveKey(master, 'one'))).toBe(true)
    expect(deriveKey(master, 'one').equals(deriveKey(master, 'other'))).toBe(false)
  })
})

describe('secret seal', () => {
  test('opens what it sealed, for that id and under that key alone', () => {
    const master = randomBytes(32)
    const sealed = sealUnder(master).seal('camera', 'a secret')
    expect(sealed).not.toContain(Buffer.from('a secret').toString('base64url'))
    expect(sealUnder(master).open('camera', sealed)).toBe('a secret')
    expect(() => sealUnder(master).open('scanner', sealed)).toThrow('was sealed under another master key')
    expect(() => sealUnder(randomBytes(32)).open('camera', sealed)).toThrow('application camera was sealed')
  })

  test('never opens what was changed, at any byte, or cut short', () => {
    const seal = sealUnder(randomBytes(32))
    const sealed = Buffer.from(seal.seal('camera', 'a secret'), 'base64url')
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed)
      changed[at] = changed[at]! ^ 1
      expect(() => seal.open('camera', changed.toString('base64url'))).toThrow()
      expect(() => seal.open('camera', sealed.subarray(0, at).toString('base64url'))).toThrow()
    }
  })

  test('two seals of one secret differ', () => {
    const seal = sealUnder(randomBytes(32))
    expect(seal.seal('a', 's')).not.toBe(seal.seal('a', 's'))
  })
})

test('generated keys and secrets need no escape in a URL', () => {
  const key = generateKey(randomBytes)
  const secret = generateSecret(randomBytes)
  expect(key).toMatch(/^CN[A-Z2-7]{16}$/)
  expect(isGeneratedKey(key)).toBe(true)
  expect(isGeneratedKey('camera')).toBe(false)
  expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(generateKey((length) => Buffer.alloc(length, 255))).toBe(`CN${'7'.repeat(16)}`)
})
