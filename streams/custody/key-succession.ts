import type { Sequence } from '../../pool/index.ts'
import type { CheckpointRecord, KeyRecord } from '../records/record.ts'
import { about, difference, type Finding, type Report } from './finding.ts'
import { isSignedBy, keyIdOf } from './signed-record.ts'

/** A key as its record introduced it. */
export interface KnownKey {
  readonly id: string
  readonly publicKey: string
  /** Of its record: it signs from there to the record of the key that follows. */
  readonly sequence: Sequence
  readonly time: number
  readonly signer: string
  /** It is pinned, or was introduced by one that is. */
  readonly isTrusted: boolean
}

export interface SuccessionOptions {
  /** The pool that the keys must be of. */
  readonly pool: string
  /** Ids of the keys that the user has pinned; with none every key that was introduced counts. */
  readonly trust: readonly string[]
  readonly report: Report
}

/**
 * The keys that have signed in a stream, each introduced by the one before. One that was not is found, and counts as
 * the beginning of a new succession.
 */
export class KeySuccession {
  readonly #options: SuccessionOptions
  readonly #keys: KnownKey[] = []
  #hasChecked = false

  constructor(options: SuccessionOptions) {
    this.#options = options
  }

  get all(): readonly KnownKey[] {
    return this.#keys
  }

  /** Takes the next key. */
  add(record: KeyRecord): void {
    const { report, pool, trust } = this.#options
    const before = this.#keys.at(-1)
    const findings = [...faultsOf(record, pool), ...introduction(record, before)]
    for (const finding of findings) report(finding)
    const { id, publicKey, sequence, time, signer } = record
    const isIntroduced = findings.length === 0 && before?.isTrusted === true
    const isTrusted = trust.length === 0 || trust.includes(keyIdOf(publicKey)) || isIntroduced
    this.#keys.push({ id, publicKey, sequence, time, signer, isTrusted })
  }

  /** Whether a checkpoint is signed by the key that was to sign then. Returns that key. */
  check(record: CheckpointRecord): KnownKey | undefined {
    const { report, pool } = this.#options
    this.#hasChecked = true
    if (record.pool !== pool)
      report(about(record, 'CHECKPOINT_POOL', 'it is of another pool', difference(pool, record.pool)))
    const key = this.#keys.findLast(({ id }) => id === record.signer)
    if (key === undefined) {
      report(about(record, 'KEY_UNKNOWN', 'no record introduces the key that signed it', { found: record.signer }))
      return undefined
    }
    const active = this.#keys.findLast(({ sequence }) => sequence < record.sequence)
    if (active !== key)
      report(about(record, 'KEY_RETIRED', 'another key was to sign then', difference(active?.id ?? '', key.id)))
    if (!isSignedBy(record, key.publicKey))
      report(about(record, 'CHECKPOINT_SIGNATURE', 'its signature is not of the key that it names'))
    if (!key.isTrusted)
      report(about(record, 'KEY_UNTRUSTED', 'its key is not trusted, nor introduced by one that is', { found: key.id }))
    return key
  }

  /** Nothing more comes. Where no checkpoint was, none of the keys that the user has pinned has signed anything. */
  end(): void {
    const { report, trust } = this.#options
    if (trust.length === 0 || this.#hasChecked) return
    report({ code: 'KEY_UNTRUSTED', detail: 'there is no checkpoint: no key that is trusted has signed anything' })
  }
}

function* faultsOf(record: KeyRecord, pool: string): Generator<Finding> {
  const id = difference(keyIdOf(record.publicKey), record.id)
  if (id) yield about(record, 'KEY_ID', 'its id is not the SHA-256 of the public key', id)
  const pools = difference(pool, record.pool)
  if (pools) yield about(record, 'KEY_POOL', 'it is of another pool', pools)
}

/** The first key signs itself, and each one after it is signed by the one before. */
function* introduction(record: KeyRecord, before: KnownKey | undefined): Generator<Finding> {
  const signer = before ?? record
  const isRight = record.signer === signer.id && isSignedBy(record, signer.publicKey)
  const detail = before ? 'the key before has not introduced it' : 'the first key has not signed itself'
  if (!isRight) yield about(record, 'KEY_SIGNATURE', detail, { expected: signer.id, found: record.signer })
}
