import type { SMTPServerAuthentication, SMTPServerSession } from 'smtp-server'
import { type Access, type Principal, StoreError } from '../../streams/index.ts'
import { isLoopback } from '../address.ts'
import { Networks } from '../networks.ts'
import { Refusal } from './refusal.ts'

/** Peers that may send without AUTH, and the application that they act as. */
export interface AllowedNetworks {
  /** Addresses or CIDR ranges: `192.0.2.7`, `10.0.0.0/8`, `fd00::/8`. */
  readonly addresses: readonly string[]
  readonly principal: Principal
}

/** Whether AUTH is offered: a secret travels in clear on loopback only, elsewhere after TLS. */
export function mayAuthenticate(session: SMTPServerSession): boolean {
  return session.secure || isLoopback(session.remoteAddress)
}

/** Turns what a session shows, an AUTH command or an address, into the application that it acts as. */
export class Verifier {
  readonly #access: Access
  readonly #networks: Networks
  readonly #networkPrincipal: Principal | undefined
  readonly #failuresMax: number
  readonly #failures = new WeakMap<SMTPServerSession, number>()

  constructor(access: Access, allowed: AllowedNetworks | undefined, failuresMax: number) {
    this.#access = access
    this.#networks = new Networks(allowed?.addresses ?? [])
    this.#networkPrincipal = allowed?.principal
    this.#failuresMax = failuresMax
  }

  /** AUTH PLAIN and LOGIN (RFC 4954): the user name is the application's key. After too many failures 421 hangs up. */
  async authenticate(evidence: SMTPServerAuthentication, session: SMTPServerSession): Promise<Principal> {
    try {
      return await this.#verify(evidence, session)
    } catch (error) {
      const failures = (this.#failures.get(session) ?? 0) + 1
      this.#failures.set(session, failures)
      if (failures < this.#failuresMax) throw error
      throw new Refusal(421, '4.7.0', 'Too many failed authentications', { cause: error })
    }
  }

  async #verify(evidence: SMTPServerAuthentication, session: SMTPServerSession): Promise<Principal> {
    if (!mayAuthenticate(session)) throw new Refusal(538, '5.7.11', 'Encryption required: STARTTLS first')
    const { username = '', password, authzid } = evidence
    // RFC 4616 section 2: an authorization identity asks to act as somebody else, which no application may.
    if (authzid && authzid !== username) throw new StoreError('ERR_UNAUTHENTICATED', 'No acting as another application')
    const credentials = { key: username, secret: password ?? '' }
    return this.#access.verify(credentials, 'email', session.remoteAddress).catch(refuseLogin)
  }

  /** The application that a session acts as. Throws 530 for one with neither AUTH nor an allowed address. */
  principalOf(session: SMTPServerSession): Principal {
    if (session.user) return session.user
    if (this.#networkPrincipal && this.#networks.has(session.remoteAddress)) return this.#networkPrincipal
    throw new Refusal(530, '5.7.0', 'Authentication required')
  }
}

/** Also an application that is proved and may not use e-mail: 535 is what AUTH refuses with (RFC 4954 section 6). */
function refuseLogin(error: unknown): never {
  if (!(error instanceof StoreError) || error.code !== 'ERR_FORBIDDEN') throw error
  throw new StoreError('ERR_UNAUTHENTICATED', error.message, { cause: error })
}
