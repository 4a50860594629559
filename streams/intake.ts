import assert from 'node:assert/strict'
import type { Staging } from '../pool/index.ts'
import { type Change, type Put, put } from './changes.ts'
import type { Attributes, Envelope, Expected } from './envelope.ts'
import { StoreError } from './errors.ts'
import type { Frozen, Pipeline } from './pipeline.ts'
import { requireContent } from './policy/checks.ts'
import type { Recognise } from './recognition.ts'
import type { Scan } from './scanning/scanning.ts'
import type { Derived } from './stage.ts'

/** What an upload's end brings besides its bytes. */
export type Ending = Pick<Put, 'partial' | 'replaces' | 'allowance'>

const NOBODY_KNOWS: Recognise = async () => ({})

const ALGORITHMS = ['sha256', 'md5', 'crc32c'] as const satisfies readonly (keyof Expected)[]

/** One upload on its way in: its bytes go through the stages and then to the pool. */
export class Intake {
  readonly #envelope: Envelope
  readonly #pipeline: Pipeline
  readonly #staging: Staging
  readonly #createsBucket: boolean
  readonly #recognise: Recognise

  /** `pipeline`, which holds the digest, has taken what `staging` holds. */
  constructor(
    envelope: Envelope,
    pipeline: Pipeline,
    staging: Staging,
    createsBucket: boolean,
    recognise: Recognise = NOBODY_KNOWS,
  ) {
    this.#envelope = envelope
    this.#pipeline = pipeline
    this.#staging = staging
    this.#createsBucket = createsBucket
    this.#recognise = recognise
  }

  get size(): number {
    return this.#staging.length
  }

  /** What came so far, and what the stages have found of it. */
  freeze(): { readonly staging: Staging; readonly size: number; readonly stages: Frozen } {
    return { staging: this.#staging, size: this.size, stages: this.#pipeline.freeze() }
  }

  write(chunk: Uint8Array): Promise<void> {
    this.#pipeline.step(chunk)
    return this.#staging.write(chunk)
  }

  derive(hasEnded: boolean): readonly Derived[] {
    return this.#pipeline.derive(hasEnded)
  }

  get staging(): Staging {
    return this.#staging
  }

  /**
   * Compares the bytes with what was declared of them (ERR_LENGTH_MISMATCH, ERR_DIGEST_MISMATCH) and with what may be
   * stored (ERR_CONTENT), recognises what was here before, has them scanned (ERR_REFUSED), and draws up the put.
   */
  async finish(scan: Scan, evidence: Attributes, ending: Ending = {}): Promise<Change> {
    const { origin, name, expected } = this.#envelope
    const found = await this.#pipeline.finish()
    compareDigests(expected, found)
    requireContent(origin, found)
    const { 'checksum.sha256': sha256, 'checksum.crc32c': crc32c } = found
    assert(typeof sha256 === 'string' && typeof crc32c === 'string', 'the digest is one of the stages')
    const contentType = String(found['content.type'] ?? 'application/octet-stream')
    const recognised = await this.#recognise(this.#envelope, found)
    const scanned = await scan({ origin, name, size: this.size, sha256, contentType }, this.#staging)
    const attributes = { ...this.#attributes(found, evidence), ...recognised, ...scanned }
    const digests = { sha256, crc32c }
    const createsBucket = this.#createsBucket
    const { refers } = this.#envelope
    return put({ origin, name, staging: this.#staging, digests, attributes, refers, createsBucket, ...ending })
  }

  /** The client's word on `content.type` counts more than a stage's; nobody's counts more than what is known here. */
  #attributes(found: Attributes, evidence: Attributes): Attributes {
    const { origin, name, attributes } = this.#envelope
    return {
      ...found,
      ...attributes,
      ...evidence,
      ...(origin.peer !== undefined && { 'network.peer': origin.peer }),
      'object.name': name.key.slice(name.key.lastIndexOf('/') + 1),
      'object.size': this.size,
    }
  }
}

function compareDigests(expected: Expected, found: Attributes): void {
  for (const algorithm of ALGORITHMS) {
    const [declared, actual] = [expected[algorithm], found[`checksum.${algorithm}`]]
    if (declared !== undefined && declared !== actual)
      throw new StoreError('ERR_DIGEST_MISMATCH', `${algorithm} ${declared} was declared, and the bytes have ${actual}`)
  }
}
