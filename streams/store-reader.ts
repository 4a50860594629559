import type { PayloadRange, Pool, Sequence } from '../pool/index.ts'
import { placeOf, type StreamPlace } from './appending/appending.ts'
import type { StreamHead } from './appending/stream-port.ts'
import { streamTypeOf } from './appending/stream-state.ts'
import type { Catalog, ObjectHead } from './catalog/catalog-port.ts'
import type { SubscriptionState } from './delivery/subscription-state.ts'
import type { ObjectName, Origin } from './envelope.ts'
import { StoreError } from './errors.ts'
import { isName, noBucket, noObject } from './names.ts'
import { permit } from './permission.ts'
import { requireReleased } from './quarantine/quarantine.ts'
import { openBody, partOf } from './reading.ts'
import type { ApplicationRegistration, AttributeRecord, RouteRegistration } from './records/record.ts'
import { decodeRecord } from './records/record-codec.ts'
import type { Sequencer } from './sequencer.ts'
import { inStoreWords, toStoreError } from './store-errors.ts'
import type {
  Explanation,
  FacetOptions,
  Facets,
  Listing,
  ListOptions,
  ObjectStat,
  QueryOptions,
  QueryResult,
  Reading,
} from './store-port.ts'
import type { RecentRecords } from './tail/recent-records.ts'
import { type Followed, follow, type TailOptions } from './tail/tail.ts'
import type { TailPage } from './tail/tail-page.ts'

/** Versions that one read may see replaced under its hands. */
const READ_ATTEMPTS_MAX = 16
const PAGE_KEYS = 1000

export interface ReaderParts {
  readonly pool: Pool
  readonly catalog: Catalog
  readonly sequencer: Sequencer
  readonly recent: RecentRecords
  readonly streamRecordsMax: number
}

/** The reading half of the store. Whatever was acknowledged before a read began is in what it sees. */
export class StoreReader {
  readonly #pool: Pool
  readonly #catalog: Catalog
  readonly #sequencer: Sequencer
  readonly #recent: RecentRecords
  readonly #streamRecordsMax: number

  constructor({ pool, catalog, sequencer, recent, streamRecordsMax }: ReaderParts) {
    this.#pool = pool
    this.#catalog = catalog
    this.#sequencer = sequencer
    this.#recent = recent
    this.#streamRecordsMax = streamRecordsMax
  }

