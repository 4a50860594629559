import { Networks } from '../protocols/index.ts'
import {
  isScanPolicy,
  PATTERN_CHARACTERS_MAX,
  type Policy,
  type PolicyChange,
  SCAN_POLICIES,
} from '../streams/index.ts'
import { changed, list, type Row, type Rows } from './members.ts'

export const POLICY_LIST_MAX = 32
/** Slower than this a transfer only looks like one that hangs. */
export const RATE_MIN = 1024

const count = (least: number, must: string): Row => ({
  must,
  fits: (value) => Number.isSafeInteger(value) && (value as number) >= least,
})

const rows: Rows<Policy> = {
  objectBytesMax: count(1, 'a number of bytes from 1 on'),
  names: list(
    POLICY_LIST_MAX,
    `patterns of 1 to ${PATTERN_CHARACTERS_MAX} characters`,
    (text) => text.length >= 1 && text.length <= PATTERN_CHARACTERS_MAX,
  ),
  contentTypes: list(POLICY_LIST_MAX, 'media types such as application/pdf or image/*', (text) =>
    /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]{0,126})$/.test(text),
  ),
  quotaBytes: count(0, 'a number of bytes'),
  quotaObjects: count(0, 'a number of objects'),
  networks: list(POLICY_LIST_MAX, 'addresses and ranges such as 192.168.0.0/16', isNetwork),
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

/** The policy after a change; undefined for one that says nothing. ERR_INVALID. */
export function changedPolicy(before: Policy | undefined, change: PolicyChange): Policy | undefined {
  const after = changed('policy', rows, before, change)
  return Object.keys(after).length === 0 ? undefined : after
}
