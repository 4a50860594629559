import type { Command } from './commands.ts'
import { chooseHash, hashFeature } from './digest-commands.ts'
import { Refusal } from './refusal.ts'

/** What RFC 2389 lists for a client to rely on. */
const features = [
  'AVBL',
  'EPRT',
  'EPSV',
  'HOST',
  'LANG EN*',
  'MDTM',
  'MFF modify;',
  'MFMT',
  'MLST type*;size*;modify*;',
  'PASV',
  'RANG STREAM',
  'REST STREAM',
  'SIZE',
  'TVFS',
  'UTF8',
  'XCRC',
  'XMD5',
  'XSHA1',
  'XSHA256',
]

/** Who the client is and what we speak. */
export const sessionCommands: { readonly [directive: string]: Command } = {
  USER: {
    argument: 'needed',
    run({ connection, settings }, user) {
      if (settings.tls?.mode === 'required' && !connection.secure) throw new Refusal(530, 'Say AUTH TLS first')
      connection.logOut()
      connection.username = user
      connection.reply(331)
    },
  },
  PASS: {
    argument: 'optional',
    async run(session, password) {
      const { connection } = session
      if (connection.username === undefined) throw new Refusal(503, 'Say USER first')
      await session.logIn(connection.username, password)
      connection.reply(230)
    },
  },
  TYPE: {
    argument: 'needed',
    run({ connection }, type) {
      const transferType = transferTypeOf(type)
      if (transferType === undefined) throw new Refusal(501, 'Types are A and I')
      connection.transferType = transferType
      connection.reply(200, `The type is ${transferType}`)
    },
  },
  REIN: {
    argument: 'optional',
    run(session) {
      session.restartSession()
      session.connection.reply(220, 'Cenote')
    },
  },
  HOST: {
    argument: 'needed',
    run({ connection }) {
      if (connection.authenticated) throw new Refusal(503, 'HOST comes before USER')
      connection.reply(220, 'Every name leads here')
    },
  },
  LANG: {
    argument: 'optional',
    run({ connection }, language) {
      if (!/^(?:en(?:-.*)?)?$/i.test(language)) throw new Refusal(504, 'The language is en')
      connection.reply(200, 'The language is en')
    },
  },
  SITE: {
    argument: 'optional',
    run({ connection }, text) {
      if (!/^HELP$/i.test(text)) throw new Refusal(text === '' ? 501 : 504, 'SITE knows HELP')
      connection.reply(214, 'SITE knows HELP')
    },
  },
  FEAT: {
    argument: 'optional',
    run(session) {
      const { connection, settings } = session
      const protection = settings.tls ? ['AUTH TLS', 'PBSZ', 'PROT'] : []
      connection.reply(211, 'Features', ...[...features, ...protection, hashFeature(session)].sort(), 'End')
    },
  },
  OPTS: {
    argument: 'needed',
    run(session, option) {
      const hash = /^HASH(?: (.*))?$/i.exec(option)
      if (hash) return chooseHash(session, hash[1] ?? '')
      if (!/^UTF-?8 ON$/i.test(option)) throw new Refusal(501, 'OPTS knows UTF8 ON and HASH')
      session.connection.reply(200, 'Names are UTF-8')
    },
  },
  HELP: {
    argument: 'optional',
    run: ({ connection }) => connection.reply(214, 'RFC 959, 2389, 2428, 3659 and 4217'),
  },
}

/** RFC 959 section 3.1.1: A alone is A N, for non-print; L 8 is what I is where a byte has eight bits. */
function transferTypeOf(type: string): 'ascii' | 'binary' | undefined {
  if (/^A(?: N)?$/i.test(type)) return 'ascii'
  return /^(?:I|L ?8)$/i.test(type) ? 'binary' : undefined
}
