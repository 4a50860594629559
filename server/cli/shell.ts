import type { Readable, Writable } from 'node:stream'
import type { Client } from './client.ts'
import { CommandError, exitCode } from './exit.ts'

/** Where words go, and for whom. */
export interface Voice {
  readonly output: Writable
  /** One JSON value a line, for programs; else text for people. */
  readonly json: boolean
}

/** What a command works with that speaks to a server. */
export interface Shell extends Voice {
  readonly client: Client
  readonly input: Readable
}

/** Says `value` to programs, and `words` of it to people. */
export function tell<T>({ output, json }: Voice, value: T, words: (value: T) => string): void {
  output.write(`${json ? JSON.stringify(value) : words(value)}\n`)
}

export interface Target {
  readonly bucket: string
  /** All that follows the first slash; '' when there is none. */
  readonly key: string
}

/** `BUCKET[/REST]`. */
export function parseTarget(text: string): Target {
  const slash = text.indexOf('/')
  const bucket = slash < 0 ? text : text.slice(0, slash)
  if (bucket === '') throw new CommandError(exitCode.usage, `"${text}" names no bucket; write BUCKET or BUCKET/KEY`)
  return { bucket, key: slash < 0 ? '' : text.slice(slash + 1) }
}

/** `BUCKET/KEY`. */
export function parseObject(text: string): Target {
  const target = parseTarget(text)
  if (target.key === '') throw new CommandError(exitCode.usage, `"${text}" names no object; write BUCKET/KEY`)
  return target
}
