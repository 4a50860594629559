import { senderDomainOf } from '../protocols/index.ts'
import { type RouteChange, type RouteRegistration, StoreError } from '../streams/index.ts'
import { changed, list, type Rows } from './members.ts'
import { isNetwork } from './policies.ts'

export const ROUTE_LIST_MAX = 256
export const ROUTE_PREFIX_BYTES_MAX = 512

const isName = (value: unknown): value is string => typeof value === 'string' && value !== ''

const rows: Rows<RouteRegistration> = {
  bucket: { must: 'the name of a bucket', fits: isName },
  prefix: {
    must: `a folder such as invoices/ or a/b/, of ${ROUTE_PREFIX_BYTES_MAX} bytes at the most`,
    fits: (value) => isName(value) && Buffer.byteLength(value) <= ROUTE_PREFIX_BYTES_MAX && isFolder(value),
  },
  application: { must: 'the id of an application', fits: isName },
  networks: list(ROUTE_LIST_MAX, 'addresses and ranges such as 192.168.0.0/16', isNetwork),
  senders: {
    ...list(ROUTE_LIST_MAX, 'domains such as example.com, *.example.com or *', isSenderDomain),
    kept: (domains: readonly string[]) => domains.map(senderDomainOf),
  },
  unverified: {
    must: 'accept, quarantine or reject',
    fits: (value) => value === 'accept' || value === 'quarantine' || value === 'reject',
  },
  parts: { must: 'true or false', fits: (value) => typeof value === 'boolean' },
}

/** The route after a change. ERR_INVALID for what it may not say. */
export function changedRoute(before: RouteRegistration | undefined, change: RouteChange): RouteRegistration {
  const { bucket, application, ...others } = changed('route', rows, before, change)
  if (bucket === undefined) throw new StoreError('ERR_INVALID', 'a route needs its bucket')
  if (application === undefined) throw new StoreError('ERR_INVALID', 'a route needs its application')
  return { bucket, application, ...others }
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
