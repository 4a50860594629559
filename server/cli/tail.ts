import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { RecordFormatName, ShownRecord } from '../../streams/index.ts'
import { eventsOf } from './event-stream.ts'
import { CommandError, exitCode } from './exit.ts'
import { parseObject, type Shell } from './shell.ts'
import { humanTime, printable } from './table.ts'

export interface TailFlags {
  /** An offset, the sequence of a record, `-1` or `now`. */
  readonly from?: string
  readonly query?: string
  readonly format?: RecordFormatName
}

export interface TailSurroundings {
  /** Ends it. */
  readonly signal: AbortSignal
  /** Told where people look, and programs do not read. */
  readonly note: (text: string) => void
  /** Before the first attempt to connect again; it doubles. */
  readonly retryMsMin: number
}

const retryMsMax = 30_000

/**
 * Shows records as they come, until it is told to end. A connection that ends or is lost is made again, and goes on where
 * it was; only a server that was not there from the beginning, or that refuses, is an error.
 */
export async function tail(
  shell: Shell,
  object: string | undefined,
  flags: TailFlags,
  { signal, note, retryMsMin }: TailSurroundings,
): Promise<void> {
  const path = pathOf(object)
  const place = { offset: offsetOf(flags.from) }
  let isConnected = false
  let retryMs = retryMsMin
  while (!signal.aborted) {
    try {
      for await (const text of follow(shell, path, flags, place, signal)) {
        isConnected = true
        retryMs = retryMsMin
        if (text !== '' && !shell.output.write(text)) await once(shell.output, 'drain', { signal })
      }
    } catch (error) {
      if (signal.aborted) break
      if (!isConnected || !isLoss(error)) throw error
      note(`${(error as Error).message}: connecting again in ${retryMs / 1000} s`)
      await wait(retryMs, undefined, { signal }).catch(() => {})
      retryMs = Math.min(2 * retryMs, retryMsMax)
    }
  }
  if (place.offset !== 'now') note(`to go on: --from ${place.offset}`)
}

function pathOf(object: string | undefined): readonly string[] {
  if (object === undefined) return ['streams', 'records']
  const { bucket, key } = parseObject(object)
  return ['streams', 'records', bucket, key]
}

function offsetOf(from = 'now'): string {
  return /^\d{1,16}$/.test(from) ? from.padStart(16, '0') : from
}

/** A refusal stays one, however often it is asked for. */
function isLoss(error: unknown): boolean {
  if (!(error instanceof CommandError)) return true
  return error.exit === exitCode.unreachable || error.exit === exitCode.failure
}

/** What one connection tells, as text to show; `place` is moved on behind it. */
async function* follow(
  { client, json }: Shell,
  path: readonly string[],
  { query: q, format }: TailFlags,
  place: { offset: string },
  signal: AbortSignal,
): AsyncGenerator<string> {
  const query = { offset: place.offset, live: 'sse', q, format }
  const answer = await client.send({ method: 'GET', path, query })
  const end = () => answer.destroy()
  signal.addEventListener('abort', end)
  try {
    let text = ''
    for await (const { name, data } of eventsOf(answer)) {
      if (name === 'data') text = textOf(data, format, json)
      else if (name === 'control') {
        yield text
        text = ''
        place.offset = (JSON.parse(data) as { streamNextOffset: string }).streamNextOffset
      }
    }
  } finally {
    signal.removeEventListener('abort', end)
    end()
  }
}

/** Of an array of JSON each element has a line; other formats are shown as they come. */
function textOf(data: string, format: RecordFormatName | undefined, json: boolean): string {
  if (format === undefined && !json) return (JSON.parse(data) as ShownRecord[]).map(lineOf).join('')
  if (format === undefined || format === 'json' || format === 'cloudevents')
    return (JSON.parse(data) as object[]).map((element) => `${JSON.stringify(element)}\n`).join('')
  return data.endsWith('\n') ? data : `${data}\n`
}

function lineOf(record: ShownRecord): string {
  const { sequence, time, operation, application, protocol } = record
  const name = 'key' in record ? `${record.bucket}/${record.key}` : 'bucket' in record ? record.bucket : undefined
  const what = name === undefined ? operation : `${operation} ${printable(name)}`
  return `${sequence}  ${humanTime(time)}  ${what}  by ${printable(application)} over ${protocol}\n`
}
