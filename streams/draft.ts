import assert from 'node:assert/strict'
import type { RecordDraft, Release, Sequence, Staging } from '../pool/index.ts'
import type { Binding, Bindings } from './bindings.ts'
import { sequenceText } from './catalog/catalog-keys.ts'
import type { DurableRecord } from './catalog/catalog-port.ts'
import { type SigningKey, signed, type UnsignedRecord } from './custody/signed-record.ts'
import type { ObjectName, Origin } from './envelope.ts'
import { StoreError } from './errors.ts'
import type { PartialUpload } from './partials/partial-port.ts'
import type { PartialPlace, PartialTable } from './partials/partial-table.ts'
import type { AttributeRecord, SignedRecord } from './records/record.ts'
import { digestOf, encodeRecord } from './records/record-codec.ts'
import type { SizedRecord } from './tail/recent-records.ts'
import { type BucketSettings, NEW_BUCKET } from './versions/bucket-settings.ts'

/** The end of the partition's stream: what the next record goes on from. */
export interface Tail {
  /** 0 when there is no record. */
  readonly sequence: Sequence
  readonly time: number
  /** Of the last record; '' when there is none. */
  readonly digest: string
}

type Derived = 'sequence' | 'time' | 'partition' | 'application' | 'protocol' | 'peer' | 'request' | 'previous'
type BodyOf<R> = R extends unknown ? Omit<R, Derived> : never
/** What distinguishes a record: all but its place in the stream, and who made it. */
export type RecordBody = BodyOf<Exclude<AttributeRecord, SignedRecord>>
/** What distinguishes a record that is signed once its place is known. */
export type SignedBody = BodyOf<UnsignedRecord>

/** What every draft of a partition shares. Names, buckets and partial uploads are as of the last record sequenced. */
export interface DraftGround {
  readonly partition: string
  readonly bindings: Bindings
  readonly buckets: Map<string, BucketSettings>
  readonly bucketsMax: number
  readonly partials: PartialTable
}

/**
 * The records of one transaction, as they are drawn up at the moment it gets its place. Each sees what those before
 * it did; undo() takes all of it back, for a transaction that is refused.
 */
export class Draft {
  readonly first: Sequence
  readonly durable: DurableRecord[] = []
  readonly records: RecordDraft[] = []
  readonly releases: Release[] = []
  readonly #ground: DraftGround
  readonly #before: Tail
  readonly #time: number
  readonly #undo: (() => void)[] = []
  #tail: Tail

  /** `first` is the sequence of its first record; between it and `before` may lie records of others in the pool. */
  constructor(ground: DraftGround, before: Tail, first: Sequence, now: number) {
    this.#ground = ground
    this.#before = before
    this.#tail = before
    this.#time = Math.max(before.time, now)
    this.first = first
  }

  /** Milliseconds since 1970 of its records. */
  get time(): number {
    return this.#time
  }

  get tail(): Tail {
    return this.#tail
  }

  get sized(): readonly SizedRecord[] {
    return this.durable.map(({ record }, index) => ({ record, bytes: this.records[index]!.content.length }))
  }

  /** The id of the object, or of the version, that the next record begins. */
  get nextId(): string {
    return sequenceText(this.nextSequence)
  }

  get nextSequence(): Sequence {
    return this.first + this.records.length
  }

  binding(name: ObjectName): Binding | undefined {
    return this.#ground.bindings.get(name)
  }

  bind(name: ObjectName, binding: Binding | undefined): void {
    const { bindings } = this.#ground
    const before = bindings.get(name)
    this.#undo.push(() => bindings.set(name, before))
    bindings.set(name, binding)
  }

  hasBucket(bucket: string): boolean {
    return this.#ground.buckets.has(bucket)
  }

  addBucket(bucket: string): void {
    const { buckets, bucketsMax } = this.#ground
    if (buckets.size >= bucketsMax)
      throw new StoreError('ERR_QUOTA', `there are ${bucketsMax} buckets, and no more may be`)
    this.#undo.push(() => buckets.delete(bucket))
    buckets.set(bucket, NEW_BUCKET)
  }

  /** Undefined for a bucket that is missing. */
  settings(bucket: string): BucketSettings | undefined {
    return this.#ground.buckets.get(bucket)
  }

  configure(bucket: string, settings: BucketSettings): void {
    const { buckets } = this.#ground
    const before = buckets.get(bucket)
    assert(before, 'a bucket that is configured exists')
    this.#undo.push(() => buckets.set(bucket, before))
    buckets.set(bucket, settings)
  }

  partial(place: PartialPlace): PartialUpload | undefined {
    return this.#ground.partials.get(place)
  }

  /** Those under a name that nobody goes on with. */
  idlePartials(name: ObjectName): readonly PartialUpload[] {
    const { partials } = this.#ground
    return partials.under(name).filter((partial) => !partials.isClaimed(partial))
  }

  setPartial(place: PartialPlace, partial: PartialUpload | undefined): void {
    const { partials } = this.#ground
    const before = partials.get(place)
    this.#undo.push(() => partials.set(place, before))
    partials.set(place, partial)
  }

  /** Adds a record; `object` is the digest of its object's record before. Returns its own digest. */
  append(origin: Origin, object: string, body: RecordBody, payloads: readonly Staging[] = []): string {
    return this.#add({ ...this.#place(origin, object), ...body } as AttributeRecord, payloads)
  }

  /** Adds a record that `key` signs, its place and time included. */
  appendSigned(origin: Origin, body: SignedBody, key: SigningKey): void {
    this.#add(signed({ ...this.#place(origin, ''), ...body } as UnsignedRecord, key), [])
  }

  #place({ principal, protocol, peer, request }: Origin, object: string): Pick<AttributeRecord, Derived> {
    return {
      sequence: this.nextSequence,
      time: this.#time,
      partition: this.#ground.partition,
      application: principal.application,
      protocol,
      ...(peer !== undefined && { peer }),
      ...(request !== undefined && { request }),
      previous: { partition: this.#tail.digest, object },
    }
  }

  #add(record: AttributeRecord, payloads: readonly Staging[]): string {
    const content = encodeRecord(record)
    const digest = digestOf(content)
    this.durable.push({ record, digest })
    this.records.push({ content, payloads })
    this.#tail = { sequence: record.sequence, time: this.#time, digest }
    return digest
  }

  /** Lets go of the payload of a version that is kept no more. */
  release(version: Sequence): void {
    if (version >= this.first)
      throw new StoreError('ERR_CONFLICT', 'a transaction does not replace or remove what it puts itself')
    this.releases.push({ sequence: version, payload: 0 })
  }

  /** Everything is as it was before this draft; returns the tail to go on from. Later drafts are undone first. */
  undo(): Tail {
    for (const step of this.#undo.reverse()) step()
    return this.#before
  }
}
