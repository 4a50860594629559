import { type Command, InvalidArgumentError } from 'commander'
import { clientCommand, openShell } from './command-parts.ts'

/** A place in the stream: the record to begin after, or what is to come. */
function place(text: string): number | 'now' {
  if (text === 'now') return 'now'
  return sequence(text)
}

/** As records have it, with or without zeros before it; -1 is the beginning, as in offsets of streams. */
function sequence(text: string): number {
  if (text === '-1') return 0
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw new InvalidArgumentError('It must be the sequence of a record, 0 for the beginning.')
}

/** Records sent to where an application wants them. */
export function addSubscriptions(program: Command): void {
  const subscription = program
    .command('subscription')
    .description('subscriptions: records sent to a URL as webhooks, each until it arrives')
  clientCommand(subscription, 'add <url>', 'add a subscription and show its secret, this once')
    .option('--query <query>', 'only records that meet it (default: all)')
    .option('--format <name>', 'json, ndjson, cloudevents, s3 or xml (default: json)')
    .option('--from <sequence>', 'begin after this record; 0 for the beginning (default: now)', place)
    .action(async (url: string, options) =>
      (await import('./cli/subscription.ts')).add(await openShell(options), url, options),
    )
  clientCommand(subscription, 'list', 'list subscriptions, how far behind each is, and how it is').action(
    async (options) => (await import('./cli/subscription.ts')).list(await openShell(options)),
  )
  clientCommand(subscription, 'show <id>', 'show a subscription and its dead letters').action(
    async (id: string, options) => (await import('./cli/subscription.ts')).show(await openShell(options), id),
  )
  addChanges(subscription)
  clientCommand(subscription, 'replay <id>', 'deliver once more')
    .option('--from <sequence>', 'everything after this record; 0 for the beginning', sequence)
    .option('--dead', 'the dead letters, and them alone')
    .action(async (id: string, options) =>
      (await import('./cli/subscription.ts')).replay(await openShell(options), id, options),
    )
  clientCommand(subscription, 'discard <id>', 'forget the dead letters').action(async (id: string, options) =>
    (await import('./cli/subscription.ts')).discard(await openShell(options), id),
  )
  clientCommand(subscription, 'remove <id>', 'remove a subscription').action(async (id: string, options) =>
    (await import('./cli/subscription.ts')).remove(await openShell(options), id),
  )
}

/** Changes in place: a subscription goes on from where it was. */
function addChanges(subscription: Command): void {
  clientCommand(subscription, 'set <id>', 'change where records are sent, which ones, or how')
    .option('--url <url>', 'where to')
    .option('--query <query>', "only records that meet it; '' for all")
    .option('--format <name>', 'json, ndjson, cloudevents, s3 or xml')
    .action(async (id: string, options) =>
      (await import('./cli/subscription.ts')).change(await openShell(options), id, options),
    )
  clientCommand(subscription, 'pause <id>', 'deliver nothing until it is resumed').action(async (id: string, options) =>
    (await import('./cli/subscription.ts')).pause(await openShell(options), id),
  )
  clientCommand(subscription, 'resume <id>', 'go on from where it was').action(async (id: string, options) =>
    (await import('./cli/subscription.ts')).resume(await openShell(options), id),
  )
  clientCommand(subscription, 'rotate <id>', 'sign with a new secret, shown this once')
    .option('--overlap <seconds>', 'how long the secret before signs, too; 0 ends all before (default: a day)', seconds)
    .action(async (id: string, options) =>
      (await import('./cli/subscription.ts')).rotate(await openShell(options), id, options.overlap),
    )
}

function seconds(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a number of seconds.')
}
