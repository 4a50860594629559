import type { Append } from '../../streams/index.ts'
import { invalid } from './stream-fields.ts'
import { isJsonType } from './stream-view.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** A body as messages: each element of a JSON array, a JSON value, or the bytes as they are. */
export function messagesOf(body: Buffer, contentType: string): Pick<Append, 'messages' | 'encoding'> {
  if (body.length === 0) return { messages: [] }
  return isJsonType(contentType) ? { messages: jsonMessages(body) } : bytesMessage(body)
}

/** As text where that is what it is, and no longer in a record than base64. */
function bytesMessage(body: Buffer): Pick<Append, 'messages' | 'encoding'> {
  const text = body.toString()
  const base64 = body.toString('base64')
  const isText = Buffer.byteLength(text) === body.length && Buffer.from(text).equals(body)
  if (isText && Buffer.byteLength(JSON.stringify(text)) <= base64.length * 2) return { messages: [text] }
  return { messages: [base64], encoding: 'base64' }
}

function jsonMessages(body: Buffer): readonly string[] {
  try {
    const text = utf8.decode(body)
    return Array.isArray(JSON.parse(text)) ? elementsOf(text) : [text.trim()]
  } catch {
    throw invalid('the body is no JSON')
  }
}

/** A string of JSON, or a character that nests or parts values. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},]/g

/** The elements of an array as they were written: numbers of any length, and members in their order. */
function elementsOf(array: string): readonly string[] {
  const elements: string[] = []
  let depth = 0
  let start = 0
  for (const { 0: token, index } of array.matchAll(TOKEN)) {
    if (depth === 1 && (token === ',' || token === ']')) {
      elements.push(array.slice(start, index).trim())
      start = index + 1
    }
    if (token === '[' || token === '{') depth += 1
    if (token === ']' || token === '}') depth -= 1
    if (token === '[' && depth === 1) start = index + 1
  }
  return elements.length === 1 && elements[0] === '' ? [] : elements
}
