import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const MAIL_BYTES = 2 ** 30
const PEAK_BYTES_MAX = 100 * 2 ** 20

test('a mail of 1 GiB is taken apart in less than 100 MiB of memory, the whole process counted', () => {
  const script = join(import.meta.dirname, '../support/folding-mail.mjs')
  const told = JSON.parse(execFileSync(process.execPath, [script, String(MAIL_BYTES)], { encoding: 'utf8' }))
  const { attributes, bytes, derived, peak, seconds } = told
  console.log(
    `${bytes} bytes, ${Math.round(bytes / seconds / 1e6)} MB a second of processor time, at most ${peak} bytes`,
  )
  expect(bytes).toBeGreaterThanOrEqual(MAIL_BYTES)
  const sizes: number[] = attributes['email.attachment-sizes'].map(Number)
  expect(attributes['email.parts']).toHaveLength(3)
  expect(sizes.reduce((sum, size) => sum + size)).toBe(derived)
  expect(peak).toBeLessThan(PEAK_BYTES_MAX)
})
