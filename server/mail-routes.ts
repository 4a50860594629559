import { type MailRoute, type MailRoutes, Networks, patternOf, RouteTable } from '../protocols/index.ts'
import {
  type Origin,
  type Principal,
  permit,
  type RouteAdministration,
  type RouteChange,
  type RouteRegistration,
  type RouteSummary,
  type Store,
  StoreError,
} from '../streams/index.ts'
import { changedRoute } from './route-members.ts'

export interface RoutesOptions {
  readonly store: Pick<Store, 'routes' | 'route' | 'buckets'>
  /** As whom the server looks for buckets. */
  readonly origin: Origin
  /** An application that may send mail from an address; throws ERR_FORBIDDEN where it may not, undefined for none. */
  readonly actor: (application: string, address: string) => Principal | undefined
  readonly knows: (application: string) => boolean
  readonly routesMax?: number
}

/** As it stays when no host, sender or application of it is asked for. */
interface Held extends MailRoute {
  readonly registration: RouteRegistration
}

/**
 * The routes of mail, in memory: read once at start, and changed only by this process from then on, after each change is
 * durable in the store.
 */
export class ServedRoutes implements RouteAdministration {
  readonly #options: RoutesOptions
  readonly #routesMax: number
  readonly #table = new RouteTable<Held>()
  readonly #changing = new Set<string>()

  private constructor(options: RoutesOptions) {
    this.#options = options
    this.#routesMax = options.routesMax ?? 10_000
  }

  static async open(options: RoutesOptions): Promise<ServedRoutes> {
    const routes = new ServedRoutes(options)
    for (const [id, registration] of await options.store.routes()) routes.#hold(id, registration)
    return routes
  }

  /** What the doors ask. */
  get table(): MailRoutes {
    return this.#table
  }

  async add(origin: Origin, address: string, asked: RouteChange): Promise<RouteSummary> {
    permit(origin, 'application:manage')
    const id = patternOf(address)
    return this.#change(id, async () => {
      if (this.#table.get(id)) throw new StoreError('ERR_CONFLICT', `there is a route of ${id}`)
      if (this.#table.size >= this.#routesMax)
        throw new StoreError('ERR_QUOTA', `there are ${this.#routesMax} routes, and no more may be`)
      return this.#put(origin, id, asked)
    })
  }

  async list(origin: Origin): Promise<readonly RouteSummary[]> {
    permit(origin, 'application:manage')
    return Array.from(this.#table, summary).sort((one, other) => (one.address < other.address ? -1 : 1))
  }

  async show(origin: Origin, address: string): Promise<RouteSummary | undefined> {
    permit(origin, 'application:manage')
    const route = this.#table.get(patternOf(address))
    return route && summary(route)
  }

  async set(origin: Origin, address: string, change: RouteChange): Promise<RouteSummary | undefined> {
    permit(origin, 'application:manage')
    const id = patternOf(address)
    return this.#change(id, async () => (this.#table.get(id) ? this.#put(origin, id, change) : undefined))
  }

  async remove(origin: Origin, address: string): Promise<boolean> {
    permit(origin, 'application:manage')
    const id = patternOf(address)
    return this.#change(id, async () => {
      if (!this.#table.get(id)) return false
      await this.#options.store.route(origin, id, null)
      return this.#table.delete(id)
    })
  }

  async #put(origin: Origin, id: string, change: RouteChange): Promise<RouteSummary> {
    const { store, knows } = this.#options
    const registration = changedRoute(this.#table.get(id)?.registration, change)
    const { bucket, application } = registration
    if (!(await store.buckets(this.#options.origin)).includes(bucket))
      throw new StoreError('ERR_INVALID', `there is no bucket ${bucket}, and mail makes none`)
    if (!knows(application)) throw new StoreError('ERR_INVALID', `there is no application ${application}`)
    await store.route(origin, id, registration)
    return summary(this.#hold(id, registration))
  }

  #hold(id: string, registration: RouteRegistration): Held {
    const { bucket, prefix = '', parts, networks = [], senders, unverified, application } = registration
    const isOpen = senders !== undefined || unverified !== undefined
    const route: Held = {
      id,
      registration,
      bucket,
      prefix,
      parts,
      networks: new Networks(networks),
      strangers: isOpen ? { senders: senders ?? ['*'], unverified: unverified ?? 'reject' } : undefined,
      actor: (address) => this.#options.actor(application, address),
    }
    this.#table.set(route)
    return route
  }

  /** One change of a route at a time; the second of two at once is refused rather than made to wait. */
  async #change<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (this.#changing.has(id)) throw new StoreError('ERR_CONFLICT', `the route of ${id} is being changed`)
    this.#changing.add(id)
    return work().finally(() => this.#changing.delete(id))
  }
}

function summary({ id, registration }: Held): RouteSummary {
  return { address: id, ...registration }
}
