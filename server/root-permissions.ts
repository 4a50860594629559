import type { OpenStore } from '../streams/index.ts'
import { type Applications, serverPrincipal } from './applications.ts'
import { permissions } from './rights.ts'

export interface RootParts {
  readonly applications: Applications
  readonly store: Pick<OpenStore, 'register' | 'tail'>
  readonly log: { info(details: object, message: string): void }
}

/**
 * Gives the generated root application the permissions that the program which generated it did not know. It must be that
 * one still: registered by the server itself, and held to no policy. Whoever adds an application under an id of that
 * form, with less than it has itself, is not to find it with more at the next start.
 */
export async function completeRoot({ applications, store, log }: RootParts, key: string): Promise<void> {
  const { principal, registration } = applications.get(key)!
  const missing = permissions.filter((permission) => !principal.permissions.includes(permission))
  if (missing.length === 0 || registration.policy || !(await isOwn(store, key))) return
  const origin = { principal: serverPrincipal, protocol: 'http' } as const
  const completed = { ...registration, permissions: [...registration.permissions, ...missing] }
  await store.register(origin, key, completed)
  applications.hold(key, completed)
  log.info({ application: key, permissions: missing }, 'the root application has the permissions that are new')
}

/** Whether the server itself registered the application when it was not there: a fold of the records about it. */
async function isOwn(store: Pick<OpenStore, 'tail'>, key: string): Promise<boolean> {
  const ending = new AbortController()
  const query = 'record.operation = application'
  let registrar: string | undefined
  const origin = { principal: serverPrincipal, protocol: 'http' } as const
  for await (const { records, upToDate } of store.tail(origin, { after: 0, query, signal: ending.signal })) {
    for (const record of records) {
      if (record.operation !== 'application' || record.id !== key) continue
      registrar = record.registration === null ? undefined : (registrar ?? record.application)
    }
    if (upToDate) ending.abort()
  }
  return registrar === serverPrincipal.application
}
