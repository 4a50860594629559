import type { CheckReport, PoolStatus, ScrubProgress, ScrubReport } from '../pool/index.ts'
import type { Origin, Permission, RequestType } from './envelope.ts'

export interface ApplicationRequest {
  readonly id: string
  readonly types: readonly RequestType[]
  readonly permissions: readonly Permission[]
  /** A secret that a person chose; without one a secret is generated. */
  readonly password?: string
}

export interface ApplicationSummary {
  readonly id: string
  readonly types: readonly string[]
  readonly permissions: readonly string[]
}

/** What an application shows from now on. */
export interface Admitted {
  readonly key: string
  /** Generated, and told this once; undefined where a person chose one, which is not repeated. */
  readonly secret?: string
}

/** What a principal with `application:manage` may do; ERR_FORBIDDEN for any other. */
export interface ApplicationAdministration {
  /** ERR_CONFLICT when `id` exists. */
  add(origin: Origin, request: ApplicationRequest): Promise<Admitted>
  list(origin: Origin): Promise<readonly ApplicationSummary[]>
  /** False when there was none. */
  remove(origin: Origin, id: string): Promise<boolean>
}

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
  check(origin: Origin): Promise<CheckReport>
  /** Resolves when the scrub has finished or was stopped. ERR_BUSY while another one runs. */
  scrub(origin: Origin, request: ScrubRequest): Promise<ScrubReport>
  scrubStatus(origin: Origin): ScrubStatus
  /** Resolves once none runs any more. */
  stopScrub(origin: Origin): Promise<void>
}
