import { Command, Option } from 'commander'
import { exitCodeHelp } from './cli/exit.ts'
import { clientCommand, openShell, positive } from './command-parts.ts'
import { addCustody } from './custody-commands.ts'
import { addMailRoutes } from './mail-route-commands.ts'
import { addPartials } from './partials-commands.ts'
import { addPool } from './pool-commands.ts'
import { addQuarantine } from './quarantine-commands.ts'
import { addSubscriptions } from './subscription-commands.ts'
import { addVersions } from './version-commands.ts'

/** As in package.json. */
const version = '0.1.0'

const examples = `
Examples:
  cenote serve                            run a server on ./cenote-data
  cenote put report.pdf inbox/2026        upload to inbox/2026/report.pdf
  cenote ls inbox/2026/                   list what is there
  cenote query 'email.from:ann@*'         find objects by their attributes
  cenote get inbox/2026/report.pdf        download it here
  cenote tail --query 'object.key:2026*'  see what comes in

Environment:
  CENOTE_URL, CENOTE_KEY, CENOTE_SECRET   the server to speak to, and as whom;
                                          without them cli.json in the data folder says so
  CENOTE_DATA                             the data folder, in place of --data
`

function addServe(program: Command): void {
  program
    .command('serve')
    .description('run a server')
    .option('--data <dir>', 'data folder; CENOTE_DATA (default: ./cenote-data)')
    .option('--http <host:port>', 'listen for HTTP, or "off"; CENOTE_HTTP (default: 127.0.0.1:8480)')
    .option('--ftp <host:port>', 'listen for FTP, or "off"; CENOTE_FTP (default: 127.0.0.1:2121)')
    .option('--smtp <host:port>', 'listen for mail, or "off"; CENOTE_SMTP (default: 127.0.0.1:2525)')
    .option('--config <file>', 'configuration file (docs/OPERATING.md); CENOTE_CONFIG')
    .option('--pool-bytes <size>', 'size of a new pool; CENOTE_POOL_BYTES (default: 1GiB)')
    .option('--pool-max <size>', 'let the pool grow up to it, by 1GiB at a time; CENOTE_POOL_MAX (default: off)')
    .option('--degraded', 'start without members of the pool that are missing, where others stand in for them')
    .option('--replace-signing-key', 'when the key that signs is lost: go on with a new one that nobody introduces')
    .action(async (flags) => (await import('./serve.ts')).serve(flags))
}

function addObjects(program: Command): void {
  clientCommand(
    program,
    'put <file> <target...>',
    'upload files to BUCKET[/PREFIX]; with - standard input to BUCKET/KEY',
  )
    .usage('[options] <file...> <target>')
    .action(async (file: string, rest: string[], options) =>
      (await import('./cli/put.ts')).put(await openShell(options), [file, ...rest.slice(0, -1)], rest.at(-1) ?? ''),
    )
  clientCommand(program, 'get <object> [file]', 'download BUCKET/KEY, verified, to a file; with - to standard output')
    .option('--version <id>', 'a version that is kept; the current one by default')
    .action(async (object: string, file: string | undefined, options) =>
      (await import('./cli/get.ts')).get(await openShell(options), object, file, options.version),
    )
  clientCommand(program, 'ls [target]', 'list buckets, or what is in BUCKET[/PREFIX]')
    .option('-r, --recursive', 'list what is in folders, too', false)
    .action(async (target: string | undefined, options) =>
      (await import('./cli/ls.ts')).ls(await openShell(options), target, options.recursive),
    )
  clientCommand(program, 'rm <object...>', 'remove objects')
    .option('--version <id>', 'remove this version of the object for good, or this delete marker')
    .option('--versions <all>', 'with all, remove every version and delete marker for good')
    .action(async (objects: string[], options) =>
      (await import('./cli/rm.ts')).rm(await openShell(options), objects, options),
    )
  clientCommand(program, 'attributes <object>', "show an object's attribute stream")
    .option('--at <moment>', 'show what the object was: at a sequence, or at a time in ISO 8601')
    .action(async (object: string, options) =>
      (await import('./cli/attributes.ts')).attributes(await openShell(options), object, options.at),
    )
  clientCommand(program, 'query <query>', 'find objects by their attributes (docs/QUERY.md has the language)')
    .option('--sort <name>', 'in the order of an attribute; with - before it in descending order')
    .option('--limit <n>', 'stop after so many objects (default: 1000)', positive)
    .option('--all', 'show every object')
    .option('--columns <names>', 'show these attributes, parted by commas')
    .option('--csv', 'as CSV')
    .option('--facet <names>', 'count the values of attributes, parted by commas; --limit says how many of each')
    .option('--explain', 'tell how the answer would be found, and not the answer')
    .action(async (text: string, options) =>
      (await import('./cli/query.ts')).query(await openShell(options), text, options),
    )
}

