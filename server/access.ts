import { createHash, timingSafeEqual } from 'node:crypto'
import type { ChallengeAccess, Credentials, Principal, RequestType } from '../streams/index.ts'
import { StoreError } from '../streams/index.ts'
import type { Application, Applications } from './applications.ts'
import type { EvidenceCache } from './evidence.ts'
import { type Passwords, passwordBytesMax } from './passwords.ts'

/**
 * Which application is it, and may it use this request type? Asked for each request, before any filter runs.
 *
 * What was proved is remembered together with the Application it was proved for, and holds only while that very one is
 * registered: a removal counts from the next request on.
 */
export class ApplicationAccess implements ChallengeAccess {
  readonly #applications: Applications
  readonly #passwords: Passwords
  readonly #evidence: EvidenceCache<Application>
  readonly #proofs = new Map<string, Promise<Application | undefined>>()

  constructor(applications: Applications, passwords: Passwords, evidence: EvidenceCache<Application>) {
    this.#applications = applications
    this.#passwords = passwords
    this.#evidence = evidence
  }

  async verify(credentials: Credentials, type: RequestType, address?: string): Promise<Principal> {
    const digest = this.#evidence.digest(credentials)
    const known = this.#evidence.get(digest)
    const application = known && this.#applications.holds(known) ? known : await this.#proofOf(digest, credentials)
    return this.admit(application, type, address) ?? unknown()
  }

  /** The words are the same whether an application is unknown, the answer wrong, or its secret one that cannot be known. */
  async verifyAnswer(
    key: string,
    isAnswerOf: (secret: string) => boolean,
    type: RequestType,
    address?: string,
  ): Promise<Principal> {
    const secret = this.#applications.secretOf(key)
    const isProved = secret !== undefined && isAnswerOf(secret)
    if (!isProved) await this.#passwords.refuse()
    const principal = isProved ? this.admit(this.#applications.get(key), type, address) : undefined
    if (principal) return principal
    throw new StoreError(
      'ERR_UNAUTHENTICATED',
      'unknown key or wrong secret; a password that a person chose answers no challenge, show it over TLS',
    )
  }

  /** Whether an application that is known may do what it asks; undefined for none. */
  admit(application: Application | undefined, type: RequestType, address: string | undefined): Principal | undefined {
    if (application === undefined) return undefined
    const { principal, registration, networks } = application
    if (networks && !networks.has(address ?? ''))
      throw new StoreError('ERR_FORBIDDEN', `application ${principal.application} may not come from ${address}`)
    if (registration.types.includes(type)) return principal
    throw new StoreError('ERR_FORBIDDEN', `application ${application.principal.application} may not use ${type}`)
  }

  /** One proof serves everybody who shows the same credentials meanwhile: sixty connections cost one argon2. */
  async #proofOf(digest: string, credentials: Credentials): Promise<Application | undefined> {
    const underway = this.#proofs.get(digest)
    if (underway !== undefined) return underway
    const proof = this.#prove(credentials).finally(() => this.#proofs.delete(digest))
    this.#proofs.set(digest, proof)
    const application = await proof
    if (application) this.#evidence.set(digest, application)
    return application
  }

  async #prove({ key, secret }: Credentials): Promise<Application | undefined> {
    const application = this.#applications.get(key)
    const proved = application === undefined ? await this.#passwords.refuse() : await this.#matches(key, secret)
    return proved && application && this.#applications.holds(application) ? application : undefined
  }

  /** Every refusal costs one argon2: whether the key is unknown or the secret wrong, and of whichever kind it is. */
  async #matches(key: string, shown: string): Promise<boolean> {
    const secret = this.#applications.get(key)?.registration.secret
    if (secret?.kind !== 'argon2id') return isSame(this.#applications.secretOf(key), shown) || this.#passwords.refuse()
    return Buffer.byteLength(shown) > passwordBytesMax
      ? this.#passwords.refuse()
      : this.#passwords.verify(secret.value, shown)
  }
}

function unknown(): never {
  throw new StoreError('ERR_UNAUTHENTICATED', 'unknown key or wrong secret')
}

/** Compares digests, which have one length, in constant time. */
function isSame(known: string | undefined, shown: string): boolean {
  return known !== undefined && timingSafeEqual(sha256(known), sha256(shown))
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
