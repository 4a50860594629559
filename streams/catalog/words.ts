import type { TypedText } from '../attributes.ts'

/** A longer word is known by its beginning. */
export const WORD_CHARACTERS_MAX = 64

const WORD = /[\p{L}\p{N}]+/gu
const ASCII = /^[\x20-\x7e]*$/
const ASCII_WORD = /[a-z0-9]+/g
const MARKS = /\p{M}/gu

/**
 * The words of a text: runs of letters and digits, without case and without accents, each once. `Rechnung_März-2026`
 * has rechnung, marz and 2026.
 */
export function wordsIn(text: string): readonly string[] {
  if (ASCII.test(text)) return distinct(text.toLowerCase().match(ASCII_WORD) ?? [])
  const plain = text.normalize('NFKD').replaceAll(MARKS, '').toLowerCase()
  return distinct(plain.match(WORD) ?? [])
}

function distinct(words: readonly string[]): readonly string[] {
  return [...new Set(words.map((word) => word.slice(0, WORD_CHARACTERS_MAX)))]
}

/** Characters of texts whose words are kept. */
const RECENT_CHARACTERS_MAX = 1 << 18
const recent = new Map<TypedText, ReadonlySet<string>>()
let recentCharacters = 0

/** Whether a text has a word. Many conditions may ask the same text: its words are found once. */
export function hasWord(value: TypedText, word: string): boolean {
  return (recent.get(value) ?? remembered(value)).has(word)
}

function remembered(value: TypedText): ReadonlySet<string> {
  const words = new Set(wordsOf(value))
  recentCharacters += value.length
  if (recentCharacters > RECENT_CHARACTERS_MAX) {
    recent.clear()
    recentCharacters = value.length
  }
  recent.set(value, words)
  return words
}

/** Only texts have words. */
export function wordsOf(value: TypedText): readonly string[] {
  return value.startsWith('t') ? wordsIn(value.slice(1)) : []
}
