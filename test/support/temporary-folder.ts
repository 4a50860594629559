import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const TMPFS = 0x0102_1994

/** No pool is made in memory. */
const ground = statfsSync(tmpdir()).type === TMPFS ? '/var/tmp' : tmpdir()

/** A folder that is removed when the test ends. */
export function temporaryFolder(parent = ground): string {
  const folder = mkdtempSync(join(parent, 'cenote-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
