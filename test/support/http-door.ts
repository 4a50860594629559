import { Registry } from 'prom-client'
import type { HttpOptions } from '../../protocols/index.ts'
import { type Frontend, httpFrontend } from '../../protocols/index.ts'
import { ServedRoutes } from '../../server/mail-routes.ts'
import {
  type Access,
  type ApplicationAdministration,
  type ApplicationSummary,
  type DeadLetter,
  type MemberRequest,
  type Origin,
  type Permission,
  type Policy,
  type PoolAtomicity,
  type PoolInspection,
  type PoolManagement,
  type PoolStatus,
  type Principal,
  type Replay,
  type ScrubReport,
  type ScrubRequest,
  type ScrubStatus,
  StoreError,
  type Subscribed,
  type SubscriptionAdministration,
  type SubscriptionChange,
  type SubscriptionRequest,
  type SubscriptionSummary,
} from '../../streams/index.ts'
import { FakeCustody } from './fake-custody.ts'
import { noPartials } from './fake-partials.ts'
import { FakeStore } from './fake-store.ts'
import { FakeVersions } from './fake-versions.ts'

const permissions: readonly Permission[] = [
  'object:read',
  'object:write',
  'object:retain',
  'object:hold',
  'object:quarantine',
  'bucket:create',
  'bucket:manage',
  'pool:inspect',
  'pool:manage',
  'subscription:manage',
  'application:manage',
]

export const root: Principal = { application: 'root', partition: 'main', permissions }
const reader: Principal = { application: 'reader', partition: 'main', permissions: ['object:read'] }
const principals = new Map([root, reader].map((principal) => [principal.application, principal]))

/** May do everything. */
export const rootAuthorization = 'Bearer root:open sesame'
/** May read objects only. */
export const readerAuthorization = 'Bearer reader:open sesame'
/** Known, and not for http. */
export const cameraAuthorization = 'Bearer camera:open sesame'

/** Knows root, reader, and camera, which may not use http. */
export const access: Access = {
  async verify({ key, secret }, type) {
    const principal = principals.get(key)
    if (secret === 'open sesame' && key === 'camera')
      throw new StoreError('ERR_FORBIDDEN', `camera may not use ${type}`)
    if (secret === 'open sesame' && principal) return principal
    throw new StoreError('ERR_UNAUTHENTICATED', 'unknown key or wrong secret')
  },
}

/** Applications in memory, for whoever has application:manage. */
export function fakeAdministration(): ApplicationAdministration {
  const known = new Map<string, ApplicationSummary>()
  const permit = (origin: Origin): void => require(origin, 'application:manage')
  return {
    async add(origin, { id, types, permissions, password, policy }) {
      permit(origin)
      if (known.has(id)) throw new StoreError('ERR_CONFLICT', `an application ${id} exists`)
      known.set(id, { id, types, permissions, ...(policy && { policy: policy as Policy }) })
      return password === undefined ? { key: id, secret: 'generated' } : { key: id }
    },
    async list(origin) {
      permit(origin)
      return [...known.values()]
    },
    async show(origin, id) {
      permit(origin)
      const found = known.get(id)
      return found && { ...found, usage: { bytes: 0, objects: 0 } }
    },
    async set(origin, id, policy) {
      permit(origin)
      const found = known.get(id)
      if (!found) return undefined
      known.set(id, { ...found, policy: policy as Policy })
      return this.show(origin, id)
    },
    async remove(origin, id) {
      permit(origin)
      return known.delete(id)
    },
  }
}

export class FakePool implements PoolInspection {
  readonly name = 'main'
  state: PoolStatus['state'] = 'open'
  asked: ScrubRequest | undefined
  stopped = 0

  status(origin: Origin): PoolStatus {
    require(origin, 'pool:inspect')
    const used = { historyBytes: 0, extentBytes: 0, stagedBytes: 0, promisedBytes: 0, retiredBytes: 0 }
    const figures = { bytes: 0, freeBytes: 0, ...used }
    const counts = { segments: 0, commits: 0, batches: 0, flushes: 0, checkpoints: 0 }
    return {
      state: this.state,
      position: { pool: 'p', epoch: 1, sequence: 0 },
      atomicity: 'enforced',
      layout: 'concat',
      members: [],
      mended: 0,
      health: 'ok',
      ...figures,
      ...counts,
      recovery: { verdict: 'clean', batchesReplayed: 0, batchesDropped: 0, unreadable: 0 },
    }
  }

