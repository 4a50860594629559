import type { CheckReport, PoolStatus } from '../../streams/index.ts'
import { CommandError, exitCode } from './exit.ts'
import { type Shell, tell, type Voice } from './shell.ts'
import { humanSize, printable, table } from './table.ts'

export function show(voice: Voice, status: PoolStatus): void {
  tell(voice, status, words)
}

/** Has the server read and verify every live byte and record, which may take hours. */
export async function check({ client }: Shell): Promise<CheckReport> {
  return client.json<CheckReport>({ method: 'POST', path: ['pools', 'main', 'check'], patient: true })
}

/** Shows what a check found. Damage is an exit code of its own. */
export function report(voice: Voice, report: CheckReport): void {
  const { findings, records, payloadBytes } = report
  tell(voice, report, () =>
    [
      ...findings.map(({ sequence, problem }) => (sequence === undefined ? problem : `record ${sequence}: ${problem}`)),
      `${records} records and ${humanSize(payloadBytes)} verified, ${findings.length} problems found`,
    ].join('\n'),
  )
  if (findings.length > 0) throw new CommandError(exitCode.damage, `the pool is damaged: ${findings[0]?.problem}`)
}

export const atomicityWords = {
  enforced: 'enforced',
  none: 'none: what was acknowledged may be torn or lost when power fails',
}

/** A row for each member, in the order of the layout. */
export function members({ members }: PoolStatus): string[][] {
  return members.map(({ device = '', state, bytes, failure, figures }, index) => {
    const io = figures ? [`${figures.io} I/O`] : []
    const stalls = figures && figures.stalls > 0 ? [`${figures.stalls} requests took too long`] : []
    const more = [humanSize(bytes), ...io, ...stalls, ...(failure === undefined ? [] : [failure])]
    return [`member ${index}`, `${state}  ${printable(device)}  ${more.join(', ')}`]
  })
}

function words(pool: PoolStatus): string {
  const { position, recovery } = pool
  return table([
    ['state', pool.state],
    ['health', pool.health],
    ['atomicity', atomicityWords[pool.atomicity]],
    ['layout', pool.layout],
    ...members(pool),
    ['mended', `${pool.mended} copies that were wrong, since the start`],
    ['size', humanSize(pool.bytes)],
    ['free', `${humanSize(pool.freeBytes)}, of which uploads underway were promised ${humanSize(pool.promisedBytes)}`],
    ['history', `${humanSize(pool.historyBytes)} in ${pool.segments} segments`],
    ['extents', humanSize(pool.extentBytes)],
    ['staged', `${humanSize(pool.stagedBytes)} of uploads underway, and deleted since the last checkpoint`],
    ['retired', `${humanSize(pool.retiredBytes)} to which writes have failed, since the start`],
    ['position', `sequence ${position.sequence}, epoch ${position.epoch}, pool ${position.pool}`],
    ['commits', `${pool.commits} in ${pool.batches} batches, ${pool.flushes} flushes, ${pool.checkpoints} checkpoints`],
    [
      'last open',
      `${recovery.verdict}, ${recovery.batchesReplayed} batches replayed, ${recovery.batchesDropped} dropped, ` +
        `${recovery.unreadable} reads failed`,
    ],
  ])
}
