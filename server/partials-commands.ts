import type { Command } from 'commander'
import { clientCommand, openShell } from './command-parts.ts'

/** Uploads that were cut off, and wait for their applications to go on. */
export function addPartials(program: Command): void {
  const partials = program.command('partials').description('uploads that were cut off and can be gone on with')
  clientCommand(partials, 'list', 'list them, the oldest first: since when, size, application, name').action(
    async (options) => (await import('./cli/partials.ts')).list(await openShell(options)),
  )
  clientCommand(partials, 'drop <application> <object>', 'let one go').action(
    async (application: string, object: string, options) =>
      (await import('./cli/partials.ts')).drop(await openShell(options), application, object),
  )
}
