import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { RecordedImages, type Verdicts } from './recorded-images.ts'
import { RecordedLedger } from './recorded-ledger.ts'
import { type Life, type LifeOptions, live } from './recorded-life.ts'
import { anyPoolImage } from './served-pool.ts'

export interface LivesOptions extends Pick<LifeOptions, 'surface' | 'seed' | 'acknowledgements'> {
  readonly folder: string
  /** False ends it after the life that is underway. */
  readonly goOn: (lives: number) => boolean
  /** Images of each life that the built modules open. */
  readonly images: number
  /** Images of each life that a server opens. */
  readonly servedImages: number
}

/** What was done, for the one who reads the test's output. */
export interface LivesReport {
  lives: number
  entries: number
  flushes: number
  acknowledged: number
  served: number
  readonly verdicts: Verdicts
}

/**
 * Life after life on the same pool, each of which begins with an image that a crash in the one before may have left: so the
 * recovery of a torn image is recorded, too, and crashes at each of its writes.
 */
export async function recordedLives(options: LivesOptions): Promise<LivesReport> {
  const report: LivesReport = { lives: 0, entries: 0, flushes: 0, acknowledged: 0, served: 0, verdicts: {} }
  let image = await anyPoolImage()
  let ledger = new RecordedLedger()
  while (options.goOn(report.lives)) {
    const seed = options.seed + report.lives
    const folder = madeFolder(options.folder, `life-${report.lives}`)
    const life = await live({ ...options, folder, image, ledger, seed })
    const images = new RecordedImages(life, ledger, seed)
    add(report, life, ledger, await images.verify(options.images))
    report.served += await images.verifyByServer(folder, options.servedImages)
    const next = await images.crashed()
    image = next.image
    ledger = next.ledger
    rmSync(folder, { recursive: true })
  }
  return report
}

function add(report: LivesReport, { trace }: Life, ledger: RecordedLedger, verdicts: Verdicts): void {
  report.lives++
  report.entries += trace.length
  report.flushes += trace.filter(({ kind }) => kind === 'flush').length
  report.acknowledged += ledger.acknowledged
  for (const [verdict, count] of Object.entries(verdicts))
    report.verdicts[verdict] = (report.verdicts[verdict] ?? 0) + count
}

function madeFolder(folder: string, name: string): string {
  const made = join(folder, name)
  mkdirSync(made)
  return made
}
