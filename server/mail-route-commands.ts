import type { Command } from 'commander'
import { clientCommand, openShell } from './command-parts.ts'

/** Where mail to an address goes, and who may send it there. */
export function addMailRoutes(program: Command): void {
  const route = program.command('route').description('routes of mail: where an address goes, and who may send there')
  routeOptions(
    clientCommand(route, 'add <address>', 'add a route: name@domain, name+tag@domain, name*@domain, *@domain'),
  )
    .requiredOption('--to <bucket[/prefix]>', 'where its mail goes')
    .requiredOption('--application <id>', 'what mail acts as whose sender did not log in')
    .action(async (address: string, options) =>
      (await import('./cli/mail-route.ts')).add(await openShell(options), address, options),
    )
  routeOptions(clientCommand(route, 'set <address>', 'change a route, from the next recipient on'))
    .option('--to <bucket[/prefix]>', 'where its mail goes')
    .option('--application <id>', 'what mail acts as whose sender did not log in')
    .action(async (address: string, options) =>
      (await import('./cli/mail-route.ts')).set(await openShell(options), address, options),
    )
  clientCommand(route, 'show <address>', 'show a route').action(async (address: string, options) =>
    (await import('./cli/mail-route.ts')).show(await openShell(options), address),
  )
  clientCommand(route, 'list', 'list routes').action(async (options) =>
    (await import('./cli/mail-route.ts')).list(await openShell(options)),
  )
  clientCommand(route, 'remove <address>', 'remove a route').action(async (address: string, options) =>
    (await import('./cli/mail-route.ts')).remove(await openShell(options), address),
  )
}

function routeOptions(command: Command): Command {
  return command
    .option('--networks <list>', 'hosts that may deliver without a login: 192.168.0.0/16,fd00::/8; or none')
    .option(
      '--senders <list>',
      'domains whose verified mail is taken from any host: example.com,*.example.com; or none',
    )
    .option('--unverified <fate>', 'of mail that is not proved to be theirs: accept, quarantine or reject; or none')
    .option('--parts <on|off>', 'whether attachments become objects of their own; or none, for smtp.parts')
}
