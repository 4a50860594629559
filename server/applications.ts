import { Networks } from '../protocols/index.ts'
import type { ApplicationRegistration, Credentials, Principal, Store } from '../streams/index.ts'
import { permissions, requestTypes } from './rights.ts'
import type { SecretSeal } from './secrets.ts'

/** The one partition that this process serves. */
export const partition = 'main'

/** Names the server itself in the records that it writes; no application may have this id. */
export const serverPrincipal: Principal = Object.freeze({ application: 'cenote', partition, permissions })

/** What hosts of the allowed networks act as when they deliver mail without a login. */
export const networkPrincipal: Principal = Object.freeze({
  application: 'network',
  partition,
  permissions: Object.freeze(['object:write'] as const),
})

const reservedIds = [serverPrincipal.application, networkPrincipal.application]

/** An application as it is now; one that was removed and added again is another Application. */
export interface Application {
  readonly principal: Principal
  readonly registration: ApplicationRegistration
  /** Where it may come from; undefined for anywhere. */
  readonly networks: Networks | undefined
}

export interface ApplicationsOptions {
  readonly seal: SecretSeal
  /** Defined by the environment: has every type and permission, and is never stored. */
  readonly root?: Credentials | undefined
}

/**
 * The registered applications, in memory: read once at start, and changed only by this process from then on, after each
 * change is durable in the store.
 */
export class Applications implements Iterable<Application> {
  readonly #seal: SecretSeal
  readonly #applications = new Map<string, Application>()
  /** The id of the root application that the environment defines. */
  readonly root: string | undefined

  private constructor({ seal, root }: ApplicationsOptions) {
    this.#seal = seal
    this.root = root?.key
  }

  /** Throws ERR_CORRUPT when a stored secret was sealed under another master key. */
  static async open(store: Pick<Store, 'applications'>, options: ApplicationsOptions): Promise<Applications> {
    const applications = new Applications(options)
    for (const [id, registration] of await store.applications()) {
      applications.hold(id, registration)
      applications.secretOf(id)
    }
    const { root } = options
    if (root) applications.hold(root.key, applications.sealed(root, { types: requestTypes, permissions }))
    return applications
  }

  get size(): number {
    return this.#applications.size
  }

  [Symbol.iterator](): Iterator<Application> {
    return this.#applications.values()
  }

  get(id: string): Application | undefined {
    return this.#applications.get(id)
  }

  /** Whether this very application is registered still. */
  holds(application: Application): boolean {
    return this.get(application.principal.application) === application
  }

  hold(id: string, registration: ApplicationRegistration): void {
    const known = permissions.filter((permission) => registration.permissions.includes(permission))
    const { policy } = registration
    const held = { application: id, partition, permissions: Object.freeze(known) }
    const principal = Object.freeze(policy ? { ...held, policy } : held)
    const networks = policy?.networks && new Networks(policy.networks)
    this.#applications.set(id, { principal, registration, networks })
  }

  drop(id: string): boolean {
    return this.#applications.delete(id)
  }

  /** A registration whose secret can be read again with the master key. */
  sealed({ key, secret }: Credentials, granted: Omit<ApplicationRegistration, 'secret'>): ApplicationRegistration {
    return { ...granted, secret: { kind: 'sealed', value: this.#seal.seal(key, secret) } }
  }

  /** The secret of an application, where it is sealed; a password that a person chose cannot be known. */
  secretOf(id: string): string | undefined {
    const secret = this.get(id)?.registration.secret
    return secret?.kind === 'sealed' ? this.#seal.open(id, secret.value) : undefined
  }
}

export const applicationIdWords =
  '1 to 64 of letters, digits, dot, underscore and hyphen, and neither cenote nor network'

/** An application's id is the key that it shows. The server's own names are taken. */
export function isApplicationId(id: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(id) && !reservedIds.includes(id)
}
