import type { ScalarType } from '../attributes.ts'

/*
 * What is known of attributes by their names: the one table that index, planner and facets look at. A name that is not
 * here is of any type, is indexed by its values, and is counted. What changes here changes the index, and its format
 * (index-state.ts).
 */
export interface Traits {
  /** Of all its values: a literal that is none is refused. `digest` is a string of so many lower-case hex digits. */
  readonly type?: ScalarType | 'digest'
  readonly digits?: number
  /** Indexed from its end, too: `*x` is fast. */
  readonly reversed?: true
  /** Indexed by its words, too: `~` is fast. */
  readonly words?: true
  /** Its values differ from object to object, so that counting them would keep a counter for each. */
  readonly uncounted?: true
}

const UNIQUE = { uncounted: true } as const
const ADDRESS = { reversed: true } as const

export const TRAITS: ReadonlyMap<string, Traits> = new Map<string, Traits>([
  ['checksum.crc32c', { type: 'digest', digits: 8, ...UNIQUE }],
  ['checksum.crc32', { type: 'digest', digits: 8, ...UNIQUE }],
  ['checksum.md5', { type: 'digest', digits: 32, ...UNIQUE }],
  ['checksum.sha1', { type: 'digest', digits: 40, ...UNIQUE }],
  ['checksum.sha256', { type: 'digest', digits: 64, ...UNIQUE }],
  ['email.attachment-count', { type: 'number' }],
  ['email.attachment-names', { words: true, ...UNIQUE }],
  ['email.attachment-sizes', UNIQUE],
  ['email.authentication-results', UNIQUE],
  ['email.bcc', ADDRESS],
  ['email.cc', ADDRESS],
  ['email.content-id', UNIQUE],
  ['email.date', { type: 'time', ...UNIQUE }],
  ['email.duplicate-of', UNIQUE],
  ['email.dsn-envid', UNIQUE],
  ['email.dsn-orcpt', UNIQUE],
  ['email.from', ADDRESS],
  ['email.from-name', { words: true }],
  ['email.headers-truncated', { type: 'boolean' }],
  ['email.in-reply-to', UNIQUE],
  ['email.mail-from', ADDRESS],
  ['email.message', UNIQUE],
  ['email.message-id', UNIQUE],
  ['email.message-key', UNIQUE],
  ['email.part-name', { words: true, ...UNIQUE }],
  ['email.parts', UNIQUE],
  ['email.rcpt-to', ADDRESS],
  ['email.received', UNIQUE],
  ['email.received-count', { type: 'number' }],
  ['email.references', UNIQUE],
  ['email.reply-to', ADDRESS],
  ['email.retry-of', UNIQUE],
  ['email.secure', { type: 'boolean' }],
  ['email.sender', ADDRESS],
  ['email.spam-fields', UNIQUE],
  ['email.spam-score', UNIQUE],
  ['email.spam-status', UNIQUE],
  ['email.subject', { words: true, ...UNIQUE }],
  ['email.tnef', { type: 'boolean' }],
  ['email.to', ADDRESS],
  ['email.verified', { type: 'boolean' }],
  ['ftp.allocated', { type: 'number', ...UNIQUE }],
  ['ftp.path', UNIQUE],
  ['ftp.secure', { type: 'boolean' }],
  ['http.header.last-modified', UNIQUE],
  ['integrity.detail', UNIQUE],
  ['integrity.time', { type: 'time', ...UNIQUE }],
  ['network.peer', UNIQUE],
  ['object.bucket', { type: 'string' }],
  ['object.key', { type: 'string', reversed: true, ...UNIQUE }],
  ['object.name', { type: 'string', words: true, ...UNIQUE }],
  ['object.size', { type: 'number', ...UNIQUE }],
  ['object.version', { type: 'string', ...UNIQUE }],
  ['principal.application', { type: 'string' }],
  ['protocol', { type: 'string' }],
  ['quarantine.time', { type: 'time', ...UNIQUE }],
  ['retention.hold', { type: 'boolean' }],
  ['retention.until', { type: 'time', ...UNIQUE }],
  ['scan.time', { type: 'time', ...UNIQUE }],
  ['time', { type: 'time', ...UNIQUE }],
])

const NONE: Traits = {}

export function traitsOf(name: string): Traits {
  return TRAITS.get(name) ?? NONE
}
