import type { AtomicWriteLimits, Device, Limits } from './device.ts'
import type { PoolError } from './errors.ts'
import type { LayoutName } from './geometry.ts'
import type { ScrubOptions } from './scrub.ts'
import type { ScrubReport } from './scrub-report.ts'

/** A record's place in the pool's stream: 1, 2, 3 … without gaps as records are committed. A safe integer. */
export type Sequence = number

/** Payload bytes on their way in. They are unreachable, and vanish after a crash, until their transaction commits. */
export interface Staging {
  /** Bytes written so far. */
  readonly length: number
  /** Takes a copy of `chunk`; resolves when the pool can take more, which is how back-pressure reaches the socket. */
  write(chunk: Uint8Array): Promise<void>
  /**
   * What was written so far, verified, a bounded part of it in memory at a time. A write, a prepare or the transaction's
   * end meanwhile ends it with ERR_CLOSED. What cannot be read will not be committed, either.
   */
  read(): AsyncIterable<Uint8Array>
  /**
   * Holds nothing in memory any more: the device has it, however small it is. For one of many payloads of a transaction,
   * of which nothing more is to come; a write is taken all the same.
   */
  shed(): Promise<void>
}

/** One record to commit: opaque content, and the payloads that it owns from then on. */
export interface RecordDraft {
  readonly content: Uint8Array
  readonly payloads: readonly Staging[]
}

/** Lets go of one payload of an earlier record: its space comes back. The record itself stays. */
export interface Release {
  readonly sequence: Sequence
  readonly payload: number
}

/** What a transaction makes true, all of it or nothing. */
export interface Draft {
  readonly records: readonly RecordDraft[]
  readonly releases: readonly Release[]
  /**
   * Called at once, before anything else is drafted, when the pool refuses the transaction all the same, as when it
   * is too large: what drafting it changed in memory is to be taken back. Its sequences go to whoever comes next.
   */
  refused?(): void
}

/**
 * Called once, synchronously, when the pool gives the transaction its place: `first` is the sequence of the draft's
 * first record. This is the moment to check preconditions: a throw refuses the transaction, and nothing is written.
 * Unless `refused` is called, the outcome is the disk's alone from then on.
 */
export type Drafting = (first: Sequence) => Draft

/**
 *   OPEN ──stage/write──▶ STAGED ──commit──▶ SEQUENCED ──flush──▶ DURABLE
 *                          │    ▲
 *       abort ◀────────────┤    └── resume
 *                          └──prepare──▶ PREPARED (durable, still unreachable)
 */
export interface Transaction {
  /** Opens one more payload. */
  stage(): Staging
  /** Gives one payload back, and goes on without it. Not for one that a prepared record owns. */
  drop(payload: Staging): Promise<void>
  /**
   * Keeps room for payloads of so many bytes more, until the transaction ends: they will not be refused for want of
   * space. What is used too slowly is kept only until somebody else lacks room. ERR_NO_SPACE when there is not so much
   * beside what others were promised; where the pool can still grow by what is missing, nothing is kept and nothing
   * refused.
   */
  reserve(bytes: number): Promise<void>
  /**
   * Resolves with the first record's sequence once everything is durable.
   * Rejects with ERR_NO_SPACE, ERR_LIMITS or ERR_BUSY when refused, with what `drafting` threw, or with
   * ERR_OUTCOME_UNKNOWN when the device failed underway.
   */
  commit(drafting: Drafting): Promise<Sequence>
  /**
   * Makes what is staged so far durable under the one record of the draft, which owns the payloads in the order in which
   * they were staged, and goes on. The commit (or a later prepare) takes the payloads over. Resolves with that record's
   * sequence, which `Pool.resume` takes after a restart. `sealed` is called once, synchronously: what is written from
   * then on is not part of it.
   */
  prepare(drafting: Drafting, sealed?: () => void): Promise<Sequence>
  /** Gives back everything staged. Void after commit() was called. */
  abort(): Promise<void>
}

/** A committed record as the pool knows it. */
export interface PoolRecord {
  readonly sequence: Sequence
  readonly content: Uint8Array
  /** Length of each payload in bytes. */
  readonly payloads: readonly number[]
}

