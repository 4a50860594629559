import type { ObjectVersion, VersionListing } from '../../streams/index.ts'
import { sending } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { columns } from './ls.ts'
import { parseObject, parseTarget, type Shell, tell } from './shell.ts'
import { printable } from './table.ts'

const pageVersions = 1000
const dayMs = 86_400_000

/** Lists what a bucket keeps under a prefix, older versions and delete markers included. */
export async function versions(shell: Shell, target: string): Promise<void> {
  const { bucket, key: prefix } = parseTarget(target)
  let cursor: string | undefined
  do {
    const query = { prefix: prefix || undefined, cursor, limit: pageVersions }
    const page = await shell.client.json<VersionListing>({ method: 'GET', path: ['versions', bucket], query })
    for (const version of page.versions) tell(shell, version, line)
    cursor = page.next
  } while (cursor !== undefined)
}

function line(version: ObjectVersion): string {
  const size = version.state === 'marker' ? 0 : version.size
  const marks = version.state === 'marker' ? '' : lockMarks(version.attributes)
  return `${version.version}  ${version.state.padEnd(10)}  ${columns({ ...version, size })}  ${printable(version.key)}${marks}`
}

function lockMarks(attributes: { readonly [name: string]: unknown }): string {
  const until = attributes['retention.until']
  const retained = typeof until === 'string' ? `  retained until ${printable(until)}` : ''
  return `${retained}${attributes['retention.hold'] === true ? '  held' : ''}`
}

export interface RetainOptions {
  readonly until?: string
  readonly days?: number
  readonly version?: string
}

/** Retains a version until a date, or for so many days from now. */
export async function retain(shell: Shell, object: string, { until, days, version }: RetainOptions): Promise<void> {
  if ((until === undefined) === (days === undefined))
    throw new CommandError(exitCode.usage, 'name --until or --days, one of them')
  const moment = until ?? new Date(Date.now() + (days ?? 0) * dayMs).toISOString()
  await change(shell, object, { until: moment, version })
  tell(shell, { retained: object, until: moment }, () => `retained ${printable(object)} until ${moment}`)
}

/** Puts a version under legal hold, or ends that. */
export async function hold(shell: Shell, object: string, state: string, version: string | undefined): Promise<void> {
  if (state !== 'on' && state !== 'off')
    throw new CommandError(exitCode.usage, `a hold is on or off, not ${JSON.stringify(state)}`)
  await change(shell, object, { hold: state === 'on', version })
  const words = state === 'on' ? 'held' : 'held no more:'
  tell(shell, { [state === 'on' ? 'held' : 'released']: object }, () => `${words} ${printable(object)}`)
}

async function change({ client }: Shell, object: string, retention: object): Promise<void> {
  const { bucket, key } = parseObject(object)
  const answer = await client.send(sending('PATCH', ['retention', bucket, key], retention))
  answer.resume()
}
