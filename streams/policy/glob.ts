/*
 * Patterns of names.
 *
 *   *     any characters but '/'         ?    one character but '/'
 *   **    any characters                 others are themselves
 *
 * A pattern without '/' is about the last segment of a key; one with '/' is about BUCKET/KEY as a whole. All states that
 * a pattern can be in are followed at once, so that no pattern and no name makes it slow: their lengths' product is what
 * it costs.
 */
export const PATTERN_CHARACTERS_MAX = 256

type Token = '*' | '**' | '?' | { readonly character: string }

/** Whether the name of an object meets a pattern. */
export function meets(pattern: string, { bucket, key }: { readonly bucket: string; readonly key: string }): boolean {
  const text = pattern.includes('/') ? `${bucket}/${key}` : key.slice(key.lastIndexOf('/') + 1)
  const tokens = tokensOf(pattern)
  let reached = skipped(tokens, new Set([0]))
  for (const character of text) {
    reached = skipped(tokens, stepped(tokens, reached, character))
    if (reached.size === 0) return false
  }
  return reached.has(tokens.length)
}

function tokensOf(pattern: string): readonly Token[] {
  return [...pattern.matchAll(/\*+|[^*]/gsu)].map(([text]) => {
    if (text.startsWith('*')) return text.length > 1 ? '**' : '*'
    return text === '?' ? '?' : { character: text }
  })
}

/** The states after one more character. */
function stepped(tokens: readonly Token[], reached: ReadonlySet<number>, character: string): Set<number> {
  const next = new Set<number>()
  for (const at of reached) {
    const token = tokens[at]
    if (token === '**' || (token === '*' && character !== '/')) next.add(at)
    else if (token === '?' && character !== '/') next.add(at + 1)
    else if (typeof token === 'object' && token.character === character) next.add(at + 1)
  }
  return next
}

/** Adds the states behind stars, which may stand for nothing. A set is walked to its end as it grows. */
function skipped(tokens: readonly Token[], reached: Set<number>): Set<number> {
  for (const at of reached) if (tokens[at] === '*' || tokens[at] === '**') reached.add(at + 1)
  return reached
}
