import type { SenderFacts, SenderVerdict } from './contract.ts'

const CHARACTERS_MAX = 2048

/** The findings as the field Authentication-Results has them (RFC 8601 section 2.2), without its name, on one line. */
export function authenticationResults(
  { receiver, mailFrom, helo }: SenderFacts,
  { fromDomain, spf, dkim, dmarc, arc }: Omit<SenderVerdict, 'authenticationResults' | 'trouble'>,
): string {
  const identity = mailFrom === '' ? property('smtp.helo', helo) : property('smtp.mailfrom', mailFrom)
  const results = [
    `spf=${spf.result} ${identity}`,
    ...(dkim.length === 0 ? ['dkim=none'] : []),
    ...dkim.map(({ result, domain, selector, detail }) => {
      const why = detail === undefined ? '' : ` (${plain(detail).replaceAll(/[()\\]/g, '')})`
      return `dkim=${result}${why} ${property('header.d', domain)} ${property('header.s', selector)}`
    }),
    `dmarc=${dmarc.result}${fromDomain === undefined ? '' : ` ${property('header.from', fromDomain)}`}`,
    ...(arc ? [`arc=${arc.result}`] : []),
  ]
  return `${plain(receiver)}; ${results.join('; ')}`.slice(0, CHARACTERS_MAX)
}

/** A token as it is, anything else in quotes (RFC 2045 section 5.1). */
function property(name: string, value: string): string {
  const text = plain(value)
  return /^[^\s()<>,;:\\"/[\]?=]+$/.test(text) ? `${name}=${text}` : `${name}="${text.replaceAll(/["\\]/g, '\\$&')}"`
}

function plain(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ')
}
