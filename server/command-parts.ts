import { join, resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { exitCode } from './cli/exit.ts'
import type { Shell, Voice } from './cli/shell.ts'

/** What every command of a client takes. */
export interface ClientOptions {
  readonly data: string
  readonly json?: boolean
}

/** Modules are loaded by the command that uses them, so that `cenote ls` does not wait for the server's. */
export async function openShell(options: ClientOptions): Promise<Shell> {
  const { Client, findConnection } = await import('./cli/client.ts')
  const client = new Client(await findConnection(process.env, join(resolve(options.data), 'cli.json')))
  return { client, input: process.stdin, ...voiceOf(options) }
}

export function voiceOf({ json = false }: ClientOptions): Voice {
  return { output: process.stdout, json }
}

export function clientCommand(parent: Command, usage: string, summary: string): Command {
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

export function positive(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number from 1 on.')
}
