import { channelCommands } from './channel-commands.ts'
import { digestCommands } from './digest-commands.ts'
import { fileCommands } from './file-commands.ts'
import { protectionCommands } from './protection-commands.ts'
import type { Session } from './session.ts'
import { sessionCommands } from './session-commands.ts'
import { spaceCommands } from './space-commands.ts'
import { transferCommands } from './transfer-commands.ts'

/** One command's answer. Refusals are thrown: a StoreError, or a Refusal with its reply code. */
export interface Command {
  readonly argument: 'needed' | 'optional'
  run(session: Session, argument: string): unknown
}

/** The commands that we answer; ftp-srv answers a few more (ftp-srv-adapter.ts), and 502 is for the rest. */
export const commands: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    ...sessionCommands,
    ...protectionCommands,
    ...fileCommands,
    ...digestCommands,
    ...channelCommands,
    ...transferCommands,
    ...spaceCommands,
  }),
)

/** What may be said before a login, ftp-srv's commands included. */
export const precedeLogIn: ReadonlySet<string> = new Set([
  'ABOR',
  'AUTH',
  'CCC',
  'FEAT',
  'HELP',
  'HOST',
  'LANG',
  'NOOP',
  'OPTS',
  'PASS',
  'PBSZ',
  'PROT',
  'QUIT',
  'REIN',
  'SYST',
  'USER',
])
