import type { Pool, Sequence } from '../../pool/index.ts'
import type { Catalog } from '../catalog/catalog-port.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import type { RecentRecords } from './recent-records.ts'
import { type RecordTest, recordTest } from './record-query.ts'
import { PAGE_RECORDS_MAX, type TailPage, TailPageBuilder } from './tail-page.ts'
import { objectSource, partitionSource, type TailSource } from './tail-source.ts'

export interface TailOptions {
  /** Begins with the record after this sequence: 0 for the first one, `now` for what is to come. */
  readonly after: Sequence | 'now'
  /** Follows the stream of the object bound to this name, whatever it is renamed to; without it the partition's. */
  readonly name?: ObjectName
  /** Of a stream that an application made: its messages, and nothing else that is said of it. */
  readonly messages?: boolean
  /** Only records that meet it, each by what it says itself. */
  readonly query?: string
  /** Asked before each page. */
  readonly room?: PageRoom
  /** Ends it. */
  readonly signal: AbortSignal
}

/** Whoever follows says when there is room for a page. */
export interface PageRoom {
  /** Resolves when a page may be made, or when none is wanted any more. */
  take(): Promise<void>
  /** There is none to be made for now. */
  leave(): void
}

export interface TailGround {
  readonly pool: Pool
  readonly catalog: Catalog
  readonly recent: RecentRecords
}

/** An object, and the last record of its stream. */
export interface Followed {
  readonly object: string
  readonly last: Sequence
}

const anyRoom: PageRoom = { take: async () => {}, leave: () => {} }
const everything: RecordTest = () => true

/**
 * Follows a stream: that of `followed`, which ends with the object, or the partition's.
 *
 *   PAST ──the recent records reach back to where it is──▶ PRESENT ──nothing more──▶ WAITING
 *    ▲  (pages from the pool)                                │  ▲  (pages from memory)   │
 *    └──────it is so slow that they no longer reach back─────┘  └─────a record comes─────┘
 *
 * 1. Every record of the stream is in one page, in order, once it is durable and every one before it is.
 * 2. It holds one page. Whoever takes the next page late costs no memory: what has gone by is read from the pool.
 * 3. The first page comes at once, whatever it holds; a later one when there is something to tell.
 */
export function follow(
  origin: Origin,
  { pool, catalog, recent }: TailGround,
  { after, query, messages = false, room = anyRoom, signal }: TailOptions,
  followed: Followed | undefined,
): AsyncGenerator<TailPage> {
  const test = query === undefined ? everything : recordTest(query)
  const source = followed ? objectSource({ pool, catalog, object: followed.object, messages }) : partitionSource(pool)
  const end = Math.max(recent.last, pool.position.sequence)
  const next = after === 'now' ? (followed?.last ?? recent.last) : placeWithin(after, end)
  return new Tail(source, recent, () => new TailPageBuilder(origin, test), room, signal).pages(next)
}

function placeWithin(after: Sequence, end: Sequence): Sequence {
  if (Number.isSafeInteger(after) && after >= 0 && after <= end) return after
  throw new StoreError('ERR_INVALID', `no stream goes on after record ${after}: the last one is ${end}`)
}

class Tail {
  readonly #source: TailSource
  readonly #recent: RecentRecords
  readonly #open: () => TailPageBuilder
  readonly #room: PageRoom
  readonly #signal: AbortSignal
  /** All up to it were looked at; the place of an object's reader lies before it as a rule. */
  #looked: Sequence = 0
  /** With what was looked at the stream is over; it goes on when a delete marker is removed. */
  #isOver = false
  #isEnded = false

  constructor(
    source: TailSource,
    recent: RecentRecords,
    open: () => TailPageBuilder,
    room: PageRoom,
    signal: AbortSignal,
  ) {
    this.#source = source
    this.#recent = recent
    this.#open = open
    this.#room = room
    this.#signal = signal
  }

  async *pages(start: Sequence): AsyncGenerator<TailPage> {
    let next = start
    let hasTold = false
    this.#looked = start
    while (!this.#isEnded && !this.#signal.aborted) {
      if (hasTold) await this.#recent.changed(this.#looked, this.#signal)
      for await (const page of this.#roomy(this.#more(next))) {
        if (hasTold && page.next === next) continue
        yield page
        if (this.#signal.aborted) return
        hasTold = true
        next = page.next
      }
    }
  }

  /** Has room taken before each page is made, and left when there is none. */
  async *#roomy(pages: AsyncGenerator<TailPage>): AsyncGenerator<TailPage> {
    try {
      for (;;) {
        await this.#room.take()
        if (this.#signal.aborted) return
        const page = await pages.next()
        if (page.done) return
        yield page.value
      }
    } finally {
      this.#room.leave()
      await pages.return(undefined)
    }
  }

  /** What there is by now, from memory if it reaches back so far. */
  async *#more(next: Sequence): AsyncGenerator<TailPage> {
    if (this.#recent.after(this.#looked, 0)) return yield this.#present(next)
    const end = this.#recent.last
    this.#isOver = yield* this.#source.past(next, end, this.#open)
    this.#looked = end
    this.#isEnded = this.#isOver && end >= this.#recent.last
  }

  #present(start: Sequence): TailPage {
    const page = this.#open()
    let next = start
    for (const sized of this.#recent.after(this.#looked, PAGE_RECORDS_MAX) ?? []) {
      if (page.isFull) break
      const { record } = sized
      if (this.#source.has(record)) page.take(sized)
      next = this.#source.passed(record, next)
      this.#looked = record.sequence
      this.#isOver = this.#source.isOver(record, this.#isOver)
    }
    const upToDate = this.#looked >= this.#recent.last
    this.#isEnded = this.#isOver && upToDate
    return page.page(next, upToDate)
  }
}
