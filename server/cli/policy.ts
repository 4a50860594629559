import type { ApplicationDetail, Policy, PolicyChange } from '../../streams/index.ts'
import { sizeOf, sizeWords } from '../size.ts'
import { sending } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { type Shell, tell } from './shell.ts'
import { printable, table } from './table.ts'

/** As written on the command line; `none` takes a member away. */
export type PolicyOptions = { readonly [Member in keyof Policy]?: string }

type Parse<Value> = (text: string, flag: string) => Value

const parsers: { readonly [Member in keyof Policy]-?: Parse<NonNullable<Policy[Member]>> } = {
  objectBytesMax: bytesOf,
  names: listOf,
  contentTypes: listOf,
  quotaBytes: bytesOf,
  quotaObjects: countOf,
  networks: listOf,
  home: (text) => text,
  connectionsMax: countOf,
  bytesPerSecond: bytesOf,
  controlLost: (text) => text as NonNullable<Policy['controlLost']>, // The server knows which there are.
  scan: (text) => text as NonNullable<Policy['scan']>,
}

/** Shows what an application is held to, and what it has stored. */
export async function show(shell: Shell, id: string): Promise<void> {
  report(shell, await shell.client.json<ApplicationDetail>({ method: 'GET', path: ['applications', id] }))
}

/** Changes what an application is held to; what is not named stays. */
export async function set(shell: Shell, id: string, options: PolicyOptions): Promise<void> {
  const policy = policyOf(options)
  if (policy === undefined) throw new CommandError(exitCode.usage, 'nothing is to be set: --help says what can be')
  report(shell, await shell.client.json<ApplicationDetail>(sending('PATCH', ['applications', id], { policy })))
}

/** Undefined where nothing is said of a policy. */
export function policyOf(options: PolicyOptions): PolicyChange | undefined {
  const change: { [member: string]: unknown } = {}
  for (const [member, parse] of Object.entries(parsers)) {
    const text = options[member as keyof Policy]
    if (text !== undefined) change[member] = text === 'none' ? null : parse(text, flagOf(member))
  }
  return Object.keys(change).length === 0 ? undefined : change
}

function bytesOf(text: string, flag: string): number {
  const bytes = text === '0' ? 0 : sizeOf(text)
  if (bytes !== undefined) return bytes
  throw new CommandError(exitCode.usage, `${flag} must be ${sizeWords}, not ${JSON.stringify(text)}`)
}

function countOf(text: string, flag: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new CommandError(exitCode.usage, `${flag} must be a whole number, or none, not ${JSON.stringify(text)}`)
}

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** `quotaBytes` as it is typed: `--quota-bytes`. */
function flagOf(member: string): string {
  return `--${member.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function report(shell: Shell, detail: ApplicationDetail): void {
  tell(shell, detail, ({ id, types, permissions, policy = {}, usage }) =>
    table([
      ['id', id],
      ['types', types.join(',')],
      ['permissions', permissions.join(',') || '-'],
      ...Object.entries(policy).map(([member, value]) => [wordsOf(member), printable(String(value))]),
      ['stored', `${usage.bytes} bytes, ${usage.objects} objects`],
    ]),
  )
}

function wordsOf(member: string): string {
  return flagOf(member).slice(2).replaceAll('-', ' ')
}