export interface PayloadRange {
  readonly offset: number
  readonly length: number
}

/** Where the pool is, for a derived store to know whether it belongs to it. */
export interface PoolPosition {
  readonly pool: string
  readonly epoch: number
  /** The last durable record; 0 when there is none. */
  readonly sequence: Sequence
}

/** What a pool takes, asked before it is written to. */
export interface PoolLimits {
  /** Records, and payloads small enough to travel with them, of one transaction. */
  readonly transactionBytesMax: number
  /** Of the free bytes, those that payloads do not get: they are kept for records, compaction and deletes. */
  readonly reserveBytes: number
}

export interface PoolStatus {
  readonly state: 'open' | 'halted' | 'closed'
  readonly position: PoolPosition
  readonly atomicity: 'enforced' | 'none'
  readonly layout: LayoutName
  readonly members: readonly MemberStatus[]
  /** Whether somebody should look: a member is out of use or missing, or a device does not answer in time. */
  readonly health: 'ok' | 'stalled' | 'degraded' | 'halted'
  /** Copies that were found wrong and written anew, since it was opened. */
  readonly mended: number
  readonly bytes: number
  readonly freeBytes: number
  readonly historyBytes: number
  readonly extentBytes: number
  readonly stagedBytes: number
  /** Of what is free, what uploads underway were promised. */
  readonly promisedBytes: number
  /** Space to which a write has failed since it was opened: nobody is given it before it is opened again. */
  readonly retiredBytes: number
  readonly segments: number
  readonly commits: number
  readonly batches: number
  readonly flushes: number
  readonly checkpoints: number
  /** How the last open found the journal's end. */
  readonly recovery: RecoverySummary
}

export interface MemberStatus {
  /** Its path, when it has one and is there. */
  readonly device?: string
  readonly state: 'in-sync' | 'stale' | 'missing'
  readonly bytes: number
  /** Why it was taken out of use since the pool was opened. */
  readonly failure?: string
  /** What a file or a block device tells of itself, since it was opened. */
  readonly figures?: MemberFigures
}

export interface MemberFigures {
  readonly kind: 'file' | 'block device'
  readonly io: 'direct' | 'buffered'
  /** Half of its flushes took no longer, rounded up to a power of two. */
  readonly flushMicrosecondsP50: number
  /** Flushes by how long they took: `buckets[i]` those of less than 2^i µs and not in one before, the last all beyond. */
  readonly flushes: { readonly count: number; readonly microseconds: number; readonly buckets: readonly number[] }
  /** Requests that took too long. */
  readonly stalls: number
  /** One is underway that has taken too long. */
  readonly isStalled: boolean
}

/** What an application may rely on (US 7,346,748: what it may ask with the appropriate permission). Sizes in bytes. */
export interface PoolAtomicity {
  readonly enforced: boolean
  readonly state: 'ok' | 'degraded' | 'halted' | 'closed'
  /** The smallest thing that is written whole, and what writes are aligned to. */
  readonly unitBytes: number
  readonly alignmentBytes: number
  /** Records and inline payloads of a transaction; large payloads do not count. */
  readonly transactionBytesMax: number
  readonly transactionPayloadsMax: number
  readonly inlineBytesMax: number
  readonly largePath: 'extent-publish'
  /** What the devices themselves write all or nothing; null unless they say so beyond doubt. */
  readonly native: NativeAtomicity | null
  /** On a pool without atomicity nothing is promised, though it waits for the devices all the same. */
  readonly durability: 'flush-before-acknowledge' | 'not promised'
  readonly isolation: 'nobody reads what is not durable'
  readonly writeCache: Limits['writeCache']
  /** Half of the flushes of the slowest member took no longer; 0 while nobody has measured. */
  readonly flushMicrosecondsP50: number
  readonly ordering: 'commit order: a crash leaves a prefix of it'
  readonly redundancy: {
    readonly dataCopies: number
    readonly journalCopies: number
    readonly stale: readonly number[]
  }
  readonly checksums: { readonly block: 'crc32c'; readonly batch: 'sha256'; readonly outOfLine: true }
  /** The faults that docs/TESTING.md lists under this name; null on a pool that promises nothing. */
  readonly faultModel: 'v1' | null
  readonly journal: { readonly bytes: number; readonly sinceCheckpointBytes: number }
  /** 0 where nothing is striped. */
  readonly stripeUnitBytes: number
  readonly optimalWriteBytes: number
  /** Refusals that were accepted by name when the pool was made. */
  readonly accepted: readonly string[]
  /** All that is refused to this pool, at any time. */
  readonly refusedOptions: readonly { readonly code: string; readonly reason: string }[]
  readonly epoch: number
  readonly lastRecovery: RecoverySummary
}

