import type { Command } from './commands.ts'
import type { FtpTls } from './protection.ts'
import { Refusal } from './refusal.ts'
import type { Session } from './session.ts'

/** TLS for what is said and for what is moved (RFC 2228, RFC 4217). */
export const protectionCommands: { readonly [directive: string]: Command } = {
  AUTH: {
    argument: 'optional',
    run(session, mechanism) {
      const tls = offered(session)
      if (!/^(?:TLS|TLS-C|SSL)$/i.test(mechanism)) throw new Refusal(504, 'The mechanism is TLS')
      session.startTls(tls)
    },
  },
  PBSZ: {
    argument: 'optional',
    run(session, size) {
      requireTls(session)
      if (!/^\d+$/.test(size)) throw new Refusal(501, 'PBSZ needs a number')
      session.isBufferSized = true
      session.connection.reply(200, 'PBSZ=0')
    },
  },
  PROT: {
    argument: 'optional',
    run(session, text) {
      requireTls(session)
      if (!session.isBufferSized) throw new Refusal(503, 'Say PBSZ first')
      const level = text.toUpperCase()
      if (level === 'S' || level === 'E') throw new Refusal(536, 'The levels are C and P')
      if (level !== 'C' && level !== 'P') throw new Refusal(504, 'The levels are C and P')
      if (level === 'C' && session.settings.tls?.mode !== 'offered')
        throw new Refusal(534, 'Data connections must be protected: say PROT P')
      session.protection = level
      session.connection.reply(200, `The protection level is ${level}`)
    },
  },
  CCC: {
    argument: 'optional',
    run(session) {
      requireTls(session)
      throw new Refusal(534, 'What is said stays protected')
    },
  },
}

function offered({ settings }: Session): FtpTls {
  if (!settings.tls) throw new Refusal(502, 'TLS is not offered')
  return settings.tls
}

function requireTls(session: Session): void {
  offered(session)
  if (!session.connection.secure) throw new Refusal(503, 'Say AUTH TLS first')
}
