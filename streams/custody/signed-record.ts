import { createPublicKey, hash, verify } from 'node:crypto'
import type { CheckpointRecord, KeyRecord, SignedRecord } from '../records/record.ts'
import { canonicalJson } from '../records/record-codec.ts'

/*
 * What a signature is over: a line that says what is signed, so that no signature given for anything else fits, and
 * the record in canonical JSON (RFC 8785), all of it but its member `signature`.
 *
 *   "cenote signed record 1\n" | canonical JSON
 */
const SIGNED_PREFIX = 'cenote signed record 1\n'
const PUBLIC_KEY_BYTES = 32
const SIGNATURE_BYTES = 64
/** SubjectPublicKeyInfo of an Ed25519 key (RFC 8410), up to its 32 bytes. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

export type UnsignedRecord = Omit<KeyRecord, 'signature'> | Omit<CheckpointRecord, 'signature'>

/** A key that the server has: it signs with Ed25519. */
export interface SigningKey {
  readonly id: string
  /** 32 bytes, in base64. */
  readonly publicKey: string
  sign(message: Uint8Array): Uint8Array
}

/** The id of a public key: SHA-256 of its bytes. Whoever pins it has pinned the key. */
export function keyIdOf(publicKey: string): string {
  return hash('sha256', Buffer.from(publicKey, 'base64'), 'hex')
}

export function signed(record: UnsignedRecord, key: SigningKey): SignedRecord {
  return { ...record, signature: Buffer.from(key.sign(signedBytes(record))).toString('base64') } as SignedRecord
}

export function isSignedBy(record: SignedRecord, publicKey: string): boolean {
  const { signature, ...unsigned } = record
  const bytes = decodeBase64(signature, SIGNATURE_BYTES)
  const raw = decodeBase64(publicKey, PUBLIC_KEY_BYTES)
  if (bytes === undefined || raw === undefined) return false
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' })
  return verify(null, signedBytes(unsigned), key, bytes)
}

function signedBytes(record: UnsignedRecord): Buffer {
  return Buffer.from(SIGNED_PREFIX + canonicalJson(record))
}

/** Undefined for what is not the one way to write so many bytes: a signature has one form only, too. */
function decodeBase64(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === length && bytes.toString('base64') === text ? bytes : undefined
}
