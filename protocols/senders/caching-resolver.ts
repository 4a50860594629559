import { Resolver } from 'node:dns/promises'
import { StoreError } from '../../streams/index.ts'
import type { Answer, Ask, RecordType } from './questions.ts'

export interface ResolverLimits {
  /** For a server to answer, and how often one is asked, in milliseconds. */
  readonly msMax: number
  readonly tries: number
  /** How long an answer is believed, and that there is none. c-ares tells the lifetime of A and AAAA alone. */
  readonly keptMs: number
  readonly absentMs: number
  readonly entriesMax: number
  /** Characters of all entries, names included. */
  readonly charactersMax: number
}

export const RESOLVER_LIMITS: ResolverLimits = {
  msMax: 3000,
  tries: 2,
  keptMs: 300_000,
  absentMs: 60_000,
  entriesMax: 10_000,
  charactersMax: 16 * 1024 * 1024,
}

export interface CachingResolverOptions {
  /** Addresses, with a port where it is not 53; none for those of the system. */
  readonly servers?: readonly string[]
  readonly limits?: Partial<ResolverLimits>
  /** Milliseconds that never go back. */
  readonly clock?: { now(): number }
}

interface Entry {
  readonly answer: Answer
  readonly until: number
  readonly characters: number
}

/** A name that is none is one that is not there. */
const ABSENT: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME'])

/**
 * Asks the name servers that are configured, and no others. What they say is remembered for a while, and that there is
 * nothing; that they said nothing is not. A question that is on its way is asked once.
 */
export class CachingResolver {
  readonly #resolver: Resolver
  readonly #limits: ResolverLimits
  readonly #clock: { now(): number }
  /** The longest not used first. */
  readonly #entries = new Map<string, Entry>()
  readonly #underway = new Map<string, Promise<Answer>>()
  #characters = 0
  /** Questions that went out. */
  asked = 0

  /** @throws {StoreError} ERR_INVALID for a server that is no address */
  constructor({ servers = [], limits, clock = performance }: CachingResolverOptions = {}) {
    this.#limits = { ...RESOLVER_LIMITS, ...limits }
    this.#clock = clock
    this.#resolver = new Resolver({ timeout: this.#limits.msMax, tries: this.#limits.tries })
    if (servers.length > 0) this.#useServers(servers)
  }

  get size(): number {
    return this.#entries.size
  }

  readonly ask: Ask = (name, type) => {
    const key = `${type} ${name.toLowerCase()}`
    const known = this.#known(key)
    if (known) return Promise.resolve(known)
    const underway = this.#underway.get(key) ?? this.#look(key, name, type)
    this.#underway.set(key, underway)
    return underway
  }

  close(): void {
    this.#resolver.cancel()
  }

  async #look(key: string, name: string, type: RecordType): Promise<Answer> {
    this.asked += 1
    const answer = await this.#resolve(name, type)
    this.#underway.delete(key)
    this.#keep(key, answer)
    return answer
  }

  async #resolve(name: string, type: RecordType): Promise<Answer> {
    try {
      const records = await this.#resolver.resolve(name, type)
      // As when an alias leads to itself.
      return Array.isArray(records) && records.length === 0 ? { code: 'ENODATA' } : { records }
    } catch (error) {
      const { code = 'EFAILED' } = error as NodeJS.ErrnoException
      return { code: ABSENT.has(code) && code !== 'ENODATA' ? 'ENOTFOUND' : code }
    }
  }

  #known(key: string): Answer | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    this.#entries.delete(key)
    if (entry.until > this.#clock.now()) {
      this.#entries.set(key, entry) // It is the last used now.
      return entry.answer
    }
    this.#characters -= entry.characters
    return undefined
  }

  #keep(key: string, answer: Answer): void {
    if ('code' in answer && !ABSENT.has(answer.code)) return
    const { keptMs, absentMs, entriesMax, charactersMax } = this.#limits
    const until = this.#clock.now() + ('code' in answer ? absentMs : keptMs)
    const characters = key.length + JSON.stringify(answer).length
    this.#entries.set(key, { answer, until, characters })
    this.#characters += characters
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= entriesMax && this.#characters <= charactersMax) return
      this.#entries.delete(oldest)
      this.#characters -= entry.characters
    }
  }

  #useServers(servers: readonly string[]): void {
    try {
      this.#resolver.setServers(servers)
    } catch (cause) {
      throw new StoreError(
        'ERR_INVALID',
        `${servers.join(', ')}: a resolver is an address such as 192.0.2.53 or [::1]:5353`,
        {
          cause,
        },
      )
    }
  }
}
