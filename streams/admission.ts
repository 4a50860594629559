import type { Staging } from '../pool/index.ts'
import { checkDeclared } from './client-attributes.ts'
import type { Envelope } from './envelope.ts'
import { StoreError } from './errors.ts'
import { Intake } from './intake.ts'
import { checkName, noBucket } from './names.ts'
import { permit } from './permission.ts'
import type { Stage } from './stage.ts'

export interface AdmissionOptions {
  readonly buckets: Pick<ReadonlySet<string>, 'has'>
  readonly stages: (envelope: Envelope) => readonly Stage[]
  readonly uploadsMax: number
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
   * Throws ERR_FORBIDDEN, ERR_INVALID, ERR_NOT_FOUND for a bucket that is missing, ERR_TOO_LARGE for what was
   * declared, and ERR_BUSY when too many uploads are open. `stage` opens the payload.
   */
  admit(envelope: Envelope, stage: () => Staging): Intake {
    const { origin, name, attributes } = envelope
    permit(origin, 'object:write')
    checkName(name)
    const createsBucket = mayCreateBucket(envelope)
    if (!createsBucket && !this.#options.buckets.has(name.bucket)) throw noBucket(name.bucket)
    checkDeclared(attributes)
    if (this.#open >= this.#options.uploadsMax)
      throw new StoreError('ERR_BUSY', `${this.#open} uploads are open already`)
    const intake = new Intake(envelope, this.#options.stages(envelope), stage, createsBucket)
    this.#open += 1
    return intake
  }

  leave(uploads: number): void {
    this.#open -= uploads
  }
}

/** A PUT makes its bucket for whoever may; STOR and mail never do (MKD is a request of its own). */
function mayCreateBucket({ origin }: Envelope): boolean {
  return origin.protocol === 'http' && origin.principal.permissions.includes('bucket:create')
}
