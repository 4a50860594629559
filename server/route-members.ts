import { senderDomainOf } from '../protocols/index.ts'
import { type RouteChange, type RouteRegistration, StoreError } from '../streams/index.ts'
import { isNetwork } from './policies.ts'

/** What a route may say, and in which words it is refused. A new member does not compile without its row. */
interface Row {
  readonly must: string
  fits(value: unknown): boolean
  /** In the one form that it is kept in. */
  readonly kept?: (value: never) => unknown
}

export const ROUTE_LIST_MAX = 256
export const ROUTE_PREFIX_BYTES_MAX = 512

const isName = (value: unknown): value is string => typeof value === 'string' && value !== ''

const list = (must: string, fits: (text: string) => boolean): Row => ({
  must: `1 to ${ROUTE_LIST_MAX} ${must}`,
  fits: (value) =>
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= ROUTE_LIST_MAX &&
    value.every((text) => typeof text === 'string' && fits(text)),
})

const rows: { readonly [Member in keyof RouteRegistration]-?: Row } = {
  bucket: { must: 'the name of a bucket', fits: isName },
  prefix: {
    must: `a folder such as invoices/ or a/b/, of ${ROUTE_PREFIX_BYTES_MAX} bytes at the most`,
    fits: (value) => isName(value) && Buffer.byteLength(value) <= ROUTE_PREFIX_BYTES_MAX && isFolder(value),
  },
  application: { must: 'the id of an application', fits: isName },
  networks: list('addresses and ranges such as 192.168.0.0/16', isNetwork),
  senders: {
    ...list('domains such as example.com, *.example.com or *', isSenderDomain),
    kept: (domains: readonly string[]) => domains.map(senderDomainOf),
  },
  unverified: {
    must: 'accept, quarantine or reject',
    fits: (value) => value === 'accept' || value === 'quarantine' || value === 'reject',
  },
  parts: { must: 'true or false', fits: (value) => typeof value === 'boolean' },
}

/** A route after a change, in which null takes a member away. ERR_INVALID for what it may not say. */
export function changedRoute(before: RouteRegistration | undefined, change: RouteChange): RouteRegistration {
  const said = Object.entries(change).filter(([, value]) => value !== undefined)
  const kept = said.map(([member, value]) => [member, value === null ? null : checked(member, value)])
  const after: { [member: string]: unknown } = Object.fromEntries(
    Object.entries({ ...before, ...Object.fromEntries(kept) }).filter(([, value]) => value !== null),
  )
  for (const member of ['bucket', 'application'])
    if (after[member] === undefined) throw new StoreError('ERR_INVALID', `a route needs its ${member}`)
  return after as unknown as RouteRegistration // Each member fits its row.
}

function checked(member: string, value: unknown): unknown {
  const row = (rows as { readonly [member: string]: Row | undefined })[member]
  if (row === undefined) throw new StoreError('ERR_INVALID', `a route has no ${member}`)
  if (!row.fits(value)) throw new StoreError('ERR_INVALID', `a route's ${member} must be ${row.must}`)
  return row.kept ? row.kept(value as never) : value
}

/** Nothing that a path would take for another place, so that every door shows it where it is. */
function isFolder(text: string): boolean {
  const segments = text.split('/')
  const isSegment = (segment: string) => !['', '.', '..'].includes(segment) && !/\p{Cc}/u.test(segment)
  return segments.pop() === '' && segments.every(isSegment)
}

function isSenderDomain(text: string): boolean {
  try {
    return senderDomainOf(text) !== ''
  } catch {
    return false
  }
}
