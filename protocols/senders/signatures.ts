import {
  DkimVerifier,
  type HeaderLine,
  type Headers,
  type Resolve,
  type SignatureResult,
} from 'mailauth/lib/dkim/dkim-verifier.js'
import { isAligned } from './alignment.ts'
import type { DkimResult, DkimVerdict } from './contract.ts'
import type { SenderLimits } from './limits.ts'

/** Fields on which mailauth runs expressions that take the square of their length. */
const TAKEN_APART: ReadonlySet<string> = new Set([
  'dkim-signature',
  'arc-seal',
  'arc-message-signature',
  'arc-authentication-results',
])

/** mailauth's verifier of DKIM (RFC 6376), which looks at every signature there is, and takes an ARC-Seal for one. */
export class SignatureVerifier extends DkimVerifier {
  readonly #limits: SenderLimits

  constructor(resolver: Resolve, limits: SenderLimits) {
    super({ resolver, sender: 'nobody@invalid', minBitLength: limits.keyBitsMin })
    this.#limits = limits
  }

  override async messageHeaders(headers: Headers): Promise<void> {
    const { signaturesMax, bodyHashesMax, fieldBytesMax } = this.#limits
    const isLong = ({ line }: HeaderLine) => line.length > fieldBytesMax
    // What is not understood of From may be what is shown.
    const hasAuthor = !headers.parsed.some((field) => field.key === 'from' && (isLong(field) || isDouble(field)))
    let signatures = 0
    const isLooked = (field: HeaderLine) => {
      if (field.key === 'from') return hasAuthor
      if (!TAKEN_APART.has(field.key)) return true
      return !isLong(field) && (field.key !== 'dkim-signature' || ++signatures <= signaturesMax)
    }
    await super.messageHeaders({ ...headers, parsed: headers.parsed.filter(isLooked) })
    for (const way of [...this.bodyHashes.keys()].slice(bodyHashesMax)) this.bodyHashes.delete(way)
    this.signatureHeaders = this.signatureHeaders.filter(
      ({ type, bodyHashKey = '' }) => type !== 'AS' && this.bodyHashes.has(bodyHashKey),
    )
  }
}

/** Two addresses in brackets without a comma between them: mailauth takes one of them. */
function isDouble({ line }: HeaderLine): boolean {
  const unquoted = line.toString('latin1').replaceAll(/"(?:[^"\\]|\\.)*"/gs, '')
  return unquoted.split('<').length > 2
}

/** What each signature is worth for the author's domain. */
export function signaturesOf(results: readonly SignatureResult[], author: string): readonly DkimVerdict[] {
  return results.flatMap((signature) => {
    const { signingDomain: domain, selector = '' } = signature
    if (domain === undefined) return []
    const { result, detail } = judged(signature)
    const found = { result, domain, selector, isAligned: isAligned(domain, author, false) }
    return [detail === undefined ? found : { ...found, detail }]
  })
}

/** How far the clock of a signer may be ahead, in milliseconds. */
const AHEAD_MS_MAX = 300_000

interface Judged {
  readonly result: DkimResult
  readonly detail?: string
}

/** In the words of RFC 8601 section 2.7.1, and without the passes that prove too little. */
function judged(signature: SignatureResult): Judged {
  const { result, comment } = signature.status
  const detail = comment === undefined ? {} : { detail: comment }
  if (result === 'pass') return weaknessOf(signature) ?? { result }
  if (result === 'neutral')
    return { result: /^(?:body hash|expired|invalid exp)/.test(comment ?? '') ? 'fail' : 'permerror', ...detail }
  return { result: result as DkimResult, ...detail }
}

/** Why a signature that is right is none that we go by. */
function weaknessOf({ algo = '', signingHeaders, signTime, status, rr = '' }: SignatureResult): Judged | undefined {
  const signed = (signingHeaders?.keys ?? '').toLowerCase().split(/[\s:]+/)
  const policy = (detail: string): Judged => ({ result: 'policy', detail })
  if (/sha1$/i.test(algo)) return policy('SHA-1 proves nothing any more (RFC 8301)')
  if (!signed.includes('from')) return { result: 'permerror', detail: 'From is not signed (RFC 6376 section 5.4)' }
  if (Date.parse(signTime ?? '') > Date.now() + AHEAD_MS_MAX) return policy('it was made in the future (t=)')
  if (status.underSized) return policy('its end is not signed (l=)')
  const key = tagsOf(rr)
  if (key.get('t')?.includes('y')) return policy('its domain tests only (t=y)')
  if (!(key.get('s') ?? ['*']).some((service) => service === '*' || service === 'email'))
    return policy('its key is not for e-mail (s=)')
  if (!(key.get('h') ?? ['sha256']).includes('sha256')) return policy('its key is not for SHA-256 (h=)')
  return undefined
}

/** The tags of a key's record (RFC 6376 section 3.6.1), and the values between colons. */
function tagsOf(record: string): ReadonlyMap<string, readonly string[]> {
  const tags = record.split(';').map((tag) => tag.split('=', 2))
  return new Map(
    tags.map(([name = '', value = '']) => [
      name.trim().toLowerCase(),
      value
        .toLowerCase()
        .split(':')
        .map((one) => one.trim()),
    ]),
  )
}