export interface NativeAtomicity extends AtomicWriteLimits {
  /** Who vouches for it, of all members: the kernel for a device, or a file system that may do it by copying. */
  readonly source: 'block device' | 'file system'
}

export interface RecoverySummary {
  readonly verdict: 'clean' | 'complete' | 'torn-tail' | 'reordered-tail'
  readonly batchesReplayed: number
  /** Batches after the end that were never acknowledged and were dropped. */
  readonly batchesDropped: number
  /** Reads that failed, of which another copy was right. */
  readonly unreadable: number
}

/** What `check` found wrong: a sentence, and the record concerned where one is. */
export interface Finding {
  readonly sequence?: Sequence
  readonly problem: string
}

export interface CheckReport {
  readonly records: number
  readonly payloadBytes: number
  readonly findings: readonly Finding[]
}

/** Told of records, from one to another, that cannot be read, and why. */
export type OnLost = (first: Sequence, last: Sequence, error: PoolError) => void

/** The pool by record: bytes, blocks and order. It knows no protocol, no name and no JSON. */
export interface Pool {
  readonly limits: PoolLimits
  readonly position: PoolPosition
  begin(): Transaction
  /** Goes on with a transaction that was prepared before a restart. */
  resume(prepared: Sequence): Promise<{ readonly transaction: Transaction; readonly payloads: readonly Staging[] }>
  record(sequence: Sequence): Promise<PoolRecord>
  /** Payload bytes in order; no byte leaves before its 64 KiB block's checksum was verified. */
  read(sequence: Sequence, payload: number, range?: PayloadRange): AsyncIterable<Uint8Array>
  /**
   * Durable records from `from` on, in order; the one way to rebuild anything derived. Ends at the last durable one. What
   * lies before them in their segment is read once, and not again for those that follow. With `onLost` it goes on behind
   * records that are damaged, and tells which.
   */
  replay(from: Sequence, onLost?: OnLost): AsyncIterable<PoolRecord>
  checkpoint(): Promise<void>
  /** Reads and verifies every live byte and record; goes on to the end. */
  check(): Promise<CheckReport>
  status(): PoolStatus
  /** Waits for commits underway, writes a last checkpoint and closes the device. */
  close(): Promise<void>
}

/** Told of bytes done so far, and of all. */
export type FillProgress = (done: number, total: number) => void

/** A pool and the devices under it, for whoever looks after them. */
export interface ManagedPool extends Pool {
  /** What an application may rely on. */
  atomicity(): PoolAtomicity
  /**
   * Verifies every copy of everything and repairs what is right on another copy, while commits go on. ERR_BUSY while
   * another scrub runs, ERR_LIMITS for a cursor that is none, ERR_HALTED.
   */
  scrub(options?: ScrubOptions): Promise<ScrubReport>
  /** Makes a concat pool longer by a device, which becomes the pool's. ERR_LIMITS (R24), ERR_BUSY. */
  addMember(device: Device): Promise<void>
  /**
   * Puts a device in the place of a leg of a mirror, and copies everything to it first; commits go on meanwhile. Every
   * copy is verified before the old leg goes: resolves with what was repaired, and what is right on no leg.
   * ERR_NOT_FOUND, ERR_LIMITS (R24), ERR_BUSY, ERR_IO; then nothing has changed.
   */
  replaceMember(index: number, device: Device, onProgress?: FillProgress): Promise<ScrubReport>
}
