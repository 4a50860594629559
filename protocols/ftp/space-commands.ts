import type { Attributes } from '../../streams/index.ts'
import type { Command } from './commands.ts'
import { COMPLETION } from './completion.ts'
import { Refusal } from './refusal.ts'
import type { Session } from './session.ts'

/** How much there is room for: ALLO (RFC 959), AVBL (draft-peterson-streamlined-ftp-command-extensions-10). */
export const spaceCommands: { readonly [directive: string]: Command } = {
  ALLO: { argument: 'needed', run: allocate },
  AVBL: {
    argument: 'optional',
    async run({ connection, files }, text) {
      connection.reply(213, String(await files.available(text)))
    },
  },
}

/**
 * What a client says here of its next upload is kept room for, and tells at its end whether all came. It is refused now
 * rather than after the bytes; `R` is about records, which files here have none of.
 */
async function allocate(session: Session, text: string): Promise<void> {
  const [, digits] = /^(\d{1,15})(?: R \d{1,15})?$/i.exec(text) ?? []
  if (digits === undefined) throw new Refusal(501, 'ALLO needs a number of bytes')
  const bytes = Number(digits)
  const { origin } = session.files
  const bytesMax = origin.principal.policy?.objectBytesMax ?? Number.POSITIVE_INFINITY
  if (bytes > bytesMax) throw new Refusal(552, `A file may have at most ${bytesMax} bytes`)
  const available = await session.files.available('/')
  if (bytes > available) throw new Refusal(552, `There is room for ${available} bytes`)
  session.allocation = bytes
  session.connection.reply(200, `There is room for ${bytes} bytes`)
}

/** What ALLO says at the end of an upload of `size` bytes: one that has them all needs no other word to be whole. */
export function allocationEvidence(allocation: number | undefined, size: number): Attributes {
  if (allocation === undefined) return {}
  return { 'ftp.allocated': allocation, ...(allocation === size && { [COMPLETION]: 'confirmed' }) }
}
