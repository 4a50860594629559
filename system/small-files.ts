import { readdirSync, readFileSync } from 'node:fs'

/** The text of a file of /proc or /sys without its end of line; undefined when it is not there, or empty. */
export function readText(path: string): string | undefined {
  return attempt(() => readFileSync(path, 'utf8').trimEnd()) || undefined
}

/** What lies in a folder; nothing when it is not there. */
export function listFolder(path: string): readonly string[] {
  return attempt(() => readdirSync(path)) ?? []
}

/** What cannot be asked is unknown. */
export function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
