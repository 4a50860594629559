import type { PayloadRange } from '../../streams/index.ts'

/** What a Range header asks of a representation: all of it, a part, or what it does not have. */
export type Selection = 'whole' | 'unsatisfiable' | PayloadRange

const singleRange = /^bytes=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/i

/**
 * RFC 9110 section 14.2. A unit that is not known, several ranges, and what is no range at all are ignored, as the
 * section allows: the answer is the whole.
 */
export function selectRange(header: string | undefined, size: number): Selection {
  const [match, first, last, suffix] = singleRange.exec(header ?? '') ?? []
  if (match === undefined) return 'whole'
  return first === undefined ? selectSuffix(Number(suffix), size) : selectFrom(Number(first), last, size)
}

/** RFC 9110 section 14.1.2: the last `length` bytes, or all where there are fewer. */
function selectSuffix(length: number, size: number): Selection {
  if (length === 0) return 'unsatisfiable'
  if (size === 0) return 'whole'
  const offset = Math.max(0, size - length)
  return { offset, length: size - offset }
}

function selectFrom(first: number, last: string | undefined, size: number): Selection {
  const end = last ? Number(last) : Number.POSITIVE_INFINITY
  if (end < first) return 'whole'
  if (first >= size) return 'unsatisfiable'
  return { offset: first, length: Math.min(end, size - 1) - first + 1 }
}

/** RFC 9110 section 14.4. */
export function contentRange({ offset, length }: PayloadRange, size: number): string {
  return `bytes ${offset}-${offset + length - 1}/${size}`
}
