import type {
  CheckReport,
  MemberRequest,
  PoolAtomicity,
  PoolStatus,
  ScrubProgress,
  ScrubReport,
} from '../pool/index.ts'
import type { Origin } from './envelope.ts'

/** How a scrub is asked for. */
export interface ScrubRequest {
  readonly bytesPerSecond?: number
  /** Goes on where the last one that did not finish stopped. */
  readonly resume?: boolean
}

export interface ScrubStatus {
  readonly running: boolean
  readonly progress: ScrubProgress | null
  /** One that was stopped can be gone on with. */
  readonly resumable: boolean
  /** When the last one finished, in ISO 8601. */
  readonly finished: string | null
}

/** What a principal with `pool:inspect` may ask of a pool; ERR_FORBIDDEN for any other. */
export interface PoolInspection {
  readonly name: string
  status(origin: Origin): PoolStatus
  /** What may be relied on. */
  atomicity(origin: Origin): PoolAtomicity
  check(origin: Origin): Promise<CheckReport>
  /** Resolves when the scrub has finished or was stopped. ERR_BUSY while another one runs. */
  scrub(origin: Origin, request: ScrubRequest): Promise<ScrubReport>
  scrubStatus(origin: Origin): ScrubStatus
  /** Resolves once none runs any more. */
  stopScrub(origin: Origin): Promise<void>
}

/** What a principal with `pool:manage` may change about the members of a pool; ERR_FORBIDDEN for any other. */
export interface PoolManagement {
  /**
   * Makes the pool longer by a device, and tells how it is then. ERR_INVALID with every refusal, ERR_NO_SPACE, ERR_BUSY,
   * ERR_LOCKED.
   */
  addDevice(origin: Origin, member: MemberRequest): Promise<PoolStatus>
  /** Puts a device in the place of a leg of a mirror, once all is copied to it. The same, and ERR_NOT_FOUND. */
  replaceDevice(origin: Origin, index: number, member: MemberRequest): Promise<PoolStatus>
}