  atomicity(origin: Origin): PoolAtomicity {
    require(origin, 'pool:inspect')
    return {
      enforced: true,
      state: 'ok',
      unitBytes: 4096,
      alignmentBytes: 4096,
      transactionBytesMax: 1,
      transactionPayloadsMax: 1,
      inlineBytesMax: 1,
      largePath: 'extent-publish',
      native: { unitMin: 4096, unitMax: 65_536, boundary: 0, source: 'file system' },
      durability: 'flush-before-acknowledge',
      isolation: 'nobody reads what is not durable',
      writeCache: 'write-back',
      flushMicrosecondsP50: 64,
      ordering: 'commit order: a crash leaves a prefix of it',
      redundancy: { dataCopies: 2, journalCopies: 2, stale: [1] },
      checksums: { block: 'crc32c', batch: 'sha256', outOfLine: true },
      faultModel: 'v1',
      journal: { bytes: 0, sinceCheckpointBytes: 0 },
      stripeUnitBytes: 0,
      optimalWriteBytes: 1,
      accepted: ['R16_SAME_DISK'],
      refusedOptions: [{ code: 'R11_ASYNC_ACK', reason: 'no' }],
      epoch: 1,
      lastRecovery: { verdict: 'clean', batchesReplayed: 0, batchesDropped: 0, unreadable: 0 },
    }
  }

  async check(origin: Origin) {
    require(origin, 'pool:inspect')
    return { records: 1, payloadBytes: 2, findings: [{ sequence: 1, problem: 'a bit flipped' }] }
  }

  async scrub(origin: Origin, request: ScrubRequest): Promise<ScrubReport> {
    require(origin, 'pool:inspect')
    this.asked = request
    const figures = { records: 1, bytesVerified: 2, copiesVerified: 3, repairedCount: 0, damagedCount: 1 }
    const finding = { subject: 'payload', kind: 'checksum', member: 0, sequence: 1, offset: 0, length: 4096 } as const
    const cursor = { stage: 'records', sequence: 2, payload: 0, offset: 0 } as const
    return { finished: false, cursor, repaired: [], damaged: [finding], ...figures }
  }

  scrubStatus(origin: Origin): ScrubStatus {
    require(origin, 'pool:inspect')
    const cursor = { stage: 'pages', level: 0, index: 1 } as const
    const progress = { cursor, records: 0, bytesVerified: 1, bytesTotal: 2, repaired: 0, damaged: 0 }
    return { running: true, progress, resumable: false, finished: null }
  }

  async stopScrub(origin: Origin): Promise<void> {
    require(origin, 'pool:inspect')
    this.stopped++
  }
}

/** What was asked of the members of a pool. */
export class FakeManagement implements PoolManagement {
  readonly asked: unknown[] = []
  readonly #pool: FakePool

  constructor(pool: FakePool) {
    this.#pool = pool
  }

  async addDevice(origin: Origin, member: MemberRequest): Promise<PoolStatus> {
    require(origin, 'pool:manage')
    this.asked.push(member)
    return this.#pool.status(origin)
  }

  async replaceDevice(origin: Origin, index: number, member: MemberRequest): Promise<PoolStatus> {
    require(origin, 'pool:manage')
    this.asked.push([index, member])
    return this.#pool.status(origin)
  }
}

/** Subscriptions in memory, to which nothing is delivered. */
export class FakeSubscriptions implements SubscriptionAdministration {
  readonly #known = new Map<string, SubscriptionSummary>()
  /** What was asked for besides, in order. */
  readonly asked: unknown[] = []

