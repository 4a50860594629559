import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { exitCode, exitCodeHelp } from './cli/exit.ts'
import type { Shell, Voice } from './cli/shell.ts'

/** As in package.json. */
const version = '0.1.0'

const examples = `
Examples:
  cenote serve                            run a server on ./cenote-data
  cenote put report.pdf inbox/2026        upload to inbox/2026/report.pdf
  cenote ls inbox/2026/                   list what is there
  cenote query 'email.from:ann@*'         find objects by their attributes
  cenote get inbox/2026/report.pdf        download it here

Environment:
  CENOTE_URL, CENOTE_KEY, CENOTE_SECRET   the server to speak to, and as whom;
                                          without them cli.json in the data folder says so
  CENOTE_DATA                             the data folder, in place of --data
`

/** What every command of a client takes. */
interface ClientOptions {
  readonly data: string
  readonly json?: boolean
}

/** Modules are loaded by the command that uses them, so that `cenote ls` does not wait for the server's. */
async function openShell(options: ClientOptions): Promise<Shell> {
  const { Client, findConnection } = await import('./cli/client.ts')
  const client = new Client(await findConnection(process.env, join(resolve(options.data), 'cli.json')))
  return { client, input: process.stdin, ...voiceOf(options) }
}

function voiceOf({ json = false }: ClientOptions): Voice {
  return { output: process.stdout, json }
}

function clientCommand(parent: Command, usage: string, summary: string): Command {
  return parent
    .command(usage)
    .description(summary)
    .option('--data <dir>', 'data folder of the server to speak to', process.env.CENOTE_DATA || './cenote-data')
    .option('--json', 'one JSON value a line, for programs')
    .hook('preAction', leaveQuietly)
}

/** `cenote ls | head` closes the pipe: that is the reader's right, and no error. */
function leaveQuietly(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCode.ok)
    throw error
  })
}

function positive(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number from 1 on.')
}

function size(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,5})([KMGT])?(?:iB)?$/.exec(text) ?? []
  if (digits === undefined) throw new InvalidArgumentError('It must be a size such as 64MiB.')
  return Number(digits) * 1024 ** ' KMGT'.indexOf(unit ?? ' ')
}

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
  clientCommand(
    program,
    'get <object> [file]',
    'download BUCKET/KEY, verified, to a file; with - to standard output',
  ).action(async (object: string, file: string | undefined, options) =>
    (await import('./cli/get.ts')).get(await openShell(options), object, file),
  )
  clientCommand(program, 'ls [target]', 'list buckets, or what is in BUCKET[/PREFIX]')
    .option('-r, --recursive', 'list what is in folders, too', false)
    .action(async (target: string | undefined, options) =>
      (await import('./cli/ls.ts')).ls(await openShell(options), target, options.recursive),
    )
  clientCommand(program, 'rm <object...>', 'remove objects').action(async (objects: string[], options) =>
    (await import('./cli/rm.ts')).rm(await openShell(options), objects),
  )
  clientCommand(program, 'attributes <object>', "show an object's attribute stream").action(
    async (object: string, options) =>
      (await import('./cli/attributes.ts')).attributes(await openShell(options), object),
  )
  clientCommand(program, 'query <query>', 'find objects by their attributes: name:value, name:prefix*, name>value, AND')
    .option('--limit <n>', 'stop after so many objects', positive)
    .action(async (text: string, options) =>
      (await import('./cli/query.ts')).query(await openShell(options), text, options.limit),
    )
}

function addApplications(program: Command): void {
  const app = program.command('app').description('applications: who may use the server, and how')
  clientCommand(app, 'add <id>', 'add an application and show its secret, this once')
    .requiredOption('--types <list>', 'request types that it may use: http,ftp,email')
    .option('--permissions <list>', 'what it may do', 'object:read,object:write')
    .option('--password-stdin', 'take the secret, one line, from standard input')
    .option('--partition <name>', 'the partition that it belongs to', 'main')
    .action(async (id: string, options) => (await import('./cli/app.ts')).add(await openShell(options), id, options))
  clientCommand(app, 'list', 'list applications').action(async (options) =>
    (await import('./cli/app.ts')).list(await openShell(options)),
  )
  clientCommand(app, 'remove <id>', 'remove an application').action(async (id: string, options) =>
    (await import('./cli/app.ts')).remove(await openShell(options), id),
  )
}

function addPool(program: Command): void {
  const pool = program.command('pool').description('the pool: how it is')
  clientCommand(pool, 'status', 'show space, position and how the last start found it').action(async (options) =>
    (await import('./cli/pool.ts')).status(await openShell(options)),
  )
  clientCommand(pool, 'check', 'read and verify every byte; on the closed pool in --data when no server has it').action(
    async (options: ClientOptions) => {
      const { check, report } = await import('./cli/pool.ts')
      const { checkClosedPool } = await import('./closed-pool.ts')
      const closed = process.env.CENOTE_URL ? undefined : await checkClosedPool(resolve(options.data))
      report(voiceOf(options), closed ?? (await check(await openShell(options))))
    },
  )
}

function addScrub(program: Command): void {
  const pool = program.commands.find((command) => command.name() === 'pool')
  clientCommand(
    pool!,
    'scrub',
    'verify every copy of everything and repair what is right on another; --data as for check',
  )
    .option('--rate <size>', 'read no more than this in a second, as 64MiB', size)
    .option('--resume', 'go on where the last scrub stopped')
    .action(async (options: ClientOptions & { rate?: number; resume?: boolean }) => {
      const { report, scrub } = await import('./cli/scrub.ts')
      const { scrubClosedPool } = await import('./closed-pool.ts')
      const { rate, resume = false } = options
      const request = { resume, ...(rate === undefined ? {} : { bytesPerSecond: rate }) }
      const closed = process.env.CENOTE_URL ? undefined : await scrubClosedPool(resolve(options.data), request)
      report(voiceOf(options), closed ?? (await scrub(await openShell(options), request)))
    })
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
    .exitOverride()
  addServe(program)
  addObjects(program)
  addApplications(program)
  addPool(program)
  addScrub(program)
  return program.addHelpText('after', examples + exitCodeHelp)
}
