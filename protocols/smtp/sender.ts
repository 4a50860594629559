import type { Attributes, Finding } from '../../streams/index.ts'
import type { SenderVerdict } from '../senders/contract.ts'
import { Refusal } from './refusal.ts'
import { isSender, type MailRoute, type Strangers } from './route.ts'

/** What is noted of a stranger's mail that is stored by a route. Throws where the route does not take it. */
export function findingOf(verdict: SenderVerdict, { strangers }: MailRoute): Finding {
  const attributes = attributesOf(verdict)
  const why = strangers && objectionTo(verdict, strangers)
  if (!strangers || why === undefined || strangers.unverified === 'accept') return { attributes }
  if (strangers.unverified === 'reject') throw new Refusal(550, statusOf(verdict), why)
  return { attributes, quarantine: why }
}

/** Why it is not what the route waits for; undefined when it is. */
function objectionTo(verdict: SenderVerdict, { senders }: Strangers): string | undefined {
  const { isVerified, fromDomain = '' } = verdict
  if (!isVerified) return `The sender could not be verified: ${resultsIn(verdict)}`
  return isSender(fromDomain, senders) ? undefined : `No mail of ${fromDomain} is taken here`
}

function resultsIn({ fromDomain, spf, dkim, dmarc }: SenderVerdict): string {
  const signatures = dkim.length === 0 ? 'none' : [...new Set(dkim.map(({ result }) => result))].join(',')
  const results = `SPF ${spf.result}, DKIM ${signatures}, DMARC ${dmarc.result}`
  return `${results} for ${fromDomain ?? 'a From that names no domain'}`
}

/** RFC 7372 section 3. */
function statusOf({ isVerified, spf, dkim }: SenderVerdict): string {
  if (isVerified) return '5.7.1'
  if (dkim.length === 0) return spf.result === 'fail' ? '5.7.23' : '5.7.26'
  return spf.result === 'fail' ? '5.7.26' : '5.7.20'
}

function attributesOf({ isVerified, spf, dkim, dmarc, arc, authenticationResults }: SenderVerdict): Attributes {
  return {
    'email.verified': isVerified,
    'email.spf': spf.result,
    ...(spf.domain !== undefined && { 'email.spf-domain': spf.domain }),
    ...(dkim.length > 0 && {
      'email.dkim': dkim.map(({ result, domain, selector }) => `${result} ${domain} ${selector}`),
    }),
    'email.dmarc': dmarc.result,
    ...(dmarc.policy !== undefined && { 'email.dmarc-policy': dmarc.policy }),
    ...(arc && { 'email.arc': arc.result }),
    'email.authentication-results': authenticationResults,
  }
}
