import pino, { type Logger } from 'pino'
import { printable } from './cli/table.ts'
import type { LogLevel } from './config-values.ts'

/** Where log lines go: standard error. */
export interface LogTarget {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** Log lines as JSON for machines, and one plain line each on a terminal. */
export function createLog(level: LogLevel, target: LogTarget): Logger {
  const write = target.isTTY ? (line: string) => target.write(plainLine(line)) : (line: string) => target.write(line)
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write })
}

/** `12:00:05 warn  message  key=value`. What came over the network is shown as a terminal may show it. */
function plainLine(line: string): string {
  const { level, time, msg = '', err, ...fields } = JSON.parse(line) as { [name: string]: unknown }
  const label = pino.levels.labels[Number(level)] ?? String(level)
  const details = Object.entries(fields).map(([name, value]) => `  ${name}=${textOf(value)}`)
  const reason = err === undefined ? '' : `  ${textOf((err as Error).message)}`
  const clock = String(time).slice(11, 19)
  return `${clock} ${label.padEnd(5)} ${printable(String(msg))}${printable(reason + details.join(''))}\n`
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
