import type { TypedText } from './attributes.ts'

/** A longer word is known by its beginning. */
export const WORD_CHARACTERS_MAX = 64

const WORD = /[\p{L}\p{N}]+/gu
const MARKS = /\p{M}/gu

/**
 * The words of a text: runs of letters and digits, without case and without accents, each once. `Rechnung_März-2026`
 * has rechnung, marz and 2026.
 */
export function wordsIn(text: string): readonly string[] {
  const plain = text.normalize('NFKD').replaceAll(MARKS, '').toLowerCase()
  return [...new Set(Array.from(plain.matchAll(WORD), ([word]) => word.slice(0, WORD_CHARACTERS_MAX)))]
}

/** Only texts have words. */
export function wordsOf(value: TypedText): readonly string[] {
  return value.startsWith('t') ? wordsIn(value.slice(1)) : []
}
