import { text } from 'node:stream/consumers'
import type { ApplicationSummary, Credentials } from '../../streams/index.ts'
import { CommandError, exitCode } from './exit.ts'
import { type Shell, tell } from './shell.ts'
import { table } from './table.ts'

export interface AddOptions {
  /** Comma-separated. */
  readonly types: string
  readonly permissions: string
  readonly passwordStdin?: boolean
  readonly partition?: string
}

/** Adds an application, and shows its secret this once. */
export async function add(shell: Shell, id: string, options: AddOptions): Promise<void> {
  if (options.partition !== undefined && options.partition !== 'main') {
    throw new CommandError(exitCode.usage, `there is no partition ${options.partition}: this server serves main alone`)
  }
  const content = {
    id,
    types: names(options.types),
    permissions: names(options.permissions),
    ...(options.passwordStdin ? { password: await readPassword(shell) } : {}),
  }
  const shown = await shell.client.json<Credentials>({
    method: 'POST',
    path: ['applications'],
    headers: { 'content-type': 'application/json' },
    body: bodyOf(content),
  })
  tell(shell, shown, ({ key, secret }) =>
    options.passwordStdin ? `added ${key}` : `key     ${key}\nsecret  ${secret}   (shown this once)`,
  )
}

export async function list(shell: Shell): Promise<void> {
  const { applications } = await shell.client.json<{ applications: ApplicationSummary[] }>({
    method: 'GET',
    path: ['applications'],
  })
  if (shell.json) for (const application of applications) tell(shell, application, String)
  else shell.output.write(`${table([['ID', 'TYPES', 'PERMISSIONS'], ...applications.map(row)])}\n`)
}

export async function remove(shell: Shell, id: string): Promise<void> {
  const answer = await shell.client.send({ method: 'DELETE', path: ['applications', id] })
  answer.resume()
  tell(shell, { removed: id }, () => `removed ${id}`)
}

async function* bodyOf(content: object): AsyncGenerator<Uint8Array> {
  yield Buffer.from(JSON.stringify(content))
}

function row({ id, types, permissions }: ApplicationSummary): readonly string[] {
  return [id, types.join(','), permissions.join(',') || '-']
}

function names(text: string): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** The first line of standard input: on a command line others could read it. */
async function readPassword({ input }: Shell): Promise<string> {
  const [line = ''] = (await text(input)).split(/\r?\n/)
  if (line === '') throw new CommandError(exitCode.usage, 'there is no password on standard input')
  return line
}
