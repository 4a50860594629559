import { createPublicKey, createSecretKey, randomBytes, verify } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SecretSeal } from '../../server/secrets.ts'
import { SigningKeys } from '../../server/signing-keys.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const sealOf = (master: Buffer) => new SecretSeal(createSecretKey(master), randomBytes, 'signing key')
const master = randomBytes(32)
const fresh = () => join(temporaryFolder(), 'signing-keys.json')

test('keys are kept sealed, for their owner alone, and sign the same after a restart', async () => {
  const path = fresh()
  const key = await (await SigningKeys.open(path, sealOf(master))).create()
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const again = (await SigningKeys.open(path, sealOf(master))).get(key.id)
  if (!again) expect.fail()
  expect(again.publicKey).toBe(key.publicKey)
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(key.publicKey, 'base64')])
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  const message = Buffer.from('message')
  expect(verify(null, message, publicKey, again.sign(message))).toBe(true)
})

test('a retired key is gone from the file', async () => {
  const path = fresh()
  const keys = await SigningKeys.open(path, sealOf(master))
  const [one, two] = [await keys.create(), await keys.create()]
  await keys.retain(two.id)
  expect(keys.get(one.id)).toBeUndefined()
  const text = readFileSync(path, 'utf8')
  expect([text.includes(one.id), text.includes(two.id)]).toEqual([false, true])
})

test('a key sealed under another master key, for another id or for another use is refused', async () => {
  const path = fresh()
  const { id } = await (await SigningKeys.open(path, sealOf(master))).create()
  const words = `the signing key ${id} was sealed under another master key`
  await expect(SigningKeys.open(path, sealOf(randomBytes(32)))).rejects.toThrow(words)
  const otherUse = new SecretSeal(createSecretKey(master), randomBytes)
  await expect(SigningKeys.open(path, otherUse)).rejects.toThrow('sealed under another master key')
  writeFileSync(path, readFileSync(path, 'utf8').replace(id, '0'.repeat(64)))
  await expect(SigningKeys.open(path, sealOf(master))).rejects.toThrow('sealed under another master key')
})

test.each(['', '{}', '{"keys":[{}]}', '[]'])('a file that is none of ours is refused: %j', async (text) => {
  const path = fresh()
  writeFileSync(path, text)
  await expect(SigningKeys.open(path, sealOf(master))).rejects.toThrow('holds no signing keys')
})
