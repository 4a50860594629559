import type { Command } from 'commander'
import { clientCommand, openShell, positive } from './command-parts.ts'

/** What buckets keep: their settings, the versions of their objects, retention and legal hold. */
export function addVersions(program: Command): void {
  addBucket(program)
  clientCommand(program, 'versions <target>', 'list versions and delete markers in BUCKET[/PREFIX]').action(
    async (target: string, options) => (await import('./cli/versions.ts')).versions(await openShell(options), target),
  )
  clientCommand(program, 'retain <object>', 'keep a version from being replaced and removed until a date')
    .option('--until <time>', 'in ISO 8601; it can be made later afterwards, and never sooner')
    .option('--days <n>', 'so many days from now', positive)
    .option('--version <id>', 'the version; the current one by default')
    .action(async (object: string, options) =>
      (await import('./cli/versions.ts')).retain(await openShell(options), object, options),
    )
  clientCommand(program, 'hold <object> <on|off>', 'put a version under legal hold, or end that')
    .option('--version <id>', 'the version; the current one by default')
    .action(async (object: string, state: string, options) =>
      (await import('./cli/versions.ts')).hold(await openShell(options), object, state, options.version),
    )
}

function addBucket(program: Command): void {
  const bucket = program.command('bucket').description('buckets: which versions they keep, and for how long')
  settings(clientCommand(bucket, 'create <bucket>', 'make a bucket')).action(async (name: string, options) =>
    (await import('./cli/bucket.ts')).create(await openShell(options), name, options),
  )
  clientCommand(bucket, 'show <bucket>', 'show what a bucket keeps').action(async (name: string, options) =>
    (await import('./cli/bucket.ts')).show(await openShell(options), name),
  )
  settings(clientCommand(bucket, 'set <bucket>', 'change what a bucket keeps from now on')).action(
    async (name: string, options) => (await import('./cli/bucket.ts')).set(await openShell(options), name, options),
  )
}

function settings(command: Command): Command {
  return command
    .option('--versioning <state>', 'off, enabled or suspended; once enabled never off again')
    .option('--retention-days <n>', 'retain each version put from now on so long; or none')
    .option('--expire-days <n>', 'remove objects so long after they were put; or none')
    .option('--expire-noncurrent-days <n>', 'remove versions so long after they were replaced or removed; or none')
}
