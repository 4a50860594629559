import { DkimVerifier, type Headers, type Resolve, type SignatureResult } from 'mailauth/lib/dkim/dkim-verifier.js'
import { isAligned } from './alignment.ts'
import type { DkimResult, DkimVerdict } from './contract.ts'
import type { SenderLimits } from './limits.ts'

/** mailauth's verifier of DKIM (RFC 6376), which looks at every signature there is, and takes an ARC-Seal for one. */
export class SignatureVerifier extends DkimVerifier {
  readonly #signaturesMax: number

  constructor(resolver: Resolve, { signaturesMax, keyBitsMin }: SenderLimits) {
    super({ resolver, sender: 'nobody@invalid', minBitLength: keyBitsMin })
    this.#signaturesMax = signaturesMax
  }

  override async messageHeaders(headers: Headers): Promise<void> {
    let signatures = 0
    const isLooked = ({ key }: Headers['parsed'][number]) =>
      key !== 'dkim-signature' || ++signatures <= this.#signaturesMax
    await super.messageHeaders({ ...headers, parsed: headers.parsed.filter(isLooked) })
    this.signatureHeaders = this.signatureHeaders.filter(({ type }) => type !== 'AS')
  }
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
function weaknessOf({ algo = '', signingHeaders, status, rr = '' }: SignatureResult): Judged | undefined {
  const signed = (signingHeaders?.keys ?? '').toLowerCase().split(/[\s:]+/)
  const policy = (detail: string): Judged => ({ result: 'policy', detail })
  if (/sha1$/i.test(algo)) return policy('SHA-1 proves nothing any more (RFC 8301)')
  if (!signed.includes('from')) return { result: 'permerror', detail: 'From is not signed (RFC 6376 section 5.4)' }
  if (status.underSized) return policy(`${status.underSized} bytes at the end are not signed (l=)`)
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
