import { type LookupAddress, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { notAllowed, type TargetRules } from './target.ts'

/** Finds every address of a host; the system's resolver everywhere but in tests. */
export type Resolve = (
  host: string,
  done: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void,
) => void

export const systemResolve: Resolve = (host, done) =>
  lookup(host, { all: true, verbatim: true }, (error, addresses = []) => done(error, addresses))

/**
 * Finds the addresses of a host that a webhook may go to. It is asked as a connection is made, and the connection goes
 * to what it says: a name that means something else a moment later leads nowhere else.
 */
export function allowedLookup(rules: TargetRules, resolve: Resolve): LookupFunction {
  return (host, options, done) => {
    resolve(host, (error, addresses) => {
      if (error) return done(error, '', 0)
      const allowed = addresses.filter(({ address }) => rules.allows(address))
      const [first] = allowed
      if (first === undefined) return done(notAllowed(addresses[0]?.address ?? host) as NodeJS.ErrnoException, '', 0)
      if (options.all) return done(null, allowed)
      done(null, first.address, first.family)
    })
  }
}

/**
 * Throws ERR_INVALID for a target whose host stands for nothing that is allowed, so that who names it hears of it at
 * once. A name that nobody knows yet may be known by the time of a delivery.
 */
export function checkHost({ hostname }: URL, rules: TargetRules, resolve: Resolve = systemResolve): Promise<void> {
  return new Promise((settle, reject) => {
    resolve(hostname.replace(/^\[|\]$/g, ''), (error, addresses) => {
      const [first] = addresses
      if (error || first === undefined || addresses.some(({ address }) => rules.allows(address))) settle()
      else reject(notAllowed(first.address))
    })
  })
}
