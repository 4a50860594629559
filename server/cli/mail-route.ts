import type { RouteChange, RouteSummary } from '../../streams/index.ts'
import { sending } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { type Shell, tell } from './shell.ts'
import { printable, table } from './table.ts'

const path = ['mail-routes']

/** As written on the command line; `none` takes a member away. */
export interface RouteOptions {
  /** BUCKET or BUCKET/PREFIX. */
  readonly to?: string
  readonly application?: string
  readonly networks?: string
  readonly senders?: string
  readonly unverified?: string
  readonly parts?: string
}

export async function add(shell: Shell, address: string, options: RouteOptions): Promise<void> {
  report(shell, await shell.client.json<RouteSummary>(sending('POST', path, { address, ...changeOf(options, false) })))
}

/** Changes a route; what is not named stays. */
export async function set(shell: Shell, address: string, options: RouteOptions): Promise<void> {
  const change = changeOf(options, true)
  if (Object.keys(change).length === 0)
    throw new CommandError(exitCode.usage, 'nothing is to be set: --help says what can be')
  report(shell, await shell.client.json<RouteSummary>(sending('PATCH', [...path, address], change)))
}

export async function show(shell: Shell, address: string): Promise<void> {
  report(shell, await shell.client.json<RouteSummary>({ method: 'GET', path: [...path, address] }))
}

export async function list(shell: Shell): Promise<void> {
  const { routes } = await shell.client.json<{ routes: RouteSummary[] }>({ method: 'GET', path })
  if (shell.json) for (const route of routes) tell(shell, route, String)
  else shell.output.write(`${table([['ADDRESS', 'TO', 'ACTS AS', 'TAKES'], ...routes.map(row)])}\n`)
}

export async function remove(shell: Shell, address: string): Promise<void> {
  const answer = await shell.client.send({ method: 'DELETE', path: [...path, address] })
  answer.resume()
  tell(shell, { removed: address }, () => `removed ${printable(address)}`)
}

/** A bucket alone is without a prefix; `isChange` tells the server so. */
function changeOf({ to, application, ...others }: RouteOptions, isChange: boolean): RouteChange {
  const { networks, senders, unverified, parts } = others
  return {
    ...(to !== undefined && placeOf(to, isChange)),
    ...(application !== undefined && { application }),
    ...(networks !== undefined && { networks: orNone(networks, listOf) }),
    ...(senders !== undefined && { senders: orNone(senders, listOf) }),
    ...(unverified !== undefined && { unverified: orNone(unverified, (text) => text as RouteSummary['unverified']) }),
    ...(parts !== undefined && { parts: orNone(parts, switchOf) }),
  } as RouteChange
}

function placeOf(target: string, isChange: boolean): RouteChange {
  const [bucket = '', ...folders] = target.replace(/\/+$/, '').split('/')
  if (folders.length > 0) return { bucket, prefix: `${folders.join('/')}/` }
  return isChange ? { bucket, prefix: null } : { bucket }
}

function orNone<Value>(text: string, parse: (text: string) => Value): Value | null {
  return text === 'none' ? null : parse(text)
}

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function switchOf(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on'
  throw new CommandError(exitCode.usage, `--parts must be on, off or none, not ${JSON.stringify(text)}`)
}

function row(route: RouteSummary): readonly string[] {
  return [printable(route.address), printable(placeIn(route)), printable(route.application), takes(route)]
}

function placeIn({ bucket, prefix = '' }: RouteSummary): string {
  return prefix === '' ? bucket : `${bucket}/${prefix}`
}

function takes({ senders, unverified, networks }: RouteSummary): string {
  const strangers = senders || unverified ? [`${(senders ?? ['*']).join(',')} (others: ${unverified ?? 'reject'})`] : []
  return printable(['logins', ...(networks ?? []), ...strangers].join(' '))
}

function report(shell: Shell, summary: RouteSummary): void {
  tell(shell, summary, ({ address, application, networks, senders, unverified, parts }) =>
    table([
      ['address', printable(address)],
      ['to', printable(placeIn(summary))],
      ['acts as', printable(application)],
      ['networks', printable(networks?.join(', ') ?? '-')],
      ['senders', printable(senders?.join(', ') ?? (unverified ? '*' : '-'))],
      ['unverified', senders || unverified ? (unverified ?? 'reject') : '-'],
      ['parts', parts === undefined ? 'as smtp.parts' : parts ? 'on' : 'off'],
    ]),
  )
}
