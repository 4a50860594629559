import type { BucketChange, BucketSettings, Expiry, Versioning } from '../../streams/index.ts'
import { sending } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { type Shell, tell } from './shell.ts'
import { table } from './table.ts'

/** As written on the command line; `none` takes a setting away. */
export interface SettingOptions {
  readonly versioning?: string
  readonly retentionDays?: string
  readonly expireDays?: string
  readonly expireNoncurrentDays?: string
}

type Settings = BucketSettings & { readonly bucket: string }

const versionings: readonly Versioning[] = ['off', 'enabled', 'suspended']

/** Makes a bucket, with settings where some are given. */
export async function create(shell: Shell, bucket: string, options: SettingOptions): Promise<void> {
  const change = await changeOf(options, async () => undefined)
  const made = await shell.client.send({ method: 'PUT', path: ['buckets', bucket] })
  made.resume()
  if (made.statusCode === 200) throw new CommandError(exitCode.failure, `there is a bucket ${bucket} already`)
  await shown(shell, bucket, change)
}

export async function show(shell: Shell, bucket: string): Promise<void> {
  report(shell, await settingsOf(shell, bucket))
}

/** Changes what a bucket keeps from now on; what is not named stays. */
export async function set(shell: Shell, bucket: string, options: SettingOptions): Promise<void> {
  const change = await changeOf(options, async () => (await settingsOf(shell, bucket)).expiry)
  if (change === undefined) throw new CommandError(exitCode.usage, 'nothing is to be set: --help says what can be')
  await shown(shell, bucket, change)
}

async function shown(shell: Shell, bucket: string, change: BucketChange | undefined): Promise<void> {
  const changed = change && shell.client.json<Settings>(sending('PATCH', ['buckets', bucket], change))
  report(shell, await (changed ?? settingsOf(shell, bucket)))
}

function settingsOf({ client }: Shell, bucket: string): Promise<Settings> {
  return client.json<Settings>({ method: 'GET', path: ['buckets', bucket] })
}

/** Of the two days of an expiry the one that is not named stays as `expiry` has it. */
async function changeOf(
  { versioning, retentionDays, expireDays, expireNoncurrentDays }: SettingOptions,
  expiry: () => Promise<BucketSettings['expiry']>,
): Promise<BucketChange | undefined> {
  const retention = daysOf('--retention-days', retentionDays)
  const current = daysOf('--expire-days', expireDays)
  const noncurrent = daysOf('--expire-noncurrent-days', expireNoncurrentDays)
  const change = {
    ...(versioning !== undefined && { versioning: versioningOf(versioning) }),
    ...(retention !== undefined && { retention: retention === 'none' ? null : { days: retention } }),
    ...((current ?? noncurrent) !== undefined && { expiry: expiryOf(current, noncurrent, await expiry()) }),
  }
  return Object.keys(change).length === 0 ? undefined : change
}

type Days = number | 'none' | undefined

function expiryOf(current: Days, noncurrent: Days, before: BucketSettings['expiry']): Expiry | null {
  const currentDays = current ?? before?.currentDays ?? 'none'
  const noncurrentDays = noncurrent ?? before?.noncurrentDays ?? 'none'
  const expiry = {
    ...(currentDays !== 'none' && { currentDays }),
    ...(noncurrentDays !== 'none' && { noncurrentDays }),
  }
  return Object.keys(expiry).length === 0 ? null : expiry
}

function daysOf(flag: string, text: string | undefined): Days {
  if (text === undefined || text === 'none') return text
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new CommandError(exitCode.usage, `${flag} must be a whole number of days, or none, not ${JSON.stringify(text)}`)
}

function versioningOf(text: string): Versioning {
  const known = versionings.find((versioning) => versioning === text)
  if (known !== undefined) return known
  throw new CommandError(
    exitCode.usage,
    `--versioning must be one of ${versionings.join(', ')}, not ${JSON.stringify(text)}`,
  )
}

function report(shell: Shell, settings: Settings): void {
  tell(shell, settings, ({ bucket, versioning, retention, expiry }) =>
    table([
      ['bucket', bucket],
      ['versioning', versioning],
      ['retention', daysText(retention?.days)],
      ['expiry', daysText(expiry?.currentDays)],
      ['expiry of noncurrent versions', daysText(expiry?.noncurrentDays)],
    ]),
  )
}

function daysText(days: number | undefined): string {
  return days === undefined ? 'none' : `${days} days`
}
