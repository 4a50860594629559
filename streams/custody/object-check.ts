import type { Sequence } from '../../pool/index.ts'
import type { ObjectRecord, PutRecord } from '../records/record.ts'
import { about, difference, type Report } from './finding.ts'

interface Known {
  readonly sequence: Sequence
  readonly digest: string
}

/** Of a put, what it takes to tell of it: its attributes may be many. */
interface MissingPut extends Pick<PutRecord, 'sequence' | 'object' | 'bucket' | 'key'> {
  readonly versioning: PutRecord['versioning'] | undefined
}

/** Puts of an object whose bytes are gone, and no record says why so far. Thousands of versions may be removed late. */
interface Missing {
  readonly puts: Map<Sequence, MissingPut>
  /** What the object is bound to. */
  name: string | undefined
}

const NO_FIRST = "its object's id is not the sequence of the object's first record"

/**
 * Follows the streams of objects, a bounded number of them at once: an object's id is the sequence of its first record,
 * so those with the next ids are the next pass's, which begins behind the last id of this one.
 */
export class ObjectCheck {
  readonly #report: Report
  readonly #objectsMax: number
  /** Ids up to this one are of a pass before. */
  readonly #after: Sequence
  readonly #known = new Map<Sequence, Known>()
  readonly #missing = new Map<Sequence, Missing>()
  readonly #missingNames = new Map<string, Sequence>()
  /** The last id of this pass; undefined while there is room. */
  #through: Sequence | undefined
  #lost: Sequence = 0

  constructor(after: Sequence, objectsMax: number, report: Report) {
    this.#after = after
    this.#objectsMax = objectsMax
    this.#report = report
  }

  get objects(): number {
    return this.#known.size
  }

  /** Where the next pass begins; undefined when this was the last. */
  get through(): Sequence | undefined {
    return this.#through
  }

  /** Whether a record is of an object of this pass. */
  admits(record: ObjectRecord): boolean {
    const id = Number(record.object)
    if (id <= this.#after || this.#known.has(id)) return id > this.#after
    if (this.#known.size < this.#objectsMax) return true
    this.#through ??= record.sequence - 1
    if (id <= this.#through && id > this.#lost) this.#report(about(record, 'OBJECT_CHAIN', NO_FIRST))
    return false
  }

  /** Takes a record that is admitted. `isGone` says of a put that its bytes are. */
  take(record: ObjectRecord, digest: string, isGone: boolean): void {
    const id = Number(record.object)
    const before = this.#known.get(id)
    if (!this.#mayHaveLost(before, id)) this.#follow(record, before)
    this.#known.set(id, { sequence: record.sequence, digest })
    this.explain(record)
    if (record.operation === 'put' && isGone) this.#miss(id, record)
  }

  /** Records up to `last` were lost; they may have said why something is missing. */
  lose(last: Sequence): void {
    this.#lost = last
    this.#missing.clear()
    this.#missingNames.clear()
  }

  /** Takes from what is missing that which a record, admitted or not, accounts for. */
  explain(record: ObjectRecord): void {
    const id = Number(record.object)
    // Whoever takes a name over ends the object that had it.
    const holder = this.#missingNames.get(nameOf(record))
    if (holder !== undefined && holder !== id) this.#forget(holder)
    const missing = this.#missing.get(id)
    if (missing === undefined) return
    letGo(record, missing.puts)
    if (missing.puts.size === 0) this.#forget(id)
    else if (record.operation === 'rename') this.#call(id, missing, nameOf(record))
    else if (record.operation === 'delete' && record.version === undefined) this.#call(id, missing, undefined)
  }

  get hasMissing(): boolean {
    return this.#missing.size > 0
  }

  /** Nothing accounts for what is missing still. */
  reportMissing(): void {
    for (const put of [...this.#missing.values()].flatMap(({ puts }) => [...puts.values()]))
      this.#report(about(put, 'BYTES_MISSING', 'its bytes are gone, and no record says why'))
  }

  #mayHaveLost(before: Known | undefined, id: Sequence): boolean {
    return this.#lost > 0 && (before?.sequence ?? id) <= this.#lost
  }

  #follow(record: ObjectRecord, before: Known | undefined): void {
    const chain = difference(before?.digest ?? '', record.previous.object)
    if (chain) this.#report(about(record, 'OBJECT_CHAIN', 'it does not follow the record before of its object', chain))
    const isFirst = Number(record.object) === record.sequence
    if (isFirst === (before !== undefined) || !/^\d{16}$/.test(record.object))
      this.#report(about(record, 'OBJECT_CHAIN', NO_FIRST))
  }

  #miss(id: Sequence, { sequence, object, bucket, key, versioning }: PutRecord): void {
    const missing = this.#missing.get(id) ?? { puts: new Map(), name: undefined }
    missing.puts.set(sequence, { sequence, object, bucket, key, versioning })
    this.#missing.set(id, missing)
    this.#call(id, missing, nameOf({ bucket, key }))
  }

  #call(id: Sequence, missing: Missing, name: string | undefined): void {
    if (missing.name !== undefined) this.#missingNames.delete(missing.name)
    missing.name = name
    if (name !== undefined) this.#missingNames.set(name, id)
  }

  #forget(id: Sequence): void {
    const name = this.#missing.get(id)?.name
    if (name !== undefined) this.#missingNames.delete(name)
    this.#missing.delete(id)
  }
}

/** Takes from puts of an object those whose bytes a record of it lets go (versions.ts). */
function letGo(record: ObjectRecord, puts: Map<Sequence, MissingPut>): void {
  if (record.operation === 'delete' && record.version !== undefined) puts.delete(record.version)
  else if (record.operation !== 'put' && record.operation !== 'delete') return
  else if (record.versioning === undefined) puts.clear()
  else if (record.versioning === 'suspended')
    for (const { sequence, versioning } of puts.values()) if (versioning !== 'enabled') puts.delete(sequence)
}

/** A bucket's name holds no slash. */
const nameOf = ({ bucket, key }: Pick<ObjectRecord, 'bucket' | 'key'>): string => `${bucket}/${key}`
