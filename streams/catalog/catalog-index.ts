import { indexedPart, plainText, reversedText, scalarsOf, type TypedText, typedText } from '../attributes.ts'
import type { AttributeValue } from '../envelope.ts'
import { traitsOf } from './attribute-traits.ts'
import { type Entry, FIELDS, valuesOf } from './catalog-entry.ts'
import { type IndexKind, indexKey, indexPrefix, indexSuffix, keyIn } from './catalog-keys.ts'
import { wordsOf } from './words.ts'

/*
 * The index keys of an entry, which can be told from the entry alone: attributes are chosen by name, never by history.
 * An entry that passes one of the bounds has one key more (space `o`), by which every path finds it.
 */

/** Attributes indexed of one object, in the order of their names; the others are stored only. */
export const INDEXED_ATTRIBUTES_MAX = 64
/** Elements indexed of all lists of one object together. */
export const INDEXED_ELEMENTS_MAX = 64
/** Words indexed of one object. */
export const INDEXED_WORDS_MAX = 64
/** A longer name is stored only. */
export const INDEXED_NAME_BYTES_MAX = 256

const ASCII = /^[\x20-\x7e]*$/

/** The current entries are in the order of their buckets. */
const UNINDEXED_FIELD = 'object.bucket'

interface Indexed {
  readonly values: string
  readonly reversed: string | undefined
  readonly words: string | undefined
}

/** Names whose prefixes are kept: a record has dozens, and most are the same as the record's before. */
const NAMES_KEPT_MAX = 10_000
const kept = new Map<string, Indexed>()

function indexedUnder(name: string): Indexed {
  const known = kept.get(name)
  if (known !== undefined) return known
  const { reversed, words } = traitsOf(name)
  const indexed = {
    values: indexPrefix('values', name),
    reversed: reversed && indexPrefix('reversed', name),
    words: words && indexPrefix('words', name),
  }
  if (kept.size === NAMES_KEPT_MAX) kept.clear()
  kept.set(name, indexed)
  return indexed
}

const INDEXED_FIELDS = [...FIELDS]
  .filter(([name]) => name !== UNINDEXED_FIELD)
  .map(([name, field]) => [indexedUnder(name), field] as const)

export function indexKeysOf(entry: Entry): readonly string[] {
  const { keys, isWhole } = indexOf(entry)
  return isWhole ? keys : [...keys, keyIn('o', entry.stat.object)]
}

/** Whether the index has not all values of an entry. Most can be told at a glance. */
export function isOverflowing(entry: Entry): boolean {
  return !isSmall(entry) && !indexOf(entry).isWhole
}

/** A word of ASCII and what parts it from the next are two characters at least. */
function isSmall({ stat: { key, attributes } }: Entry): boolean {
  const names = Object.keys(attributes)
  let elements = 0
  let text = key
  for (const name of names) {
    const value = attributes[name]
    if (typeof value === 'object') elements += value.length
    if (traitsOf(name).words) text += ` ${String(value)}`
  }
  if (names.length > INDEXED_ATTRIBUTES_MAX || elements > INDEXED_ELEMENTS_MAX) return false
  return text.length < 2 * INDEXED_WORDS_MAX && ASCII.test(text)
}

/** The keys of an entry under one attribute. */
export function indexKeysUnder(entry: Entry, kind: IndexKind, name: string): readonly string[] {
  const prefix = indexPrefix(kind, name)
  const suffix = indexSuffix(entry.stat.object)
  return valuesOf(entry, name)
    .flatMap((text) => indexTextsOf(kind, text))
    .map((text) => indexKey(prefix, text, suffix))
}

function indexTextsOf(kind: IndexKind, text: TypedText): readonly TypedText[] {
  if (kind === 'words') return wordsOf(text).map(plainText)
  return [indexedPart(kind === 'reversed' ? reversedText(text) : text)]
}

function indexOf(entry: Entry): { readonly keys: string[]; readonly isWhole: boolean } {
  const { object, attributes } = entry.stat
  const keys = new IndexKeys(object)
  for (const [indexed, field] of INDEXED_FIELDS) keys.add(indexed, field(entry))
  const names = indexedNames(attributes)
  const chosen = names.length > INDEXED_ATTRIBUTES_MAX ? names.slice(0, INDEXED_ATTRIBUTES_MAX) : names
  for (const name of chosen) keys.addAll(indexedUnder(name), attributes[name] ?? [])
  return { keys: keys.keys, isWhole: keys.isWhole && chosen.length === names.length }
}

class IndexKeys {
  readonly keys: string[] = []
  isWhole = true
  readonly #suffix: string
  #elements = 0
  #words = 0

  constructor(object: string) {
    this.#suffix = indexSuffix(object)
  }

  addAll(indexed: Indexed, value: AttributeValue): void {
    const isList = typeof value === 'object'
    for (const scalar of scalarsOf(value)) {
      if (isList) this.#elements += 1
      if (this.#elements > INDEXED_ELEMENTS_MAX) this.isWhole = false
      if (!isList || this.#elements <= INDEXED_ELEMENTS_MAX) this.add(indexed, typedText(scalar))
    }
  }

  add({ values, reversed, words }: Indexed, text: TypedText): void {
    this.keys.push(indexKey(values, indexedPart(text), this.#suffix))
    if (reversed !== undefined) this.keys.push(indexKey(reversed, indexedPart(reversedText(text)), this.#suffix))
    if (words !== undefined) for (const word of wordsOf(text)) this.#addWord(words, word)
  }

  #addWord(prefix: string, word: string): void {
    this.#words += 1
    if (this.#words > INDEXED_WORDS_MAX) this.isWhole = false
    else this.keys.push(indexKey(prefix, plainText(word), this.#suffix))
  }
}

/** In order. */
function indexedNames(attributes: Entry['stat']['attributes']): readonly string[] {
  return Object.keys(attributes)
    .filter((name) => !FIELDS.has(name) && isIndexed(name))
    .sort()
}

/** Whether values under a name lead to entries through the index. */
export function isIndexed(name: string): boolean {
  if (FIELDS.has(name)) return name !== UNINDEXED_FIELD
  return name.length * 3 <= INDEXED_NAME_BYTES_MAX || Buffer.byteLength(name) <= INDEXED_NAME_BYTES_MAX
}
