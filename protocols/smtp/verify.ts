import type { SMTPServerAuthentication, SMTPServerSession } from 'smtp-server'
import { type ChallengeAccess, type Principal, StoreError } from '../../streams/index.ts'
import { isLoopback } from '../address.ts'
import { type Guests, TurnedAway } from '../guests.ts'
import { asLogIn } from '../login.ts'
import { Networks } from '../networks.ts'
import type { SmtpSettings } from './options.ts'
import { Refusal } from './refusal.ts'

/** Peers that may send without AUTH, and the application that they act as. */
export interface AllowedNetworks {
  /** Addresses or CIDR ranges: `192.0.2.7`, `10.0.0.0/8`, `fd00::/8`. */
  readonly addresses: readonly string[]
  readonly principal: Principal
}

export type VerifierSettings = Pick<SmtpSettings, 'access' | 'guests' | 'allowedNetworks' | 'clearAuth'> & {
  readonly limits: Pick<SmtpSettings['limits'], 'authenticationFailuresMax'>
}

/** Turns what a session shows, an AUTH command or an address, into the application that it acts as. */
export class Verifier {
  readonly #access: ChallengeAccess
  readonly #guests: Guests
  readonly #networks: Networks
  readonly #networkPrincipal: Principal | undefined
  readonly #clearAuth: boolean
  readonly #failuresMax: number
  readonly #failures = new WeakMap<SMTPServerSession, number>()
  /** The application of each session that proved one: it counts among the sessions of that application. */
  readonly #joined = new Map<SMTPServerSession, string>()
  readonly #ended = new WeakSet<SMTPServerSession>()

  constructor({ access, guests, allowedNetworks, clearAuth, limits }: VerifierSettings) {
    this.#access = access
    this.#guests = guests
    this.#networks = new Networks(allowedNetworks?.addresses ?? [])
    this.#networkPrincipal = allowedNetworks?.principal
    this.#clearAuth = clearAuth
    this.#failuresMax = limits.authenticationFailuresMax
  }

  /** Whether AUTH is offered: a secret travels in clear on loopback only, or where somebody said so, elsewhere after TLS. */
  mayAuthenticate({ secure, remoteAddress }: Pick<SMTPServerSession, 'secure' | 'remoteAddress'>): boolean {
    return secure || this.#clearAuth || isLoopback(remoteAddress)
  }

  /** Whether an address need not wait for its greeting. */
  isTrusted(address: string): boolean {
    return isLoopback(address) || this.#networks.has(address)
  }

  /** AUTH (RFC 4954): the user name is the application's key. After too many failures 421 hangs up. */
  async authenticate(evidence: SMTPServerAuthentication, session: SMTPServerSession): Promise<Principal> {
    if (!this.mayAuthenticate(session)) throw new Refusal(538, '5.7.11', 'Encryption required: STARTTLS first')
    const { username = '' } = evidence
    try {
      const prove = () => asLogIn(() => this.#prove(evidence, session))
      const principal = await this.#guests.logIn(session.remoteAddress, username, prove)
      this.#join(session, principal)
      return principal
    } catch (error) {
      // RFC 4954 section 6: 454 is a failure that need not be one later.
      const refusal = error instanceof TurnedAway ? new Refusal(454, '4.7.0', error.message) : error
      const failures = (this.#failures.get(session) ?? 0) + 1
      this.#failures.set(session, failures)
      if (failures < this.#failuresMax) throw refusal
      throw new Refusal(421, '4.7.0', 'Too many failed authentications', { cause: error })
    }
  }

  async #prove(evidence: SMTPServerAuthentication, { remoteAddress }: SMTPServerSession): Promise<Principal> {
    const { method, username = '', password, authzid } = evidence
    // RFC 4616 section 2: an authorization identity asks to act as somebody else, which no application may.
    if (authzid && authzid !== username) throw new StoreError('ERR_UNAUTHENTICATED', 'No acting as another application')
    if (method !== 'CRAM-MD5')
      return this.#access.verify({ key: username, secret: password ?? '' }, 'email', remoteAddress)
    return this.#access.verifyAnswer(username, (secret) => evidence.validatePassword(secret), 'email', remoteAddress)
  }

  /** The application that a session acts as, by AUTH or by its address; undefined for one that shows neither. */
  knownPrincipal(session: SMTPServerSession): Principal | undefined {
    if (session.user) return session.user
    return this.#networks.has(session.remoteAddress) ? this.#networkPrincipal : undefined
  }

  /** The same; throws 530 where there is none. */
  principalOf(session: SMTPServerSession): Principal {
    const principal = this.knownPrincipal(session)
    if (principal) return principal
    throw new Refusal(530, '5.7.0', 'Authentication required')
  }

  /** A session that ended counts no more, nor does it when what it showed is verified only now. */
  end(session: SMTPServerSession): void {
    this.#ended.add(session)
    this.part(session)
  }

  /** A session that forgot who it was counts no more. */
  part(session: SMTPServerSession): void {
    const application = this.#joined.get(session)
    if (application === undefined) return
    this.#joined.delete(session)
    this.#guests.part(application)
  }

  #join(session: SMTPServerSession, principal: Principal): void {
    if (this.#ended.has(session)) return
    this.#guests.join(principal)
    this.#joined.set(session, principal.application)
  }
}
