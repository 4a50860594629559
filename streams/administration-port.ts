import type { Origin, Permission, RequestType } from './envelope.ts'
import type { Policy, PolicyChange } from './policy/policy.ts'
import type { Usage } from './policy/usage.ts'
import type { RouteRegistration } from './records/record.ts'

export interface ApplicationRequest {
  readonly id: string
  readonly types: readonly RequestType[]
  readonly permissions: readonly Permission[]
  /** A secret that a person chose; without one a secret is generated. */
  readonly password?: string
  readonly policy?: PolicyChange
}

export interface ApplicationSummary {
  readonly id: string
  readonly types: readonly string[]
  readonly permissions: readonly string[]
  readonly policy?: Policy
}

/** With what it has stored and is kept, older versions included. */
export interface ApplicationDetail extends ApplicationSummary {
  readonly usage: Usage
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
  /** Undefined when there is none. */
  show(origin: Origin, id: string): Promise<ApplicationDetail | undefined>
  /** Changes what an application is held to, from its next request and session on; undefined when there is none. */
  set(origin: Origin, id: string, change: PolicyChange): Promise<ApplicationDetail | undefined>
  /** False when there was none. */
  remove(origin: Origin, id: string): Promise<boolean>
}

/** A route of mail, and the addresses that it is for. */
export interface RouteSummary extends RouteRegistration {
  readonly address: string
}

/** null takes a member away; what is absent stays. */
export type RouteChange = {
  readonly [Member in keyof RouteRegistration]?: RouteRegistration[Member] | null
}

/** What a principal with `application:manage` may do with the routes of mail; ERR_FORBIDDEN for any other. */
export interface RouteAdministration {
  /** ERR_CONFLICT when these addresses have one. */
  add(origin: Origin, address: string, asked: RouteChange): Promise<RouteSummary>
  list(origin: Origin): Promise<readonly RouteSummary[]>
  /** Undefined when there is none. */
  show(origin: Origin, address: string): Promise<RouteSummary | undefined>
  /** From the next recipient on; undefined when there is none. */
  set(origin: Origin, address: string, change: RouteChange): Promise<RouteSummary | undefined>
  /** False when there was none. */
  remove(origin: Origin, address: string): Promise<boolean>
}
