import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { type VerifyEvent, type VerifyRequest, type VerifySummary, verifyBundle } from '../../streams/index.ts'
import { verifyClosedPool } from '../closed-pool.ts'
import { bytesOf } from './client.ts'
import { CommandError, verifyExit } from './exit.ts'
import type { PoolPlace } from './pool-devices.ts'
import { progressBar } from './progress.ts'
import { parseTarget, tell, type Voice } from './shell.ts'
import { humanSize, printable } from './table.ts'

export interface VerifyOptions {
  readonly all?: boolean
  /** Ids of keys, and files that hold some. */
  readonly trust?: readonly string[]
}

type Finding = Extract<VerifyEvent, { type: 'finding' }>

const KEY_ID = /\b[0-9a-f]{64}\b/g
const trustFileBytesMax = 1 << 20
const lineCharactersMax = 1 << 20

/**
 * Verifies an evidence bundle, here and with nothing else; or what a server has, or what lies in a closed data folder.
 * Ends with 0 when all is sound, with 1 when something was found, and with 2 when it could not be told.
 */
export async function verify(voice: Voice, place: PoolPlace, target: string | undefined, options: VerifyOptions) {
  const summary = await run(voice, place, target, options).catch((error) => {
    throw new CommandError(verifyExit.untold, `could not verify: ${error.message}`, { cause: error })
  })
  if (summary.sound) return
  throw new CommandError(verifyExit.findings, `${summary.findings} ${summary.findings === 1 ? 'finding' : 'findings'}`)
}

async function run(
  voice: Voice,
  place: PoolPlace,
  target: string | undefined,
  { all = false, trust = [] }: VerifyOptions,
): Promise<VerifySummary> {
  if (all && target !== undefined) throw new Error('--all and a target exclude each other')
  const keys = (await Promise.all(trust.map(keysIn))).flat()
  const show = (events: AsyncIterable<VerifyEvent>) => showEvents(voice, events)
  if (target !== undefined && (await isFile(target))) return show(verifyBundle(createReadStream(target), keys))
  const request: VerifyRequest = { ...scopeOf(target), trust: keys }
  return (await verifyClosedPool(place, request, show)) ?? (await show(await ask(place, request)))
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

function scopeOf(target: string | undefined): VerifyRequest {
  if (target === undefined) return {}
  const { bucket, key } = parseTarget(target)
  return key === '' ? { bucket } : { bucket, key }
}

/** An id, or a file with ids: lines of them, or what GET /v1/keys answers. */
async function keysIn(trust: string): Promise<readonly string[]> {
  if (/^[0-9a-f]{64}$/.test(trust)) return [trust]
  const found = await stat(trust).catch(() => undefined)
  if (found === undefined || found.size > trustFileBytesMax) throw new Error(`${trust} is no id of a key, and no file`)
  const text = await readFile(trust, 'utf8')
  const ids = text.trimStart().startsWith('{') ? idsIn(text) : (text.match(KEY_ID) ?? [])
  if (ids.length === 0) throw new Error(`${trust} holds no id of a key`)
  return ids
}

/** Of the answer about keys only `id` counts: a key's signer is another key. */
function idsIn(json: string): readonly string[] {
  const { keys, id } = JSON.parse(json) as { keys?: readonly { id: string }[]; id?: string }
  return keys?.map((key) => key.id) ?? (id === undefined ? [] : [id])
}

async function ask({ client }: PoolPlace, { bucket, key, trust = [] }: VerifyRequest) {
  const query = { bucket, key, trust: trust.length > 0 ? trust.join(',') : undefined }
  const path = ['verify']
  return eventsIn(await (await client()).send({ method: 'GET', path, query, patient: true }))
}

async function* eventsIn(answer: IncomingMessage): AsyncGenerator<VerifyEvent> {
  let rest = ''
  answer.setEncoding('utf8')
  for await (const text of bytesOf(answer)) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > lineCharactersMax) throw new Error('the server sends no lines')
    for (const line of lines) yield JSON.parse(line) as VerifyEvent
  }
}

/** Findings as they come, and the summary. */
async function showEvents(voice: Voice, events: AsyncIterable<VerifyEvent>): Promise<VerifySummary> {
  const bar = await progressBar('verifying', String)
  let summary: VerifySummary | undefined
  try {
    for await (const event of events) {
      if (event.type === 'progress') bar.update(Math.min(event.records, event.recordsTotal - 1), event.recordsTotal)
      else if (event.type === 'finding') tell(voice, event, wordsOf)
      else summary = event
    }
  } finally {
    bar.stop()
  }
  if (summary === undefined) throw new Error('it broke off before its end')
  tell(voice, summary, summaryOf)
  return summary
}

function wordsOf(finding: Finding): string {
  const { code, detail, sequence, through, bucket, key, version, expected, found } = finding
  const place =
    sequence === undefined ? [] : [through === undefined ? `record ${sequence}` : `records ${sequence}-${through}`]
  const name = bucket === undefined ? [] : [printable(`${bucket}/${key}`)]
  const heading = [code, ...place, ...name, ...(version === undefined ? [] : [`version ${version}`])].join('  ')
  const compared = [
    ...(expected === undefined ? [] : [`    expected  ${printable(expected)}`]),
    ...(found === undefined ? [] : [`    found     ${printable(found)}`]),
  ]
  return [`${heading}: ${printable(detail)}`, ...compared].join('\n')
}

function summaryOf(summary: VerifySummary): string {
  const { records, objects, payloads, bytes, released, checkpoints, checkpoint, unsigned, keys, findings } = summary
  return [
    `${records} records of ${objects} objects, ${payloads} payloads (${humanSize(bytes)}), ${released} released`,
    `${checkpoints} checkpoints${checkpoint ? `, the last one record ${checkpoint.sequence}, ${checkpoint.digest}` : ''}`,
    ...keys.map(({ id, checkpoints }) => `signed by ${id}, ${checkpoints}`),
    ...(unsigned > 0 ? [`${unsigned} records are not signed yet`] : []),
    findings === 0 ? 'sound' : `${findings} findings`,
  ].join('\n')
}
