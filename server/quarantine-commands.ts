import type { Command } from 'commander'
import { clientCommand, openShell } from './command-parts.ts'

/** What came in and is read by nobody until somebody has judged it. */
export function addQuarantine(program: Command): void {
  const quarantine = program.command('quarantine').description('what is kept and not read until somebody has judged it')
  clientCommand(quarantine, 'list', 'list current objects that are quarantined, and why').action(async (options) =>
    (await import('./cli/quarantine.ts')).list(await openShell(options)),
  )
  clientCommand(quarantine, 'release <object>', 'let everybody read it who may read')
    .option('--version <id>', 'the version; the current one by default')
    .action(async (object: string, options) =>
      (await import('./cli/quarantine.ts')).settle(await openShell(options), object, 'release', options.version),
    )
  clientCommand(quarantine, 'drop <object>', 'remove it for good, unless it is retained or held')
    .option('--version <id>', 'the version; the current one by default')
    .action(async (object: string, options) =>
      (await import('./cli/quarantine.ts')).settle(await openShell(options), object, 'drop', options.version),
    )
}
