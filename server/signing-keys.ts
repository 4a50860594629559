import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type KeyChest, keyIdOf, type SigningKey, StoreError } from '../streams/index.ts'
import { replaceFile } from './durable-file.ts'
import type { SecretSeal } from './secrets.ts'

/** As the file has it: PKCS #8 in base64, sealed under the master key and bound to its id. */
interface SealedKey {
  readonly id: string
  readonly sealed: string
}

const PUBLIC_KEY_BYTES = 32

/**
 * The private keys that checkpoints are signed with, in a file of the data folder. There is one, and two for as long as a
 * rotation takes: which of them counts then, the stream says.
 */
export class SigningKeys implements KeyChest {
  readonly #path: string
  readonly #seal: SecretSeal
  readonly #keys = new Map<string, SigningKey>()
  #sealed: readonly SealedKey[]

  private constructor(path: string, seal: SecretSeal, sealed: readonly SealedKey[]) {
    this.#path = path
    this.#seal = seal
    this.#sealed = sealed
  }

  /** Throws ERR_CORRUPT when a key was sealed under another master key, or the file is none of ours. */
  static async open(path: string, seal: SecretSeal): Promise<SigningKeys> {
    const keys = new SigningKeys(path, seal, await readKeys(path))
    for (const { id, sealed } of keys.#sealed) {
      const der = Buffer.from(seal.open(id, sealed), 'base64')
      keys.#keys.set(id, signingKeyOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })))
    }
    return keys
  }

  get(id: string): SigningKey | undefined {
    return this.#keys.get(id)
  }

  async create(): Promise<SigningKey> {
    const { privateKey } = generateKeyPairSync('ed25519')
    const key = signingKeyOf(privateKey)
    const der = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')
    await this.#write([...this.#sealed, { id: key.id, sealed: this.#seal.seal(key.id, der) }])
    this.#keys.set(key.id, key)
    return key
  }

  async retain(id: string): Promise<void> {
    const kept = this.#sealed.filter((key) => key.id === id)
    if (kept.length !== this.#sealed.length) await this.#write(kept)
    for (const known of this.#keys.keys()) if (known !== id) this.#keys.delete(known)
  }

  async #write(sealed: readonly SealedKey[]): Promise<void> {
    await replaceFile(this.#path, `${JSON.stringify({ keys: sealed }, null, 2)}\n`)
    this.#sealed = sealed
  }
}

/** A private key as one that signs. */
export function signingKeyOf(privateKey: KeyObject): SigningKey {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const publicKey = spki.subarray(-PUBLIC_KEY_BYTES).toString('base64')
  return { id: keyIdOf(publicKey), publicKey, sign: (message) => sign(null, message, privateKey) }
}

async function readKeys(path: string): Promise<readonly SealedKey[]> {
  const text = await readFile(path, 'utf8').catch(absent)
  if (text === undefined) return []
  try {
    const { keys } = JSON.parse(text) as { readonly keys: readonly SealedKey[] }
    if (keys.every(({ id, sealed }) => typeof id === 'string' && typeof sealed === 'string')) return keys
  } catch {
    // Told below.
  }
  throw new StoreError('ERR_CORRUPT', `${path} holds no signing keys: put it back from a backup`)
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
