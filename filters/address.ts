/** One mailbox of an address list. */
export interface Mailbox {
  /** The display name; encoded words (RFC 2047) stand in it as they came. '' when there is none. */
  readonly name: string
  /** `local@domain`, the domain in lower case; '' when there is none that is well-formed. */
  readonly address: string
}

/** The longest address: a local part of 64 octets, `@`, a domain of 255 (RFC 5321 section 4.5.3.1). */
export const ADDRESS_BYTES_MAX = 320

/** No control character in any part of it. */
const ADDRESS =
  /^(?:"(?:[^"\\\p{Cc}]|\\\P{Cc})*"|[^\s\p{Cc}"<>(),;:\\@]+)@(?:\[[^\s\p{Cc}[\]]*\]|[^\s\p{Cc}"<>(),;:\\@[\]]+)$/u

/** A bare address with its domain in lower case (a domain has no case, a local part may); '' when it is not one. */
export function bareAddress(text: string): string {
  if (Buffer.byteLength(text) > ADDRESS_BYTES_MAX || !ADDRESS.test(text)) return ''
  const at = text.lastIndexOf('@')
  return text.slice(0, at) + text.slice(at).toLowerCase()
}

/**
 * The mailboxes of an address list (RFC 5322 section 3.4) with the members of its groups, at most `lengthMax`.
 * One pass; what is malformed yields less, never an error.
 */
export function parseAddressList(text: string, lengthMax: number): Mailbox[] {
  const mailboxes: Mailbox[] = []
  let parts: string[] = []
  const complete = () => {
    const mailbox = mailboxOf(parts)
    if (mailbox.name || mailbox.address) mailboxes.push(mailbox)
    parts = []
  }
  for (let position = 0; position < text.length && mailboxes.length < lengthMax; ) {
    const token = tokenAt(text, position)
    position += token.length
    if (token === ',' || token === ';') complete()
    else if (token === ':') parts = [] /* that was the name of a group */
    else parts.push(token)
  }
  if (mailboxes.length < lengthMax) complete()
  return mailboxes
}

/**
 * An encoded word, a quoted string, an angle address, a delimiter, or a run of anything else. Encoded words are whole
 * because senders leave commas and colons in them. What is opened and never closed reaches to the end.
 */
const TOKEN = /=\?[^?\s]+\?[bq]\?[^?\s]*\?=|"[^"\\]*(?:\\.[^"\\]*)*"?|<[^>]*>?|[,:;(]|[^",:;<(=]+|=/isy

function tokenAt(text: string, position: number): string {
  TOKEN.lastIndex = position
  const found = TOKEN.exec(text)![0]
  return found === '(' ? text.slice(position, commentEnd(text, position)) : found
}

/** Comments nest (RFC 5322 section 3.2.2), which a regular expression cannot follow. */
function commentEnd(text: string, start: number): number {
  let depth = 0
  for (let position = start; position < text.length; position++) {
    const character = text[position]
    if (character === '\\') position++
    else if (character === '(') depth++
    else if (character === ')' && --depth === 0) return position + 1
  }
  return text.length
}

function mailboxOf(parts: readonly string[]): Mailbox {
  const comment = parts.find((part) => part.startsWith('('))
  const angle = parts.find((part) => part.startsWith('<'))
  const phrase = parts.filter((part) => !part.startsWith('(') && !part.startsWith('<'))
  // The old way to give a name is a comment after the address: `ann@example.com (Ann Example)`.
  const otherwise = comment === undefined ? '' : unquoted(comment)
  if (angle !== undefined) return { name: displayName(phrase) || otherwise, address: bareAddress(withoutRoute(angle)) }
  const bare = bareAddress(phrase.join('').trim())
  if (bare) return { name: otherwise, address: bare }
  // Without angle brackets one of the words may still be the address: `Ann Example ann@example.com`.
  const words = displayName(phrase).split(/\s+/)
  const index = words.findLastIndex((word) => bareAddress(word) !== '')
  if (index < 0) return { name: words.join(' ') || otherwise, address: '' }
  return { name: words.toSpliced(index, 1).join(' ') || otherwise, address: bareAddress(words[index]!) }
}

function displayName(phrase: readonly string[]): string {
  return phrase
    .map((part) => (part.startsWith('"') ? unquoted(part) : part))
    .join('')
    .trim()
}

/** The content of a quoted string or a comment, closed or not. */
function unquoted(text: string): string {
  return text.slice(1).replace(/[")]$/, '').replace(/\\(.)/gs, '$1')
}

/** The address between angle brackets, without an obsolete route before it: `<@a,@b:ann@example.com>`. */
function withoutRoute(angle: string): string {
  return angle
    .slice(1)
    .replace(/>$/, '')
    .trim()
    .replace(/^@[^:]*:\s*/, '')
}
