import type { Sequence } from '../../pool/index.ts'
import { sequenceText } from '../catalog/catalog-keys.ts'
import type { ObjectRecord, PutRecord } from '../records/record.ts'
import { canonicalJson } from '../records/record-codec.ts'
import { BUNDLE_FORMAT, BUNDLE_VERSIONS_MAX, type Manifest, manifestOf } from './bundle.ts'
import type { Chained } from './bundle-files.ts'
import { TarError } from './bundle-tar.ts'
import { about, difference, type Finding } from './finding.ts'

/** What is kept of what the manifest of a bundle says, until the rest has shown whether it is so. */
export class BundleSubject {
  readonly #manifest: Manifest
  readonly #report: (finding: Finding) => void
  readonly #versions: ReadonlySet<string>
  /** The puts of the versions, once their records were seen; those of which the bytes came, too. */
  readonly #puts = new Map<Sequence, PutRecord>()
  readonly #given: PutRecord[] = []
  #last: Chained<ObjectRecord> | undefined
  #records = 0

  constructor(manifest: Manifest, report: (finding: Finding) => void) {
    this.#manifest = manifest
    this.#report = report
    const { format, versions } = manifest
    if (format !== BUNDLE_FORMAT) throw new TarError(`it is no "${BUNDLE_FORMAT}", the format that is verified here`)
    if (!Array.isArray(versions) || versions.length > BUNDLE_VERSIONS_MAX)
      throw new TarError(`the manifest does not name ${BUNDLE_VERSIONS_MAX} versions at the most`)
    this.#versions = new Set(versions.map((one: unknown) => String(Object(one).version)))
  }

  get pool(): string {
    return String(this.#manifest.pool)
  }

  /** Records of the object. */
  get records(): number {
    return this.#records
  }

  get recordsTotal(): number {
    return Number(this.#manifest.records) || this.#records
  }

  /** The sequence of the record before. */
  get last(): Sequence {
    return this.#last?.record.sequence ?? 0
  }

  get hasPayloads(): boolean {
    return this.#given.length > 0
  }

  /** The stream of one object, from its first record on, none left out. */
  takeRecord({ record, digest }: Chained<ObjectRecord>): void {
    const object = difference(String(this.#manifest.object), record.object)
    if (object) this.#report(about(record, 'OBJECT_CHAIN', 'it is of another object', object))
    const chain = difference(this.#last?.digest ?? '', record.previous.object)
    if (chain) this.#report(about(record, 'OBJECT_CHAIN', 'it does not follow the record before of its object', chain))
    const isFirst = Number(record.object) === record.sequence
    if (isFirst === (this.#last !== undefined))
      this.#report(about(record, 'OBJECT_CHAIN', "its object's id is not the sequence of the object's first record"))
    if (record.operation === 'put' && this.#versions.has(sequenceText(record.sequence)))
      this.#puts.set(record.sequence, record)
    this.#last = { record, digest }
    this.#records += 1
  }

  /** The put whose bytes come next, each after the one before. */
  takePayload(version: Sequence): PutRecord {
    const put = this.#puts.get(version)
    if (put === undefined || version <= (this.#given.at(-1)?.sequence ?? 0))
      throw new TarError(`version ${version} is not the next one that it is about`)
    this.#given.push(put)
    return put
  }

  /** The manifest says nothing that does not follow from what is signed. */
  compare(keys: number): void {
    if (!this.hasPayloads) throw new TarError('it has no payload')
    const { bucket, key } = this.#last!.record
    const parts = { pool: this.pool, bucket, key, keys, records: this.#records, puts: this.#given }
    const compared = difference(canonicalJson(manifestOf(parts)), canonicalJson(this.#manifest))
    if (compared)
      this.#report({ code: 'BUNDLE_MANIFEST', detail: 'it says what does not follow from the rest', ...compared })
  }
}
