import type { Sequence } from '../../pool/index.ts'
import type { ObjectRecord, PutRecord } from '../records/record.ts'
import { about, difference, type Report } from './finding.ts'

interface Known {
  readonly sequence: Sequence
  readonly digest: string
}

/** Puts of an object whose bytes are gone, and no record says why so far. */
interface Missing {
  puts: readonly PutRecord[]
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
    if (holder !== undefined && holder !== id) this.#keep(holder, [], undefined)
    const missing = this.#missing.get(id)
    if (missing === undefined) return
    const isRemoved = record.operation === 'delete' && record.version === undefined
    const name = record.operation === 'rename' ? nameOf(record) : isRemoved ? undefined : missing.name
    this.#keep(
      id,
      missing.puts.filter((put) => !lets(record, put)),
      name,
    )
  }

  get hasMissing(): boolean {
    return this.#missing.size > 0
  }

  /** Nothing accounts for what is missing still. */
  reportMissing(): void {
    for (const put of [...this.#missing.values()].flatMap(({ puts }) => puts))
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

  #miss(id: Sequence, put: PutRecord): void {
    this.#keep(id, [...(this.#missing.get(id)?.puts ?? []), put], nameOf(put))
  }

  #keep(id: Sequence, puts: readonly PutRecord[], name: string | undefined): void {
    const before = this.#missing.get(id)
    if (before?.name !== undefined) this.#missingNames.delete(before.name)
    this.#missing.delete(id)
    if (puts.length === 0) return
    this.#missing.set(id, { puts, name })
    if (name !== undefined) this.#missingNames.set(name, id)
  }
}

/** Whether a record of its object says that the bytes of a put are let go (versions.ts). */
function lets(record: ObjectRecord, put: PutRecord): boolean {
  if (record.operation === 'delete' && record.version !== undefined) return record.version === put.sequence
  if (record.operation !== 'put' && record.operation !== 'delete') return false
  if (record.versioning === undefined) return true
  return record.versioning === 'suspended' && put.versioning !== 'enabled'
}

/** A bucket's name holds no slash. */
const nameOf = ({ bucket, key }: ObjectRecord): string => `${bucket}/${key}`
