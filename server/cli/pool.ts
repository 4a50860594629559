import type { CheckReport, PoolStatus } from '../../streams/index.ts'
import { CommandError, exitCode } from './exit.ts'
import { type Shell, tell, type Voice } from './shell.ts'
import { humanSize, table } from './table.ts'

export async function status(shell: Shell): Promise<void> {
  tell(shell, await shell.client.json<PoolStatus>({ method: 'GET', path: ['pools', 'main'] }), words)
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

function words(pool: PoolStatus): string {
  const { position, recovery } = pool
  return table([
    ['state', pool.state],
    ['atomicity', pool.atomicity],
    ['size', humanSize(pool.bytes)],
    ['free', humanSize(pool.freeBytes)],
    ['history', `${humanSize(pool.historyBytes)} in ${pool.segments} segments`],
    ['extents', humanSize(pool.extentBytes)],
    ['staged', `${humanSize(pool.stagedBytes)} of uploads underway, and deleted since the last checkpoint`],
    ['position', `sequence ${position.sequence}, epoch ${position.epoch}, pool ${position.pool}`],
    ['commits', `${pool.commits} in ${pool.batches} batches, ${pool.flushes} flushes, ${pool.checkpoints} checkpoints`],
    [
      'last open',
      `${recovery.verdict}, ${recovery.batchesReplayed} batches replayed, ${recovery.batchesDropped} dropped`,
    ],
  ])
}
