import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { StoreError } from '../streams/index.ts'
import { deriveKey, type RandomBytes } from './master-key.ts'

const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16
const secretBytes = 32
const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A new secret: 32 random bytes as 43 characters of base64url, which need no escape in a URL or a shell. */
export function generateSecret(random: RandomBytes): string {
  return random(secretBytes).toString('base64url')
}

/** A new application id: `CN` and 16 characters of base32 (RFC 4648). */
export function generateKey(random: RandomBytes): string {
  return `CN${base32Text(random)}`
}

/** A new id of a subscription, which no other one has, here or on another server. */
export function generateSubscriptionId(random: RandomBytes): string {
  return `SB${base32Text(random)}`
}

function base32Text(random: RandomBytes): string {
  return Array.from(random(16), (byte) => base32[byte % base32.length]).join('')
}

/** Whether an id has the form that generateKey gives. */
export function isGeneratedKey(id: string): boolean {
  return /^CN[A-Z2-7]{16}$/.test(id)
}

/** What is sealed: each under a key of its own. */
export type SealedThing = 'application secret' | 'signing key' | 'webhook secret'

const SUBJECTS: { readonly [Thing in SealedThing]: string } = {
  'application secret': 'the secret of application',
  'signing key': 'the signing key',
  'webhook secret': 'the secret of subscription',
}

/**
 * Seals secrets under the master key with AES-256-GCM, bound to the id they belong to: a sealed secret moved to another
 * application does not open. A sealed secret is base64url of nonce (12 bytes), ciphertext, tag (16 bytes).
 */
export class SecretSeal {
  readonly #key: KeyObject
  readonly #random: RandomBytes
  readonly #what: SealedThing

  constructor(master: KeyObject, random: RandomBytes, what: SealedThing = 'application secret') {
    this.#key = deriveKey(master, `cenote ${what}`)
    this.#random = random
    this.#what = what
  }

  seal(id: string, secret: string): string {
    const nonce = this.#random(nonceBytes)
    const cipher = createCipheriv(algorithm, this.#key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(id))
    const sealed = [nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]
    return Buffer.concat(sealed).toString('base64url')
  }

  /** Throws ERR_CORRUPT when it was sealed under another master key or for another id. */
  open(id: string, value: string): string {
    const sealed = Buffer.from(value, 'base64url')
    try {
      const nonce = sealed.subarray(0, nonceBytes)
      const decipher = createDecipheriv(algorithm, this.#key, nonce, { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(id)).setAuthTag(sealed.subarray(-tagBytes))
      return decipher.update(sealed.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
    } catch (cause) {
      throw new StoreError('ERR_CORRUPT', `${SUBJECTS[this.#what]} ${id} was sealed under another master key`, {
        cause,
      })
    }
  }
}
