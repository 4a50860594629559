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
