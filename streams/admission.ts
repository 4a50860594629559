import type { Staging } from '../pool/index.ts'
import { checkDeclared } from './client-attributes.ts'
import type { Envelope } from './envelope.ts'
import { StoreError } from './errors.ts'
import { Intake } from './intake.ts'
import { checkName, noBucket } from './names.ts'
import { permit } from './permission.ts'
import { type Frozen, Pipeline } from './pipeline.ts'
import { requireName } from './policy/checks.ts'
import type { Recognise } from './recognition.ts'
import type { Stage } from './stage.ts'

export interface AdmissionOptions {
  readonly buckets: Pick<ReadonlySet<string>, 'has'>
  readonly stages: (envelope: Envelope) => readonly Stage[]
  readonly uploadsMax: number
  readonly recognise?: Recognise
}

/** What was durable of an upload that goes on. */
export interface Resumed {
  readonly frozen: Frozen
  /** Its bytes, for a stage whose state could not be kept. */
  readonly replay: AsyncIterable<Uint8Array>
  readonly staging: Staging
}

/** Says whether an upload may begin, before its first byte, and counts those that are open. */
export class Admission {
  readonly #options: AdmissionOptions
  #open = 0

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Uploads admitted that have not left. */
  get open(): number {
    return this.#open
  }

  /**
   * Throws ERR_FORBIDDEN, ERR_NAME, ERR_INVALID, ERR_NOT_FOUND for a bucket that is missing, ERR_TOO_LARGE for what was
   * declared, and ERR_BUSY when too many uploads are open. `stage` opens the payload.
   */
  admit(envelope: Envelope, stage: () => Staging): Intake {
    const createsBucket = this.#check(envelope)
    this.#requireTurn()
    const intake = this.#intake(envelope, stage, createsBucket)
    this.#open += 1
    return intake
  }

  /** Throws as admit() would, and admits nothing. */
  ask(envelope: Envelope): void {
    this.#check(envelope)
    this.#requireTurn()
    for (const stage of this.#options.stages(envelope)) stage.admit?.(envelope)
  }

  /** The same for what comes out of an upload that is counted already. */
  derive(envelope: Envelope, stage: () => Staging): Intake {
    return this.#intake(envelope, stage, this.#check(envelope))
  }

  #intake(envelope: Envelope, stage: () => Staging, createsBucket: boolean): Intake {
    const pipeline = Pipeline.start(this.#options.stages(envelope), envelope)
    return new Intake(envelope, pipeline, stage(), createsBucket, this.#options.recognise)
  }

  /** The same for an upload that goes on. */
  async readmit(envelope: Envelope, { frozen, replay, staging }: Resumed): Promise<Intake> {
    const createsBucket = this.#check(envelope)
    this.#requireTurn()
    this.#open += 1
    try {
      const pipeline = await Pipeline.thaw(this.#options.stages(envelope), envelope, frozen, replay)
      return new Intake(envelope, pipeline, staging, createsBucket, this.#options.recognise)
    } catch (error) {
      this.leave(1)
      throw error
    }
  }

  #check(envelope: Envelope): boolean {
    const { origin, name, attributes } = envelope
    permit(origin, 'object:write')
    checkName(name)
    requireName(origin, name)
    const createsBucket = mayCreateBucket(envelope)
    if (!createsBucket && !this.#options.buckets.has(name.bucket)) throw noBucket(name.bucket)
    checkDeclared(attributes)
    return createsBucket
  }

  #requireTurn(): void {
    if (this.#open >= this.#options.uploadsMax)
      throw new StoreError('ERR_BUSY', `${this.#open} uploads are open already`)
  }

  leave(uploads: number): void {
    this.#open -= uploads
  }
}

/** A PUT makes its bucket for whoever may; STOR and mail never do (MKD is a request of its own). */
function mayCreateBucket({ origin }: Envelope): boolean {
  return origin.protocol === 'http' && origin.principal.permissions.includes('bucket:create')
}
