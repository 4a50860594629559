import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { SMTPServerSession } from 'smtp-server'
import type { EmailFacts } from '../../streams/index.ts'

/** What was agreed on for the connection of a session: smtp-server keeps the cipher suite of it, not the version. */
const agreed = new WeakMap<SMTPServerSession, EmailFacts['tls']>()

/** To be said when a session has become secure. */
export function noteProtection(session: SMTPServerSession, socket: Socket | TLSSocket): void {
  const version = socket instanceof TLSSocket ? socket.getProtocol() : null
  if (!(socket instanceof TLSSocket) || !version) return
  const { name, standardName } = socket.getCipher()
  agreed.set(session, { version, cipher: standardName ?? name })
}

/** How what comes in this session is protected; undefined while it comes in clear. */
export function protectionOf(session: SMTPServerSession): EmailFacts['tls'] {
  return agreed.get(session)
}
