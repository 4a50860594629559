import type { ScrubFinding, ScrubProgress, ScrubReport, ScrubRequest, ScrubStatus } from '../../streams/index.ts'
import { wordsOf } from '../scrub-verdicts.ts'
import { sending } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { type Progress, progressBar } from './progress.ts'
import { type Shell, tell, type Voice } from './shell.ts'
import { humanSize } from './table.ts'

const lookMs = 1000

/** Has the server scrub its pool, which may take days; meanwhile it is asked how far it is. */
export async function scrub({ client }: Shell, request: ScrubRequest): Promise<ScrubReport> {
  const bar = await progressBar('scrubbing')
  const path = ['pools', 'main', 'scrub']
  const look = async () => {
    const { progress } = await client.json<ScrubStatus>({ method: 'GET', path })
    if (progress) show(bar, progress)
  }
  const timer = setInterval(() => void look().catch(() => {}), lookMs)
  try {
    return await client.json<ScrubReport>({ ...sending('POST', path, request), patient: true })
  } finally {
    clearInterval(timer)
    bar.stop()
  }
}

export function show(bar: Progress, { bytesVerified, bytesTotal }: ScrubProgress): void {
  bar.update(Math.min(bytesVerified, bytesTotal - 1), bytesTotal)
}

/** Shows what a scrub found. Damage is an exit code of its own; what was repaired is told, and well. */
export function report(voice: Voice, report: ScrubReport): void {
  const { damaged, damagedCount, repairedCount } = report
  tell(voice, report, () =>
    [
      ...linesOf(report),
      `${report.records} records and ${humanSize(report.bytesVerified)} verified in all copies, ` +
        `${repairedCount} repaired, ${damagedCount} damaged`,
      ...(report.finished ? [] : ['stopped before the end: --resume goes on from here']),
    ].join('\n'),
  )
  const [first] = damaged
  if (first) throw new CommandError(exitCode.damage, `the pool is damaged: ${lineOf(first)}`)
}

/** A line for each finding. */
export const linesOf = ({ repaired, damaged }: ScrubReport): string[] => [
  ...repaired.map((finding) => `repaired: ${lineOf(finding)}`),
  ...damaged.map((finding) => `damaged: ${lineOf(finding)}`),
]

function lineOf(finding: ScrubFinding): string {
  const { sequence, records = 1 } = finding
  const concerned = records > 1 ? `records ${sequence} to ${sequence! + records - 1}` : `record ${sequence}`
  return sequence === undefined ? wordsOf(finding) : `${concerned}: ${wordsOf(finding)}`
}
