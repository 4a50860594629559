import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Worker threads run compiled code: the tests use the build's. */
export const worker = new URL('../../dist/pool/file-device-worker.js', import.meta.url)

/** A folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