  read(origin: Origin, name: ObjectName, range?: PayloadRange): Promise<Reading> {
    return this.#see(origin, async () => {
      let gone: Sequence | undefined
      for (let attempt = 0; attempt < READ_ATTEMPTS_MAX; attempt++) {
        const stat = await this.#statOf(name)
        requireReleased(origin, stat)
        if (stat.sequence === gone) throw new StoreError('ERR_CORRUPT', `the bytes of version ${gone} are not there`)
        const body = await openBody(this.#pool, stat.sequence, partOf(stat, range))
        if (body) return { stat, body }
        // It was replaced meanwhile, and its payload let go: the catalog will tell by what.
        gone = stat.sequence
        await this.settled()
      }
      throw new StoreError('ERR_BUSY', `${name.bucket}/${name.key} is being replaced all the time`)
    })
  }

  stat(origin: Origin, name: ObjectName): Promise<ObjectStat> {
    return this.#see(origin, () => this.#statOf(name))
  }

  list(origin: Origin, bucket: string, options: ListOptions): Promise<Listing> {
    return inStoreWords(async () => {
      permit(origin, 'object:read')
      // Of keys that nobody holds the catalog knows all: an upload that asks for one prefix waits for no other upload.
      if (this.#sequencer.bindings.holdsUnder(bucket, options.prefix ?? '')) await this.settled()
      const page = await this.#catalog.list(bucket, options)
      if (page.objects.length + page.prefixes.length === 0) await this.#requireBucket(bucket)
      return page
    })
  }

  /** One that was just made may not be in the catalog yet. */
  async #requireBucket(bucket: string): Promise<void> {
    if (await this.#catalog.hasBucket(bucket)) return
    await this.settled()
    if (!(await this.#catalog.hasBucket(bucket))) throw noBucket(bucket)
  }

  buckets(origin: Origin): Promise<readonly string[]> {
    return this.#see(origin, () => this.#catalog.buckets())
  }

  /** The places of an object's records, in order. */
  sequencesOf(origin: Origin, name: ObjectName): Promise<readonly Sequence[]> {
    return this.#see(origin, async () => {
      const { object } = await this.#statOf(name)
      const sequences = await this.#catalog.streamOf(object)
      if (sequences.length <= this.#streamRecordsMax) return sequences
      throw new StoreError('ERR_TOO_LARGE', `the stream has more than ${this.#streamRecordsMax} records`)
    })
  }

  stream(origin: Origin, name: ObjectName): Promise<readonly AttributeRecord[]> {
    return inStoreWords(async () => {
      const records: AttributeRecord[] = []
      for (const sequence of await this.sequencesOf(origin, name))
        records.push(decodeRecord((await this.#pool.record(sequence)).content))
      return records
    })
  }

  async *tail(origin: Origin, options: TailOptions): AsyncGenerator<TailPage> {
    const ground = { pool: this.#pool, catalog: this.#catalog, recent: this.#recent }
    try {
      const followed = await this.#see(origin, async () => options.name && this.#followed(options.name, options))
      yield* follow(origin, ground, options, followed)
    } catch (error) {
      throw toStoreError(error)
    }
  }

  streamHead(origin: Origin, name: ObjectName): Promise<StreamHead> {
    return this.#see(origin, async () => {
      const head = await this.#headOf(name)
      const contentType = streamTypeOf(head.stat.attributes)
      const [first, last] = [Number(head.stat.object), head.last.sequence]
      return { first, last, ...placeOfHead(head), ...(contentType !== undefined && { contentType }) }
    })
  }

  query(origin: Origin, text: string, options: QueryOptions): Promise<QueryResult> {
    return this.#see(origin, () => this.#catalog.query(text, options))
  }

  facets(origin: Origin, text: string, options: FacetOptions): Promise<Facets> {
    return this.#see(origin, () => this.#catalog.facets(text, options))
  }

  explain(origin: Origin, text: string, options: QueryOptions): Promise<Explanation> {
    return this.#see(origin, () => this.#catalog.explain(text, options))
  }

  applications(): Promise<ReadonlyMap<string, ApplicationRegistration>> {
    return inStoreWords(async () => {
      await this.settled()
      return this.#catalog.applications()
    })
  }

  routes(): Promise<ReadonlyMap<string, RouteRegistration>> {
    return inStoreWords(async () => {
      await this.settled()
      return this.#catalog.routes()
    })
  }

  subscriptions(): Promise<readonly SubscriptionState[]> {
    return inStoreWords(async () => {
      await this.settled()
      return this.#catalog.subscriptions()
    })
  }

  /** Every key that begins with a prefix; ERR_TOO_LARGE when there are more than `keysMax`. */
  keysUnder({ bucket, key: prefix }: ObjectName, keysMax: number): Promise<readonly string[]> {
    return inStoreWords(async () => {
      await this.settled()
      const keys: string[] = []
      let after: string | undefined
      do {
        const options = { prefix, limit: PAGE_KEYS, ...(after !== undefined && { after }) }
        const page = await this.#catalog.list(bucket, options)
        keys.push(...page.objects.map(({ key }) => key))
        if (keys.length > keysMax) throw new StoreError('ERR_TOO_LARGE', `there are more than ${keysMax} objects`)
        after = page.next
      } while (after !== undefined)
      return keys
    })
  }

  #see<T>(origin: Origin, look: () => Promise<T>): Promise<T> {
    return inStoreWords(async () => {
      permit(origin, 'object:read')
      await this.settled()
      return look()
    })
  }

  /** Resolves once the catalog holds whatever was acknowledged by now. */
  settled(): Promise<void> {
    return this.#sequencer.settled(this.#pool.position.sequence)
  }

  async #statOf(name: ObjectName): Promise<ObjectStat> {
    return (await this.#headOf(name)).stat
  }

  async #followed(name: ObjectName, { messages = false }: TailOptions): Promise<Followed> {
    const head = await this.#headOf(name)
    return { object: head.stat.object, last: messages ? placeOfHead(head).next : head.last.sequence }
  }

  async #headOf(name: ObjectName): Promise<ObjectHead> {
    const head = isName(name) ? await this.#catalog.head(name) : undefined
    if (!head) throw noObject(name)
    return head
  }
}

function placeOfHead({ stat: { object }, stream }: ObjectHead): StreamPlace {
  return placeOf({ object, stream })
}
