import type {
  Admitted,
  ApplicationAdministration,
  ApplicationDetail,
  ApplicationRegistration,
  ApplicationRequest,
  ApplicationSummary,
  Origin,
  PolicyChange,
  Store,
} from '../streams/index.ts'
import { permit, StoreError } from '../streams/index.ts'
import { type Application, type Applications, applicationIdWords, isApplicationId } from './applications.ts'
import type { RandomBytes } from './master-key.ts'
import { type Passwords, passwordBytesMax, passwordBytesMin } from './passwords.ts'
import { changedPolicy } from './policies.ts'
import { permissions, requestTypes } from './rights.ts'
import { generateSecret } from './secrets.ts'

export interface AdministrationOptions {
  readonly applications: Applications
  readonly store: Pick<Store, 'register' | 'usage'>
  readonly passwords: Passwords
  readonly random: RandomBytes
  readonly applicationsMax?: number
}

/** Adds and removes applications: first in the store, then, once that is durable, in the memory of this process. */
export class Administration implements ApplicationAdministration {
  readonly #applications: Applications
  readonly #store: Pick<Store, 'register' | 'usage'>
  readonly #passwords: Passwords
  readonly #random: RandomBytes
  readonly #applicationsMax: number
  readonly #changing = new Set<string>()

  constructor({ applications, store, passwords, random, applicationsMax = 10_000 }: AdministrationOptions) {
    this.#applications = applications
    this.#store = store
    this.#passwords = passwords
    this.#random = random
    this.#applicationsMax = applicationsMax
  }

  async add(origin: Origin, request: ApplicationRequest): Promise<Admitted> {
    permit(origin, 'application:manage')
    const granted = checkedGrant(origin, request)
    const key = checkedId(request)
    return this.#change(key, async () => {
      this.#requireFree(key)
      const { password } = request
      const secret = generateSecret(this.#random)
      const registration =
        password === undefined
          ? this.#applications.sealed({ key, secret }, granted)
          : { ...granted, secret: await this.#hashed(password) }
      await this.#store.register(origin, key, registration)
      this.#applications.hold(key, registration)
      return password === undefined ? { key, secret } : { key }
    })
  }

  async list(origin: Origin): Promise<readonly ApplicationSummary[]> {
    permit(origin, 'application:manage')
    return Array.from(this.#applications, summary).sort((one, other) => (one.id < other.id ? -1 : 1))
  }

  async show(origin: Origin, id: string): Promise<ApplicationDetail | undefined> {
    permit(origin, 'application:manage')
    const application = this.#applications.get(id)
    return application && { ...summary(application), usage: await this.#store.usage(id) }
  }

  async set(origin: Origin, id: string, change: PolicyChange): Promise<ApplicationDetail | undefined> {
    permit(origin, 'application:manage')
    if (id === this.#applications.root) throw new StoreError('ERR_INVALID', `${id} is defined by CENOTE_ROOT_KEY`)
    return this.#change(id, async () => {
      const before = this.#applications.get(id)?.registration
      if (before === undefined) return undefined
      const { policy: was, ...rest } = before
      const policy = changedPolicy(was, change)
      const registration = policy ? { ...rest, policy } : rest
      await this.#store.register(origin, id, registration)
      this.#applications.hold(id, registration)
      return this.show(origin, id)
    })
  }

  /** Nobody removes itself: whoever removes remains, so that there is always one that may manage. */
  async remove(origin: Origin, id: string): Promise<boolean> {
    permit(origin, 'application:manage')
    if (id === origin.principal.application) throw new StoreError('ERR_INVALID', 'an application cannot remove itself')
    if (id === this.#applications.root) throw new StoreError('ERR_INVALID', `${id} is defined by CENOTE_ROOT_KEY`)
    return this.#change(id, async () => {
      if (this.#applications.get(id) === undefined) return false
      await this.#store.register(origin, id, null)
      return this.#applications.drop(id)
    })
  }

  async #hashed(password: string): Promise<ApplicationRegistration['secret']> {
    const bytes = Buffer.byteLength(password)
    if (bytes >= passwordBytesMin && bytes <= passwordBytesMax) {
      return { kind: 'argon2id', value: await this.#passwords.hash(password) }
    }
    throw new StoreError('ERR_INVALID', `a password has ${passwordBytesMin} to ${passwordBytesMax} bytes`)
  }

  #requireFree(id: string): void {
    if (this.#applications.get(id)) throw new StoreError('ERR_CONFLICT', `an application ${id} exists`)
    if (this.#applications.size < this.#applicationsMax) return
    throw new StoreError('ERR_QUOTA', `there are ${this.#applicationsMax} applications, and no more may be`)
  }

  /** One change of an application at a time; the second of two at once is refused rather than made to wait. */
  async #change<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (this.#changing.has(id)) throw new StoreError('ERR_CONFLICT', `application ${id} is being changed`)
    this.#changing.add(id)
    return work().finally(() => this.#changing.delete(id))
  }
}

function checkedId({ id }: ApplicationRequest): string {
  if (isApplicationId(id)) return id
  throw new StoreError('ERR_INVALID', `an application id is ${applicationIdWords}`)
}

/** Nobody grants a permission that it does not have itself. */
function checkedGrant(origin: Origin, request: ApplicationRequest): Omit<ApplicationRegistration, 'secret'> {
  const granted = {
    types: requestTypes.filter((type) => request.types.includes(type)),
    permissions: permissions.filter((permission) => request.permissions.includes(permission)),
  }
  const policy = changedPolicy(undefined, request.policy ?? {})
  const unknown = [...request.types, ...request.permissions].find(
    (name) => ![...granted.types, ...granted.permissions].some((known) => known === name),
  )
  if (unknown !== undefined) throw new StoreError('ERR_INVALID', `there is no request type or permission ${unknown}`)
  if (granted.types.length === 0)
    throw new StoreError('ERR_INVALID', 'an application needs a request type to be of use')
  for (const permission of granted.permissions) permit(origin, permission)
  return policy ? { ...granted, policy } : granted
}

function summary({ principal, registration: { secret: _, ...shown } }: Application): ApplicationSummary {
  return { id: principal.application, ...shown }
}
