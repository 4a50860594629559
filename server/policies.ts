import { Networks } from '../protocols/index.ts'
import {
  isScanPolicy,
  PATTERN_CHARACTERS_MAX,
  type Policy,
  type PolicyChange,
  SCAN_POLICIES,
  StoreError,
} from '../streams/index.ts'

/** What a policy may say, and in which words it is refused. A new member does not compile without its row. */
interface Row {
  readonly must: string
  fits(value: unknown): boolean
}

export const POLICY_LIST_MAX = 32
/** Slower than this a transfer only looks like one that hangs. */
export const RATE_MIN = 1024

const count = (least: number, must: string): Row => ({
  must,
  fits: (value) => Number.isSafeInteger(value) && (value as number) >= least,
})

const list = (must: string, fits: (text: string) => boolean): Row => ({
  must: `1 to ${POLICY_LIST_MAX} ${must}`,
  fits: (value) =>
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= POLICY_LIST_MAX &&
    value.every((text) => typeof text === 'string' && fits(text)),
})

const rows: { readonly [Member in keyof Policy]-?: Row } = {
  objectBytesMax: count(1, 'a number of bytes from 1 on'),
  names: list(
    `patterns of 1 to ${PATTERN_CHARACTERS_MAX} characters`,
    (text) => text.length >= 1 && text.length <= PATTERN_CHARACTERS_MAX,
  ),
  contentTypes: list('media types such as application/pdf or image/*', (text) =>
    /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]{0,126})$/.test(text),
  ),
  quotaBytes: count(0, 'a number of bytes'),
  quotaObjects: count(0, 'a number of objects'),
  networks: list('addresses and ranges such as 192.168.0.0/16', isNetwork),
  home: {
    must: 'BUCKET or BUCKET/PREFIX, of 1,024 characters at the most',
    fits: (value) => typeof value === 'string' && value.length <= 1024 && value.split('/').every(isSegment),
  },
  connectionsMax: count(1, 'a number of sessions from 1 on'),
  bytesPerSecond: count(RATE_MIN, `a number of bytes from ${RATE_MIN} on`),
  scan: { must: SCAN_POLICIES.join(', '), fits: isScanPolicy },
  controlLost: {
    must: 'keep, quarantine or drop',
    fits: (value) => value === 'keep' || value === 'quarantine' || value === 'drop',
  },
}

export function isNetwork(text: string): boolean {
  try {
    return new Networks([text]) !== undefined
  } catch {
    return false
  }
}

function isSegment(text: string): boolean {
  return text !== '' && text !== '.' && text !== '..' && !/\p{Cc}/u.test(text)
}

/** The policy after a change, in which null takes a member away; undefined for one that says nothing. ERR_INVALID. */
export function changedPolicy(before: Policy | undefined, change: PolicyChange): Policy | undefined {
  const changes = Object.entries(change).filter(([, value]) => value !== undefined)
  for (const [member, value] of changes) if (value !== null) check(member, value)
  const after = Object.fromEntries(Object.entries({ ...before, ...Object.fromEntries(changes) }).filter(isSaid))
  return Object.keys(after).length === 0 ? undefined : after
}

function check(member: string, value: unknown): void {
  const row = (rows as { readonly [member: string]: Row | undefined })[member]
  if (row === undefined) throw new StoreError('ERR_INVALID', `a policy has no ${member}`)
  if (!row.fits(value)) throw new StoreError('ERR_INVALID', `a policy's ${member} must be ${row.must}`)
}

function isSaid([, value]: readonly [string, unknown]): boolean {
  return value !== null
}
