import type { Command } from './commands.ts'
import { factLine, factTime, listLine, parseFactTime } from './entry.ts'
import { Refusal } from './refusal.ts'
import type { Session } from './session.ts'

/** The longest listing that STAT puts on the control connection; LIST has no such bound. */
const statEntriesMax = 1000

/** Directories and names, without a data connection. */
const named: { readonly [directive: string]: Command } = {
  CWD: { argument: 'needed', run: changeDirectory },
  CDUP: { argument: 'optional', run: (session) => changeDirectory(session, '..') },
  MKD: {
    argument: 'needed',
    async run({ connection, files }, text) {
      connection.reply(257, `${quoted(await files.makeDirectory(text))} created`)
    },
  },
  RMD: {
    argument: 'needed',
    async run({ connection, files }, text) {
      await files.removeDirectory(text)
      connection.reply(250, 'Directory removed')
    },
  },
  DELE: {
    argument: 'needed',
    async run({ connection, files }, text) {
      await files.remove(text)
      connection.reply(250, 'File removed')
    },
  },
  RNFR: {
    argument: 'needed',
    async run(session, text) {
      session.renameSource = await session.files.stat(text)
      session.connection.reply(350, 'Say RNTO')
    },
  },
  RNTO: {
    argument: 'needed',
    async run(session, text) {
      const source = session.renameSource
      if (!source) throw new Refusal(503, 'Say RNFR first')
      session.renameSource = undefined
      await session.files.rename(source, text)
      session.connection.reply(250, 'Renamed')
    },
  },
  SIZE: {
    argument: 'needed',
    async run({ connection, files }, text) {
      if (connection.transferType === 'ascii') throw new Refusal(550, 'SIZE is known in TYPE I alone')
      connection.reply(213, String((await files.seenFile(text)).size))
    },
  },
  MDTM: {
    argument: 'needed',
    async run({ connection, files }, text) {
      connection.reply(213, factTime((await files.seenFile(text)).time ?? 0))
    },
  },
  MFMT: {
    argument: 'needed',
    async run(session, text) {
      const [, time = '', path = ''] = /^(\S+) (.+)$/s.exec(text) ?? []
      await setModified(session, time, path)
      session.connection.reply(213, `Modify=${time}; ${path}`)
    },
  },
  MFF: {
    argument: 'needed',
    async run(session, text) {
      const [, time = '', path = ''] = /^modify=([^;]+); (.+)$/is.exec(text) ?? []
      await setModified(session, time, path)
      session.connection.reply(213, `Modify=${time}; ${path}`)
    },
  },
  MLST: {
    argument: 'optional',
    async run({ connection, files }, text) {
      connection.reply(250, 'Listing', factLine(await files.seen(text)), 'End')
    },
  },
  STAT: {
    argument: 'optional',
    run: (session, text) => (text === '' ? sessionStatus(session) : entryStatus(session, text)),
  },
}

/** With the names that RFC 775 gave them, which old clients still say. */
export const fileCommands: { readonly [directive: string]: Command } = {
  ...named,
  XCWD: named.CWD!,
  XCUP: named.CDUP!,
  XMKD: named.MKD!,
  XRMD: named.RMD!,
}

/** The time of a file is that of its put; what a client says it is stands beside it (draft-somers-ftp-mfxx-04). */
async function setModified({ files }: Session, text: string, path: string): Promise<void> {
  const time = parseFactTime(text)
  if (time === undefined || path === '') throw new Refusal(501, 'A time is YYYYMMDDHHMMSS, before the name of a file')
  await files.setModified(path, time)
}

async function changeDirectory({ connection, files }: Session, text: string): Promise<void> {
  await files.changeDirectory(text)
  connection.reply(250, `Directory is ${quoted(files.currentDirectory())}`)
}

function sessionStatus({ connection }: Session): void {
  const lines = [`Connected from ${connection.peer}`, `Logged in as ${connection.username}`]
  connection.reply(211, 'Cenote', ...lines, `TYPE ${connection.transferType}`, 'End')
}

async function entryStatus({ connection, files, settings }: Session, text: string): Promise<void> {
  const { type, pages } = await files.list(text)
  const lines: string[] = []
  for await (const page of pages) {
    lines.push(...page.map((entry) => listLine(entry, settings.clock.now())))
    if (lines.length > statEntriesMax) throw new Refusal(550, 'The directory is too long for STAT; use LIST')
  }
  connection.reply(type === 'file' ? 213 : 212, `Status of ${text}`, ...lines, 'End')
}

/** A path in a reply, its quotes doubled (RFC 959 appendix II). */
function quoted(path: string): string {
  return `"${path.replaceAll('"', '""')}"`
}
