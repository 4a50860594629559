import type { Sequence } from '../../pool/index.ts'
import type { Envelope, ObjectName, Origin } from '../envelope.ts'
import type { Upload } from '../store-port.ts'

/** An upload that was cut off, or is underway still: what is durable of it. Nobody else sees it under its name. */
export interface PartialUpload extends ObjectName {
  /** Whose upload it is: of an application there is one under a name. */
  readonly application: string
  /** Its id: the sequence of its first record, as a 16-digit decimal string. */
  readonly upload: string
  readonly size: number
  /** Milliseconds since 1970 of its last record. */
  readonly time: number
  /** The record that owns its bytes. */
  readonly prepared: Sequence
  /** The version that it goes on from: it comes to nothing once that is not the current one. */
  readonly base?: Sequence
}

/**
 *   OPEN ──write──▶ OPEN ──commit──▶ ENDED, as any upload
 *                    ├──suspend──▶ ENDED: what came is durable, and a partial upload
 *                    └──abort──▶ ENDED: nothing of it is left but what it went on from, where nothing more was prepared
 */
export interface ResumableUpload extends Upload {
  /** Its client is gone: makes what came durable, for the next upload to go on with. Never rejects. */
  suspend(reason?: Error): Promise<void>
}

/** Uploads that can be gone on with, by the application whose they are. */
export interface Partials {
  /** An upload that starts anew, whatever there is under its name. */
  begin(envelope: Envelope): Promise<ResumableUpload>
  /**
   * An upload that begins with the first `offset` bytes of what there is under its name, or with all of it: of the partial
   * upload, else of the current object. ERR_RANGE when that has fewer, ERR_BUSY while somebody else goes on with it;
   * ERR_CONFLICT, once, when the version that the partial upload went on from is gone: it is let go by that.
   */
  resume(envelope: Envelope, offset?: number): Promise<ResumableUpload>
  /**
   * The asker's own, unless a version came later than it, or the one that it goes on from is gone. Where it has given way to an
   * object, that is seen by whoever looks from then on.
   */
  find(origin: Origin, name: ObjectName): Promise<PartialUpload | undefined>
  /** The same of all whose keys begin with `prefix`. */
  findAll(origin: Origin, bucket: string, prefix: string): Promise<readonly PartialUpload[]>
  /** Every application's, the oldest first; ERR_FORBIDDEN without `bucket:manage`. */
  list(origin: Origin): Promise<readonly PartialUpload[]>
  /** False when there is none. ERR_FORBIDDEN for another's without `bucket:manage`; ERR_BUSY while it is gone on with. */
  drop(origin: Origin, application: string, name: ObjectName): Promise<boolean>
}
