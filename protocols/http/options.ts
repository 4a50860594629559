import type { Registry } from 'prom-client'
import type {
  Access,
  ApplicationAdministration,
  Custody,
  Partials,
  PoolInspection,
  PoolManagement,
  RouteAdministration,
  Store,
  SubscriptionAdministration,
  Versions,
} from '../../streams/index.ts'
import type { HeldLimits } from './held-pages.ts'

export interface HttpLimits extends HeldLimits {
  /** Bytes of one object. */
  readonly objectBytesMax: number
  /** Bytes of a JSON body. */
  readonly jsonBytesMax: number
  /** Bytes of the request line and the headers together. */
  readonly headerBytesMax: number
  /** How long a client may take to send the headers. */
  readonly headersMsMax: number
  /** How long a body, of a request or of an answer, may make no progress while it is the client's turn. */
  readonly bodyIdleMsMax: number
  /** How long a connection is kept between two requests. */
  readonly keepAliveMsMax: number
  readonly connectionsMax: number
  /** Requests on one connection that wait for the answer before theirs; one more ends the connection. */
  readonly pipelinedMax: number
  /** What is read of a body after its refusal, and for how long, before the connection is cut. */
  readonly discardBytesMax: number
  readonly discardMsMax: number
  /** How long drain() waits for requests in flight. */
  readonly drainMsMax: number
  /** Bytes of one append to a stream. */
  readonly appendBytesMax: number
  /** How long a read of a stream waits for what is to come, and how long events are sent on one connection. */
  readonly longPollMsMax: number
  readonly eventsMsMax: number
}

/** A load balancer keeps idle connections for a minute, so that ours last longer: else it sends into a closing one. */
export const httpLimits: HttpLimits = {
  objectBytesMax: 2 ** 40,
  jsonBytesMax: 1024 * 1024,
  headerBytesMax: 16 * 1024,
  headersMsMax: 15_000,
  bodyIdleMsMax: 60_000,
  keepAliveMsMax: 65_000,
  connectionsMax: 4096,
  pipelinedMax: 32,
  discardBytesMax: 8 * 1024 * 1024,
  discardMsMax: 5_000,
  drainMsMax: 30_000,
  appendBytesMax: 1024 * 1024,
  longPollMsMax: 20_000,
  eventsMsMax: 60_000,
  heldBytesMax: 64 * 1024 * 1024,
  pageBytesMax: 8 * 1024 * 1024,
  roomMsMax: 5_000,
  stalledMsMax: 10_000,
}

export interface HttpLogger {
  error(details: object, message: string): void
}

export interface HttpOptions {
  readonly store: Store
  readonly versions: Versions
  readonly partials: Partials
  readonly custody: Custody
  readonly access: Access
  readonly applications: ApplicationAdministration
  readonly mailRoutes: RouteAdministration
  readonly pool: PoolInspection
  readonly management: PoolManagement
  readonly subscriptions: SubscriptionAdministration
  /** What /metrics shows; the door adds its own figures. */
  readonly registry: Registry
  readonly logger: HttpLogger
  readonly host: string
  /** 0 takes any that is free; the frontend's `address` tells which. */
  readonly port: number
  readonly limits?: Partial<HttpLimits>
  /** Milliseconds that never go back, for the duration of uploads. */
  readonly clock?: { now(): number }
  /** Makes the names of requests differ from those of an earlier process. */
  readonly random?: { bytes(count: number): Uint8Array }
}
