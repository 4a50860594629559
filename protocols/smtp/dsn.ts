import type { SMTPServerSession } from 'smtp-server'
import type { DsnFacts } from '../../streams/index.ts'
import type { Recipient } from './envelope.ts'

/** What was asked of reports on delivery (RFC 3461) to these recipients; undefined where nothing was. */
export function dsnOf({ envelope }: SMTPServerSession, recipients: readonly Recipient[]): DsnFacts | undefined {
  const { ret, envid } = envelope.dsn ?? {}
  const addresses = new Set(recipients.map(({ address }) => address))
  const asked = envelope.rcptTo.flatMap(({ address, dsn }) => {
    if (!dsn || !addresses.has(address)) return []
    const { notify, orcpt } = dsn
    return [{ address, ...(notify && { notify: notify.join(',') }), ...(orcpt && { orcpt }) }]
  })
  if (!ret && !envid && asked.length === 0) return undefined
  return { ...(ret && { ret }), ...(envid && { envid }), recipients: asked }
}
