import { text } from 'node:stream/consumers'
import type { ApplicationSummary, Credentials } from '../../streams/index.ts'
import { permissions, requestTypes } from '../rights.ts'
import { sending } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { type PolicyOptions, policyOf } from './policy.ts'
import { type Shell, tell } from './shell.ts'
import { table } from './table.ts'

export interface AddOptions extends PolicyOptions {
  /** Comma-separated. */
  readonly types: string
  readonly permissions: string
  readonly passwordStdin?: boolean
  readonly partition?: string
}

/** What an application shows from now on; a password that a person chose is not repeated. */
type Shown = Pick<Credentials, 'key'> & Partial<Credentials>

/** Adds an application, and shows a secret that was generated, this once. */
export async function add(shell: Shell, id: string, options: AddOptions): Promise<void> {
  if (options.partition !== undefined && options.partition !== 'main') {
    throw new CommandError(exitCode.usage, `there is no partition ${options.partition}: this server serves main alone`)
  }
  const types = names('--types', options.types, requestTypes)
  if (types.length === 0) throw wrong('--types', options.types, requestTypes)
  const policy = policyOf(options)
  const content = {
    id,
    types,
    permissions: names('--permissions', options.permissions, permissions),
    ...(policy && { policy }),
    ...(options.passwordStdin ? { password: await readPassword(shell) } : {}),
  }
  const { key, secret } = await shell.client.json<Shown>(sending('POST', ['applications'], content))
  const shown = options.passwordStdin ? { key } : { key, secret }
  const words = options.passwordStdin ? 'the password as given' : `${secret}   (shown this once)`
  tell(shell, shown, () => `key     ${key}\nsecret  ${words}`)
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

function row({ id, types, permissions }: ApplicationSummary): readonly string[] {
  return [id, types.join(','), permissions.join(',') || '-']
}

/** The names in a comma-separated list, each of which is one of `known`. */
function names(flag: string, text: string, known: readonly string[]): readonly string[] {
  const named = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const unknown = named.find((name) => !known.includes(name))
  if (unknown !== undefined) throw wrong(flag, unknown, known)
  return named
}

function wrong(flag: string, text: string, known: readonly string[]): CommandError {
  return new CommandError(exitCode.usage, `${flag} must be some of ${known.join(', ')}, not ${JSON.stringify(text)}`)
}

/** The first line of standard input: on a command line others could read it. */
async function readPassword({ input }: Shell): Promise<string> {
  const [line = ''] = (await text(input)).split(/\r?\n/)
  if (line === '') throw new CommandError(exitCode.usage, 'there is no password on standard input')
  return line
}
