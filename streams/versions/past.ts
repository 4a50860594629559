import type { Sequence } from '../../pool/index.ts'
import { changed } from '../attributes.ts'
import type { Attributes, ObjectName } from '../envelope.ts'
import type { AttributeRecord, DeleteRecord, ObjectRecord, PutRecord } from '../records/record.ts'

/** What an object was after some of its records. */
export interface Past {
  readonly name: ObjectName
  readonly sequence: Sequence
  readonly time: number
  /** Undefined while it was removed. */
  readonly version: Sequence | undefined
  readonly attributes: Attributes
}

interface PastVersion {
  readonly version: Sequence
  readonly kept: boolean
  attributes: Attributes
}

/**
 * The fold of an object's stream alone: it keeps the versions that there were, and takes them away as its records say
 * (versions.ts). Other records than an object's own change nothing.
 */
export class PastFold {
  #versions: PastVersion[] = []
  #marker: Sequence | undefined
  #last: ObjectRecord | undefined

  take(record: AttributeRecord): void {
    if (!('object' in record)) return
    this.#last = record
    if (record.operation === 'put') this.#put(record)
    if (record.operation === 'delete') this.#delete(record)
    if (record.operation !== 'attributes') return
    const version = this.#versions.findLast(({ version }) => version === (record.version ?? version))
    if (version) version.attributes = changed(version.attributes, record)
  }

  /** Undefined before the first record. */
  get past(): Past | undefined {
    const record = this.#last
    if (record === undefined) return undefined
    const current = this.#marker === undefined ? this.#versions.at(-1) : undefined
    const { bucket, key, sequence, time } = record
    const { version, attributes = {} } = current ?? {}
    return { name: { bucket, key }, sequence, time, version, attributes }
  }

  #put({ sequence, versioning, attributes }: PutRecord): void {
    this.#supersede(versioning)
    this.#versions.push({ version: sequence, kept: versioning === 'enabled', attributes })
  }

  #delete({ sequence, versioning, version }: DeleteRecord): void {
    if (version === undefined) {
      this.#supersede(versioning)
      this.#marker = sequence
    } else if (version === this.#marker) this.#marker = undefined
    else this.#versions = this.#versions.filter((other) => other.version !== version)
  }

  #supersede(versioning: PutRecord['versioning']): void {
    if (versioning === undefined) this.#versions.pop()
    if (versioning === 'suspended') this.#versions = this.#versions.filter(({ kept }) => kept)
  }
}
