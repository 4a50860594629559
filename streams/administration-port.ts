import type { CheckReport, PoolStatus } from '../pool/index.ts'
import type { Credentials } from './access-port.ts'
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

/** What a principal with `application:manage` may do; ERR_FORBIDDEN for any other. */
export interface ApplicationAdministration {
  /** Resolves with what the application shows from now on; a generated secret is told this once. ERR_CONFLICT when `id` exists. */
  add(origin: Origin, request: ApplicationRequest): Promise<Credentials>
  list(origin: Origin): Promise<readonly ApplicationSummary[]>
  /** False when there was none. */
  remove(origin: Origin, id: string): Promise<boolean>
}

/** What a principal with `pool:inspect` may ask of a pool; ERR_FORBIDDEN for any other. */
export interface PoolInspection {
  readonly name: string
  status(origin: Origin): PoolStatus
  check(origin: Origin): Promise<CheckReport>
}
