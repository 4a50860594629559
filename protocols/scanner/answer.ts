import type { IncomingMessage } from 'node:http'
import { noVerdict, type ScanOutcome } from '../../streams/index.ts'
import { statusWords } from '../webhook/outcome.ts'

/** Of an answer's body. */
export const ANSWER_BYTES_MAX = 64 * 1024

/**
 * The verdict of an answer: 204 is clean, and 200 says `{"verdict":"clean"}`, or `{"verdict":"refused","reason":"…"}`.
 * Whatever else it is, the verdict is unknown. Rejects when the answer breaks off, or is too long.
 */
export async function outcomeOf(answer: IncomingMessage): Promise<ScanOutcome> {
  if (answer.statusCode === 204) return { verdict: 'clean' }
  if (answer.statusCode !== 200) return noVerdict(statusWords(answer.statusCode))
  return verdictIn(await textOf(answer))
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer) {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`it answered with more than ${ANSWER_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function verdictIn(text: string): ScanOutcome {
  const { verdict, reason } = membersOf(text)
  if (verdict === 'clean') return { verdict }
  if (verdict === 'refused') return { verdict, reason: typeof reason === 'string' ? reason : '' }
  return noVerdict('it answered with no verdict')
}

function membersOf(text: string): { readonly verdict?: unknown; readonly reason?: unknown } {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}
