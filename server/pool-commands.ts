import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { CommandError, exitCode } from './cli/exit.ts'
import type { PoolPlace } from './cli/pool-devices.ts'
import { type ClientOptions, clientCommand, openShell, positive, voiceOf } from './command-parts.ts'
import { sizeOf } from './size.ts'

interface PoolFlags extends ClientOptions {
  readonly degraded?: boolean
}

interface DeviceFlags extends PoolFlags {
  readonly bytes?: number
  readonly overwrite?: boolean
}

/** A pool that no server has is opened by the command itself, which may have to do without a member. */
function poolCommand(parent: Command, usage: string, summary: string): Command {
  return clientCommand(parent, usage, summary).option(
    '--degraded',
    'open a closed pool without members that are missing, where others stand in for them',
  )
}

function placeOf(options: PoolFlags) {
  const client = async () => (await openShell(options)).client
  return { data: resolve(options.data), degraded: options.degraded === true, client } satisfies PoolPlace
}

function size(text: string): number {
  const bytes = sizeOf(text)
  if (bytes !== undefined) return bytes
  throw new InvalidArgumentError('It must be a size such as 1073741824 or 1GiB.')
}

const count = (text: string): number => {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number from 0 on.')
}

const native = (text: string): 'off' | 'probe' | number => (text === 'off' || text === 'probe' ? text : size(text))

export function addPool(program: Command): void {
  const pool = program.command('pool').description('the pool: how it is, and what it is made of')
  addCreate(pool)
  addShow(pool)
  addDevices(pool)
}

function addCreate(pool: Command): void {
  clientCommand(pool, 'create', 'make the pool of a data folder that has none and that nobody serves')
    .option('--device <path...>', 'block devices, block files, or where to make them; else files in the data folder')
    .option('--device-bytes <size>', 'size of each block file that is made (default: 1GiB in the data folder)', size)
    .option('--files <n>', 'how many block files the data folder gets (default: 1)', positive)
    .option('--overwrite', 'take devices that hold a pool; that pool is lost')
    .option('--layout <name>', 'concat, stripe, mirror or stripe-of-mirrors (default: concat)')
    .option('--stripe-unit <size>', 'bytes on one member before the next is taken (default: 1MiB)', size)
    .option('--legs <n>', 'legs of each mirror in a stripe of mirrors (default: 2)', positive)
    .option('--journal-copies <n>', 'copies of the journal (default: as many as of the data)', positive)
    .option('--atomic-unit <size>', 'what is written all or nothing (default: 4KiB)', size)
    .addOption(new Option('--atomicity <state>', 'for ever (default: enforced)').choices(['enforced', 'none']))
    .option('--accept <code...>', 'refusals whose risk is taken, such as R16_SAME_DISK; told for ever')
    .addOption(
      new Option('--io <mode>', 'around the page cache or through it (default: auto)').choices([
        'auto',
        'direct',
        'buffered',
        'mixed',
      ]),
    )
    .addOption(
      new Option('--acknowledge <when>', 'after-flush; anything else is refused').choices([
        'after-flush',
        'after-write',
      ]),
    )
    .addOption(new Option('--mirror-acknowledge <legs>', 'all; anything else is refused').choices(['all', 'one']))
    .option('--native <unit>', 'off, or probe: members must agree about native atomic writes (default: off)', native)
    .option('--discard', 'discard what is free, which is refused')
    .action(async ({ data, json, ...flags }) =>
      (await import('./cli/pool-create.ts')).create(voiceOf({ data, json }), resolve(data), flags),
    )
}

function addShow(pool: Command): void {
  poolCommand(pool, 'status', 'show space, position, members, and how the last start found it').action(
    async (options: PoolFlags) => (await import('./cli/pool-devices.ts')).status(voiceOf(options), placeOf(options)),
  )
  poolCommand(pool, 'atomicity', 'show what applications may rely on').action(async (options: PoolFlags) =>
    (await import('./cli/pool-devices.ts')).atomicity(voiceOf(options), placeOf(options)),
  )
  poolCommand(pool, 'check', 'read and verify every byte; on the closed pool in --data when no server has it').action(
    async (options: PoolFlags) => {
      const { check, report } = await import('./cli/pool.ts')
      const { checkClosedPool } = await import('./closed-pool.ts')
      const closed = await checkClosedPool(placeOf(options))
      report(voiceOf(options), closed ?? (await check(await openShell(options))))
    },
  )
  addScrub(pool)
}

function addScrub(pool: Command): void {
  poolCommand(pool, 'scrub', 'verify every copy of everything and repair what is right on another; --data as for check')
    .option('--rate <size>', 'read no more than this in a second, as 64MiB', size)
    .option('--resume', 'go on where the last scrub stopped')
    .action(async (options: PoolFlags & { rate?: number; resume?: boolean }) => {
      const { report, scrub } = await import('./cli/scrub.ts')
      const { scrubClosedPool } = await import('./closed-pool.ts')
      const { rate, resume = false } = options
      const request = { resume, ...(rate === undefined ? {} : { bytesPerSecond: rate }) }
      const closed = await scrubClosedPool(placeOf(options), request)
      report(voiceOf(options), closed ?? (await scrub(await openShell(options), request)))
    })
}

function addDevices(pool: Command): void {
  const taking = (command: Command): Command =>
    command
      .option('--bytes <size>', 'size of the block file that is made where nothing is', size)
      .option('--overwrite', 'take a device that holds a pool; that pool is lost')
  taking(
    poolCommand(pool, 'add-device [path]', 'make a concat pool longer; without a path by a file of its own'),
  ).action(async (path: string | undefined, options: DeviceFlags) =>
    (await import('./cli/pool-devices.ts')).add(voiceOf(options), placeOf(options), memberOf(path, options)),
  )
  taking(
    poolCommand(pool, 'replace-device', 'put a device in the place of a leg of a mirror')
      .argument('<index>', 'number of the member, as `pool status` shows it', count)
      .argument('[path]'),
  ).action(async (index: number, path: string | undefined, options: DeviceFlags) =>
    (await import('./cli/pool-devices.ts')).replace(voiceOf(options), placeOf(options), index, memberOf(path, options)),
  )
}

/** The server knows no folder that a relative path could begin at. */
function memberOf(path: string | undefined, { bytes, overwrite }: DeviceFlags) {
  if (path === undefined && bytes === undefined) {
    throw new CommandError(exitCode.usage, 'name the device, or say with --bytes how large a block file to make')
  }
  return {
    ...(path !== undefined && { path: resolve(path) }),
    ...(bytes !== undefined && { bytes }),
    ...(overwrite && { overwrite }),
  }
}
