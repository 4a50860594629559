import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const pathOf = (name: string): string => join(import.meta.dirname, name)

export const readGolden = (name: string): string => readFileSync(pathOf(name), 'utf8')

/** The golden file that is expected to hold `text`; CENOTE_REWRITE=1 writes it so. */
export function goldenFor(name: string, text: string): string {
  if (process.env.CENOTE_REWRITE === '1') writeFileSync(pathOf(name), text)
  return readGolden(name)
}