function addReindex(program: Command): void {
  clientCommand(program, 'reindex', 'make the index of queries anew, from the objects, while the server serves').action(
    async (options) => (await import('./cli/reindex.ts')).reindex(await openShell(options)),
  )
}

function addTail(program: Command): void {
  clientCommand(program, 'tail [object]', 'follow the records of the store, or of BUCKET/KEY, as they come')
    .option('--from <offset>', 'begin after a record: its sequence, an offset, -1 for the first one', 'now')
    .option('--query <query>', 'show records that meet it, each by what it says itself')
    .addOption(new Option('--format <name>', 'show them as').choices(['json', 'ndjson', 'cloudevents', 's3', 'xml']))
    .action(async (object: string | undefined, options) => {
      const ending = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort())
      const note = (text: string) => process.stderr.write(`cenote: ${text}\n`)
      const { tail } = await import('./cli/tail.ts')
      await tail(await openShell(options), object, options, { signal: ending.signal, note, retryMsMin: 500 })
    })
}

function addApplications(program: Command): void {
  const app = program.command('app').description('applications: who may use the server, and how')
  policyOptions(clientCommand(app, 'add <id>', 'add an application and show its secret, this once'))
    .requiredOption('--types <list>', 'request types that it may use: http,ftp,email')
    .option('--permissions <list>', 'what it may do', 'object:read,object:write')
    .option('--password-stdin', 'take the secret, one line, from standard input')
    .option('--partition <name>', 'the partition that it belongs to', 'main')
    .action(async (id: string, options) => (await import('./cli/app.ts')).add(await openShell(options), id, options))
  clientCommand(app, 'show <id>', 'show what an application is held to, and what it has stored').action(
    async (id: string, options) => (await import('./cli/policy.ts')).show(await openShell(options), id),
  )
  policyOptions(
    clientCommand(app, 'set <id>', 'change what an application is held to, from its next session on'),
  ).action(async (id: string, options) => (await import('./cli/policy.ts')).set(await openShell(options), id, options))
  clientCommand(app, 'list', 'list applications').action(async (options) =>
    (await import('./cli/app.ts')).list(await openShell(options)),
  )
  clientCommand(app, 'remove <id>', 'remove an application').action(async (id: string, options) =>
    (await import('./cli/app.ts')).remove(await openShell(options), id),
  )
}

function policyOptions(command: Command): Command {
  return command
    .option('--object-bytes-max <size>', 'of one object; or none')
    .option('--names <patterns>', 'what it may store: *.pdf,inbox/scans/**; or none, for any name')
    .option('--content-types <list>', 'what content may be found to be: application/pdf,image/*; or none, for anything')
    .option('--quota-bytes <size>', 'of all that it has stored and is kept; or none')
    .option('--quota-objects <n>', 'and their older versions; or none')
    .option('--networks <list>', 'where it may come from: 192.168.0.0/16,fd00::/8; or none, for anywhere')
    .option('--home <bucket[/prefix]>', 'where its FTP sessions begin, and beyond which they see nothing; or none')
    .option('--connections-max <n>', 'FTP sessions at once; or none')
    .option('--bytes-per-second <size>', 'of its FTP sessions together, both ways; or none')
    .option(
      '--control-lost <fate>',
      'of a file whose sender vanished: keep, quarantine or drop; or none, for quarantine',
    )
    .option(
      '--scan <fate>',
      'of what a scanner cannot judge: accept, quarantine or refuse; off to ask none; or none, for scanner.policy',
    )
}

/** Every command, its help, and what runs it. */
export function createProgram(): Command {
  const program = new Command('cenote')
    .description('A storage server: what comes in over HTTP, FTP and e-mail is durable, described, found again.')
    .version(version)
    .configureHelp({
      subcommandTerm: (command) => `${command.name()} ${command.usage().replace('[options] ', '')}`,
    })
    .configureOutput({
      outputError: (text, write) => write(`${text.trimEnd().replace(/^error:/, 'cenote:')} (--help says more)\n`),
    })
    .enablePositionalOptions() // Commands have a --version of their own.
    .exitOverride()
  addServe(program)
  addObjects(program)
  addTail(program)
  addVersions(program)
  addQuarantine(program)
  addPartials(program)
  addSubscriptions(program)
  addApplications(program)
  addMailRoutes(program)
  addCustody(program)
  addPool(program)
  addReindex(program)
  return program.addHelpText('after', examples + exitCodeHelp)
}
