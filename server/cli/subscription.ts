import type { DeadLetter, Subscribed, SubscriptionSummary } from '../../streams/index.ts'
import { sending } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { type Shell, tell } from './shell.ts'
import { humanTime, printable, table } from './table.ts'

const path = ['subscriptions']

export interface AddOptions {
  readonly query?: string
  readonly format?: string
  readonly from?: number | 'now'
}

/** Adds a subscription, and shows its secret, this once. */
export async function add(shell: Shell, url: string, { query, format, from }: AddOptions): Promise<void> {
  const asked = {
    url,
    ...(query !== undefined && { query }),
    ...(format !== undefined && { format }),
    ...(from !== undefined && { after: from }),
  }
  const subscribed = await shell.client.json<Subscribed>(sending('POST', path, asked))
  tell(shell, subscribed, ({ id, secret, after }) =>
    table([
      ['id', id],
      ['secret', `${secret}   (shown this once)`],
      ['begins', `after record ${after}`],
    ]),
  )
}

export async function list(shell: Shell): Promise<void> {
  const { subscriptions } = await shell.client.json<{ subscriptions: SubscriptionSummary[] }>({ method: 'GET', path })
  if (shell.json) for (const subscription of subscriptions) tell(shell, subscription, String)
  else shell.output.write(`${table([['ID', 'HEALTH', 'LAG', 'DEAD', 'URL', 'QUERY'], ...subscriptions.map(row)])}\n`)
}

/** Shows a subscription with its dead letters. */
export async function show(shell: Shell, id: string): Promise<void> {
  const summary = await shell.client.json<SubscriptionSummary>({ method: 'GET', path: [...path, id] })
  const request = { method: 'GET', path: [...path, id, 'dead-letters'] }
  const { deadLetters } = await shell.client.json<{ deadLetters: DeadLetter[] }>(request)
  tell(shell, { ...summary, letters: deadLetters }, () => [words(summary), ...deadLetters.map(letterLine)].join('\n'))
}

export interface ChangeOptions {
  readonly url?: string
  readonly query?: string
  readonly format?: string
}

/** Changes what is sent, and where; how far it has come stays. */
export async function change(shell: Shell, id: string, { url, query, format }: ChangeOptions): Promise<void> {
  const asked = {
    ...(url !== undefined && { url }),
    ...(query !== undefined && { query }),
    ...(format !== undefined && { format }),
  }
  if (Object.keys(asked).length === 0) throw new CommandError(exitCode.usage, 'say --url, --query or --format')
  await patch(shell, id, asked)
}

export const pause = (shell: Shell, id: string): Promise<void> => patch(shell, id, { paused: true })
export const resume = (shell: Shell, id: string): Promise<void> => patch(shell, id, { paused: false })

async function patch(shell: Shell, id: string, asked: object): Promise<void> {
  tell(shell, await shell.client.json<SubscriptionSummary>(sending('PATCH', [...path, id], asked)), words)
}

/** Has deliveries signed with a new secret, and shows it, this once. */
export async function rotate(shell: Shell, id: string, overlap: number | undefined): Promise<void> {
  const asked = overlap === undefined ? {} : { overlapSeconds: overlap }
  const subscribed = await shell.client.json<Subscribed>(sending('POST', [...path, id, 'secret'], asked))
  tell(shell, subscribed, ({ id, secret, retiringSecrets }) =>
    table([
      ['id', id],
      ['secret', `${secret}   (shown this once)`],
      ['secrets before', secretsBefore(retiringSecrets)],
    ]),
  )
}

export interface ReplayOptions {
  readonly from?: number
  readonly dead?: boolean
}

export async function replay(shell: Shell, id: string, { from, dead = false }: ReplayOptions): Promise<void> {
  if ((from === undefined) !== dead) throw new CommandError(exitCode.usage, 'say --from a record, or --dead')
  const asked = from === undefined ? { deadLetters: true } : { after: from }
  const summary = await shell.client.json<SubscriptionSummary>(sending('POST', [...path, id, 'replay'], asked))
  tell(shell, summary, words)
}

export async function discard(shell: Shell, id: string): Promise<void> {
  const request = { method: 'DELETE', path: [...path, id, 'dead-letters'] }
  const answer = await shell.client.json<{ discarded: number }>(request)
  tell(shell, answer, ({ discarded }) => `forgot ${discarded} dead letters`)
}

export async function remove(shell: Shell, id: string): Promise<void> {
  const answer = await shell.client.send({ method: 'DELETE', path: [...path, id] })
  answer.resume()
  tell(shell, { removed: id }, () => `removed ${printable(id)}`)
}

function row({ id, health, lag, deadLetters, url, query }: SubscriptionSummary): readonly string[] {
  return [id, health, `${lag}`, `${deadLetters}`, printable(url), printable(query) || '-']
}

function words(summary: SubscriptionSummary): string {
  const { lastDelivery, lastFailure } = summary
  return table([
    ['id', summary.id],
    ['application', summary.application],
    ['url', printable(summary.url)],
    ['query', printable(summary.query) || '-'],
    ['format', summary.format],
    ['created', humanTime(summary.created)],
    ['health', summary.health],
    ['delivered up to', `record ${summary.after}, ${summary.lag} behind the end of the stream`],
    ['since the start', `${summary.delivered} delivered, ${summary.failed} attempts in vain`],
    ['last delivery', lastDelivery === null ? '-' : humanTime(lastDelivery)],
    ['last failure', lastFailure === null ? '-' : `${humanTime(lastFailure.time)}  ${printable(lastFailure.reason)}`],
    ['dead letters', `${summary.deadLetters}`],
    ['secrets before', secretsBefore(summary.retiringSecrets)],
  ])
}

function secretsBefore(until: readonly number[]): string {
  return until.length === 0 ? '-' : `sign, too, until ${until.map(humanTime).join(', ')}`
}

function letterLine({ sequence, attempts, time, reason }: DeadLetter): string {
  return `  record ${sequence}  ${attempts} attempts, the last ${humanTime(time)}: ${printable(reason)}`
}
