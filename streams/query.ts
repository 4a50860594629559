import { StoreError } from './errors.ts'

/*
 * The query language.
 *
 *   query    = *SP [ term *( 1*SP "AND" 1*SP term ) ] *SP          "AND" in upper or lower case
 *   term     = name *SP ( ":" *SP ( pattern / value ) / compare *SP value )
 *   compare  = "=" / "<" / "<=" / ">" / ">="
 *   pattern  = "*" / value "*"                                    is present / begins with
 *   value    = quoted / bare
 *   name     = quoted / 1*( any but SP ":" "=" "<" ">" "*" "(" ")" and the double quote )
 *   bare     = 1*( any but SP "*" "(" ")" and the double quote ), not beginning with "=" "<" ">"
 *   quoted   = %x22 *( any but %x22 "\" / "\" %x22 / "\\" ) %x22
 *
 * `name:value` and `name = value` are the same. An empty query asks for everything. Parentheses are kept for later.
 */
export type Operator = 'exists' | 'equals' | 'prefix' | '<' | '<=' | '>' | '>='

export interface Term {
  readonly name: string
  readonly operator: Operator
  /** As written; what it means is decided beside the attribute. '' for `exists`. */
  readonly value: string
}

export const QUERY_BYTES_MAX = 4096
export const QUERY_TERMS_MAX = 32
const FOUND_CHARACTERS_MAX = 20

const SPACE = /\s*/y
const NAME = /[^\s:=<>*()"]+/y
const OPERATOR = /:|[<>]=?|=/y
const BARE = /(?![=<>])[^\s*()"]+/y
const QUOTED = /"((?:[^"\\]|\\["\\])*)"/y
const STAR = /\*/y
const WORD = /\S+/y

/** Throws ERR_INVALID with the column, counted from 1, and what was expected there. */
export function parseQuery(text: string): readonly Term[] {
  if (Buffer.byteLength(text) > QUERY_BYTES_MAX) {
    throw new StoreError('ERR_INVALID', `a query has at most ${QUERY_BYTES_MAX} bytes`)
  }
  return new Parser(text).query()
}

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  query(): readonly Term[] {
    const terms: Term[] = []
    this.#take(SPACE)
    while (terms.length === 0 ? !this.#ended : this.#conjunction()) {
      if (terms.length === QUERY_TERMS_MAX) throw this.#expected(`at most ${QUERY_TERMS_MAX} terms`)
      terms.push(this.#term())
      this.#take(SPACE)
    }
    return terms
  }

  get #ended(): boolean {
    return this.#at === this.#text.length
  }

  /** Between two terms: true past an AND, false at the end. */
  #conjunction(): boolean {
    if (this.#ended) return false
    const start = this.#at
    const word = this.#take(WORD)?.[0] ?? ''
    if (!/\s/.test(this.#text[start - 1] ?? '') || word.toUpperCase() !== 'AND') {
      this.#at = start
      throw this.#expected('AND or the end of the query')
    }
    this.#take(SPACE)
    return true
  }

  #term(): Term {
    const name = this.#quoted() ?? this.#take(NAME)?.[0]
    if (name === undefined) throw this.#expected('the name of an attribute')
    this.#take(SPACE)
    const symbol = this.#take(OPERATOR)?.[0]
    if (symbol === undefined) throw this.#expected('one of : = < <= > >=')
    this.#take(SPACE)
    return symbol === ':' ? this.#pattern(name) : { name, operator: operatorOf(symbol), value: this.#value() }
  }

  #pattern(name: string): Term {
    if (this.#take(STAR) !== undefined) return { name, operator: 'exists', value: '' }
    const value = this.#value()
    return { name, operator: this.#take(STAR) === undefined ? 'equals' : 'prefix', value }
  }

  #value(): string {
    const value = this.#quoted() ?? this.#take(BARE)?.[0]
    if (value === undefined) throw this.#expected('a value')
    return value
  }

  #quoted(): string | undefined {
    if (this.#text[this.#at] !== '"') return undefined
    const quoted = this.#take(QUOTED)?.[1]
    if (quoted === undefined) throw this.#expected('a closing quote, and only \\" and \\\\ after a backslash,')
    return quoted.replaceAll(/\\(["\\])/g, '$1')
  }

  /** Goes past what `pattern` (sticky) matches here. */
  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at += match[0].length
    return match
  }

  #expected(what: string): StoreError {
    const found = this.#text.slice(this.#at, this.#at + FOUND_CHARACTERS_MAX)
    const where = this.#ended ? 'the query ends' : `there is ${JSON.stringify(found)}`
    return new StoreError('ERR_INVALID', `query, column ${this.#at + 1}: expected ${what} where ${where}`)
  }
}

function operatorOf(symbol: string): Operator {
  return symbol === '<' || symbol === '<=' || symbol === '>' || symbol === '>=' ? symbol : 'equals'
}