  async add(origin: Origin, { url, query = '', format = 'json', after }: SubscriptionRequest): Promise<Subscribed> {
    require(origin, 'subscription:manage')
    if (!url.startsWith('http')) throw new StoreError('ERR_INVALID', 'the target of a webhook is an http or https URL')
    const id = `SB${this.#known.size}`
    const counts = {
      lag: 0,
      delivered: 0,
      failed: 0,
      deadLetters: 1,
      lastDelivery: null,
      lastFailure: null,
      retiringSecrets: [],
    }
    const place = after === undefined || after === 'now' ? 7 : after
    const { application } = origin.principal
    const summary = {
      id,
      application,
      url,
      query,
      format,
      created: 0,
      health: 'idle',
      after: place,
      ...counts,
    } as const
    this.#known.set(id, summary)
    return { ...summary, secret: 'whsec_AAAA' }
  }

  async list(origin: Origin): Promise<readonly SubscriptionSummary[]> {
    require(origin, 'subscription:manage')
    return [...this.#known.values()]
  }

  async show(origin: Origin, id: string): Promise<SubscriptionSummary> {
    require(origin, 'subscription:manage')
    const summary = this.#known.get(id)
    if (!summary) throw new StoreError('ERR_NOT_FOUND', `there is no subscription ${id}`)
    return summary
  }

  async deadLetters(origin: Origin, id: string): Promise<readonly DeadLetter[]> {
    await this.show(origin, id)
    return [{ sequence: 3, attempts: 20, time: 0, reason: 'it answered 500' }]
  }

  async replay(origin: Origin, id: string, replay: Replay): Promise<SubscriptionSummary> {
    this.asked.push(replay)
    return this.show(origin, id)
  }

  async change(origin: Origin, id: string, change: SubscriptionChange): Promise<SubscriptionSummary> {
    this.asked.push(change)
    return this.show(origin, id)
  }

  async rotate(origin: Origin, id: string, overlapSeconds: number): Promise<Subscribed> {
    this.asked.push(overlapSeconds)
    return { ...(await this.show(origin, id)), secret: 'whsec_BBBB' }
  }

  async discard(origin: Origin, id: string): Promise<number> {
    await this.show(origin, id)
    return 1
  }

  async remove(origin: Origin, id: string): Promise<void> {
    await this.show(origin, id)
    this.#known.delete(id)
  }
}

export interface Door extends AsyncDisposable {
  readonly frontend: Frontend
  readonly store: FakeStore
  readonly pool: FakePool
  readonly management: FakeManagement
  readonly subscriptions: FakeSubscriptions
  readonly port: number
  readonly url: string
  /** What was logged as an error. */
  readonly errors: object[]
}

/** The door on a port of its own, over a FakeStore unless another is given. */
export async function openDoor(options: Partial<HttpOptions> = {}): Promise<Door> {
  const store = options.store instanceof FakeStore ? options.store : new FakeStore()
  const pool = new FakePool()
  const management = new FakeManagement(pool)
  const subscriptions = new FakeSubscriptions()
  const errors: object[] = []
  const frontend = httpFrontend({
    store,
    versions: new FakeVersions(),
    partials: { ...noPartials(store), drop: async () => true },
    custody: new FakeCustody(),
    access,
    applications: fakeAdministration(),
    mailRoutes: await ServedRoutes.open({
      store,
      origin: {
        principal: { application: 'cenote', partition: 'main', permissions: ['object:read'] },
        protocol: 'http',
      },
      actor: () => undefined,
      knows: (application) => application === 'partner',
    }),
    pool,
    management,
    subscriptions,
    registry: new Registry(),
    logger: { error: (details) => errors.push(details) },
    host: '127.0.0.1',
    port: 0,
    ...options,
  })
  await frontend.listen()
  const port = Number(frontend.address.slice(frontend.address.lastIndexOf(':') + 1))
  const url = `http://127.0.0.1:${port}`
  return {
    frontend,
    store,
    pool,
    management,
    subscriptions,
    port,
    url,
    errors,
    [Symbol.asyncDispose]: () => frontend.close(),
  }
}

function require(origin: Origin, permission: Permission): void {
  if (origin.principal.permissions.includes(permission)) return
  throw new StoreError('ERR_FORBIDDEN', `${origin.principal.application} lacks ${permission}`)
}
