import { once } from 'node:events'
import { arc } from 'mailauth/lib/arc/index.js'
import { dmarc } from 'mailauth/lib/dmarc/index.js'
import { spf } from 'mailauth/lib/spf/index.js'
import { domainOf, isAligned, organisationOf } from './alignment.ts'
import { authenticationResults } from './authentication-results.ts'
import type { DkimVerdict, SenderFacts, SenderVerdict, SpfResult } from './contract.ts'
import type { SenderLimits } from './limits.ts'
import { LineEnds } from './line-ends.ts'
import { MessageBound } from './message-bound.ts'
import { type Ask, Questions } from './questions.ts'
import { SignatureVerifier, signaturesOf } from './signatures.ts'

type Spf = SenderVerdict['spf']
type Dmarc = SenderVerdict['dmarc']
type Findings = Omit<SenderVerdict, 'authenticationResults' | 'trouble'>

/** The check of one mail, in the thread that it is done in. Bytes are not held, but for the header section. */
export class MailCheck {
  readonly #facts: SenderFacts
  readonly #limits: SenderLimits
  /** Of the path, of the signatures, and of the policy: no signature can use up what the policy is to be asked with. */
  readonly #pathQuestions: Questions
  readonly #keyQuestions: Questions
  readonly #policyQuestions: Questions
  readonly #signatures: SignatureVerifier
  readonly #bound: MessageBound
  readonly #lineEnds = new LineEnds()
  readonly #path: Promise<Omit<Spf, 'isAligned'>>

  constructor(facts: SenderFacts, ask: Ask, limits: SenderLimits) {
    this.#facts = facts
    this.#limits = limits
    this.#pathQuestions = new Questions(ask, limits.questionsMax)
    this.#keyQuestions = new Questions(ask, limits.questionsMax)
    this.#policyQuestions = new Questions(ask, limits.questionsMax)
    this.#signatures = new SignatureVerifier(this.#keyQuestions.resolve, limits)
    this.#signatures.on('error', () => {}) // finish() tells.
    this.#bound = new MessageBound(limits)
    this.#path = this.#verifyPath() // Does not need the message.
  }

  async write(chunk: Uint8Array): Promise<void> {
    const looked = this.#bound.take(chunk)
    if (looked.length === 0 || this.#signatures.destroyed) return
    if (!this.#signatures.write(this.#lineEnds.take(looked))) await once(this.#signatures, 'drain')
  }

  async finish(): Promise<SenderVerdict> {
    this.#signatures.end()
    await once(this.#signatures, 'finish')
    const authors = this.#bound.isHeaderWithin ? this.#signatures.headerFrom : []
    const [author] = authors
    const domain = authors.length === 1 ? domainOf(author ?? '') : ''
    const findings = await this.#findingsOf(domain === '' || organisationOf(domain) === undefined ? undefined : domain)
    const trouble = this.#keyQuestions.trouble ?? this.#policyQuestions.trouble ?? this.#pathQuestions.trouble
    return {
      ...findings,
      authenticationResults: authenticationResults(this.#facts, findings),
      ...(trouble !== undefined && !findings.isVerified && { trouble }),
    }
  }

  async #findingsOf(fromDomain: string | undefined): Promise<Findings> {
    const dkim = this.#bound.isWithin ? signaturesOf(this.#signatures.results, fromDomain ?? '') : []
    const { result, domain } = await this.#path
    const path = { result, ...(domain !== undefined && { domain }) }
    const chain = await this.#chain()
    if (fromDomain === undefined)
      return { spf: { ...path, isAligned: false }, dkim, dmarc: { result: 'none' }, ...chain, isVerified: false }
    const { alignment, ...policy } = await this.#policyOf(fromDomain)
    const spf = { ...path, isAligned: domain !== undefined && isAligned(domain, fromDomain, alignment.spf.strict) }
    const signatures = dkim.map((one) => ({
      ...one,
      isAligned: isAligned(one.domain, fromDomain, alignment.dkim.strict),
    }))
    const isProved = isPassed(spf) || signatures.some(isPassed)
    const known = policy.result === 'pass' || policy.result === 'fail'
    const dmarc: Dmarc = known ? { ...policy, result: isProved ? 'pass' : 'fail' } : policy
    const isVerified = isProved && dmarc.result !== 'temperror' // Its alignment may be asked for more strictly.
    return { fromDomain, spf, dkim: signatures, dmarc, ...chain, isVerified }
  }

  async #verifyPath(): Promise<Omit<Spf, 'isAligned'>> {
    const { peer: ip, helo, mailFrom, receiver: mta } = this.#facts
    const at = mailFrom.lastIndexOf('@')
    const sender = at < 0 ? mailFrom : `${mailFrom.slice(0, at)}@${domainOf(mailFrom)}`
    const { resolve } = this.#pathQuestions
    const { domain, status } = await spf({ sender, ip, helo, mta, resolver: resolve })
    // It goes on where a domain does not answer, and may end in a pass (RFC 7208 sections 2.6.6 and 5.2).
    const isOpen = this.#pathQuestions.trouble !== undefined
    return { result: isOpen ? 'temperror' : (status.result as SpfResult), ...(domain !== '-' && { domain }) }
  }

  /**
   * The domain's policy, and how strictly it wants what was proved to be its own. mailauth reads the record; that it does
   * not hold to `adkim=s` and `aspf=s` is why its own result does not count.
   */
  async #policyOf(fromDomain: string): Promise<Dmarc & { readonly alignment: Alignment }> {
    const headerFrom = `author@${fromDomain}`
    const found = await dmarc({ headerFrom, spfDomains: [], dkimDomains: [], resolver: this.#policyQuestions.resolve })
    const { result } = found.status
    const policy = policyWord(found.policy)
    return {
      result: result === 'fail' || result === 'none' || result === 'temperror' ? result : 'permerror',
      domain: found.domain,
      ...(policy && { policy }),
      alignment: found.alignment ?? RELAXED,
    }
  }

  async #chain(): Promise<Pick<SenderVerdict, 'arc'>> {
    const { chain } = this.#signatures.arc
    if (!this.#bound.isWithin || chain === false || chain.length === 0) return {}
    const options = { resolver: this.#keyQuestions.resolve, minBitLength: this.#limits.keyBitsMin }
    // It throws where a key is too short.
    const found = await arc(this.#signatures.arc, options).catch(() => undefined)
    const result = found?.status.result === 'pass' ? 'pass' : 'fail'
    const domain = found?.signature?.signingDomain
    return { arc: { result, ...(domain !== undefined && { domain }) } }
  }
}

type Alignment = { readonly spf: { readonly strict: boolean }; readonly dkim: { readonly strict: boolean } }

const RELAXED: Alignment = { spf: { strict: false }, dkim: { strict: false } }

function isPassed({ result, isAligned }: Pick<Spf | DkimVerdict, 'result' | 'isAligned'>): boolean {
  return result === 'pass' && isAligned
}

function policyWord(text: string | undefined): Dmarc['policy'] {
  const word = text?.trim().toLowerCase()
  return word === 'none' || word === 'quarantine' || word === 'reject' ? word : undefined
}
