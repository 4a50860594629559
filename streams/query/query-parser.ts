import { wordsIn } from '../catalog/words.ts'
import { StoreError } from '../errors.ts'
import {
  type Comparison,
  joined,
  type Literal,
  type Operator,
  QUERY_BYTES_MAX,
  QUERY_DEPTH_MAX,
  QUERY_TERMS_MAX,
  type Query,
  type Term,
} from './query.ts'
import { type Slip, slipBehind, slipInOperator, slipInValue } from './query-slips.ts'

/*
 * The query language, by a Pratt parser: an operator binds as tightly as its power says.
 *
 *   query   = [ any ]                                             an empty one asks for everything
 *   any     = all *( "OR" all )
 *   all     = one *( "AND" one )
 *   one     = "NOT" one / "(" any ")" / term
 *   term    = name ":" ( "*" / ["*"] value ["*"] )                is present / is, begins, ends with, contains
 *           / name ( "=" / "<" / "<=" / ">" / ">=" ) value
 *           / name SP "~" value                                   has these words
 *           / name SP "IN" "(" value *( "," value ) ")"           is one of
 *           / name SP "IN" "[" value "TO" value "]"               lies between, both included
 *   value   = quoted / bare
 *   name    = quoted / 1*( any but SP ":" "=" "<" ">" "*" "(" ")" and the double quote )
 *   bare    = 1*( any but SP "*" "(" ")" and the double quote ), not beginning with "=" "<" ">";
 *             after IN without "," "[" "]", too
 *   quoted  = %x22 *( any but %x22 "\" / "\" %x22 / "\\" ) %x22
 *
 * Space may stand between all of these, but not beside the "*" of a value. Keywords are in upper or lower case; AND
 * and OR come after space or ")". NOT is a name where an operator follows it.
 */
const POWERS = { or: 1, and: 2, not: 3 } as const
const FOUND_CHARACTERS_MAX = 20

const SPACE = /\s*/y
const NAME = /[^\s:=<>*()"]+/y
const OPERATOR = /:|[<>]=?|=|~|IN(?=[\s([])/iy
const BARE = /(?![=<>])[^\s*()"]+/y
const BARE_IN_LIST = /(?![=<>])[^\s*(),"[\]]+/y
const QUOTED = /"((?:[^"\\]|\\["\\])*)"/y
const NOT = /NOT(?=\s+(?![:=<>~\s])|\()/iy
const INFIX = /(?<=[\s)])(AND|OR)(?=[\s(]|$)/iy
const TO = /TO(?=[\s"])/iy

/** Throws ERR_INVALID with the column, counted from 1, and what was expected there. */
export function parseQuery(text: string): Query {
  if (Buffer.byteLength(text) > QUERY_BYTES_MAX) {
    throw new StoreError('ERR_INVALID', `a query has at most ${QUERY_BYTES_MAX} bytes`)
  }
  return new Parser(text).query()
}

class Parser {
  readonly #text: string
  #at = 0
  #terms = 0
  #depth = 0
  /** Of the last term. */
  #operator = ''

  constructor(text: string) {
    this.#text = text
  }

  query(): Query {
    this.#take(SPACE)
    if (this.#ended) return { kind: 'and', parts: [] }
    const query = this.#expression(0)
    if (this.#ended) return query
    throw this.#unjoined('AND, OR or the end of the query')
  }

  get #ended(): boolean {
    return this.#at === this.#text.length
  }

  /** As far as operators bind more tightly than `power`. */
  #expression(power: number): Query {
    let query = this.#operand()
    for (let kind = this.#infix(power); kind !== undefined; kind = this.#infix(power)) {
      query = joined(kind, [query, this.#expression(POWERS[kind])])
    }
    return query
  }

  #infix(power: number): 'and' | 'or' | undefined {
    const start = this.#at
    const kind = this.#take(INFIX)?.[1]?.toLowerCase() as 'and' | 'or' | undefined
    if (kind === undefined) return undefined
    if (POWERS[kind] <= power) {
      this.#at = start
      return undefined
    }
    this.#take(SPACE)
    return kind
  }

  #operand(): Query {
    if (this.#skip(NOT)) return this.#deeper(() => ({ kind: 'not', part: this.#expression(POWERS.not) }))
    if (this.#skip(/\(/y)) return this.#deeper(() => this.#group())
    return this.#term()
  }

  #group(): Query {
    const query = this.#expression(0)
    if (!this.#skip(/\)/y)) throw this.#unjoined('AND, OR or )')
    return query
  }

  #deeper(parse: () => Query): Query {
    if (this.#depth === QUERY_DEPTH_MAX) throw this.#expected(`at most ${QUERY_DEPTH_MAX} levels of ( and NOT`)
    this.#depth += 1
    const query = parse()
    this.#depth -= 1
    return query
  }

  #term(): Term {
    this.#count()
    const name = this.#quoted() ?? this.#take(NAME)?.[0]
    if (name === undefined) throw this.#expected('the name of an attribute')
    this.#take(SPACE)
    const symbol = this.#take(OPERATOR)?.[0].toUpperCase()
    if (symbol === undefined) throw this.#expected('one of : = < <= > >= ~ IN', slipInOperator(this.#text, this.#at))
    this.#operator = symbol
    this.#take(SPACE)
    const [operator, values] = symbol === ':' ? this.#pattern() : symbol === 'IN' ? this.#set() : this.#compared(symbol)
    this.#take(SPACE)
    return { kind: 'term', name, operator, values }
  }

  #compared(symbol: string): [Operator, Literal[]] {
    const value = this.#value(BARE)
    if (symbol === '~') return ['words', [this.#counted(value)]]
    return [symbol === '=' ? 'equals' : (symbol as Comparison), [value]]
  }

  /** Each word is a term: all of them are looked for. */
  #counted(value: Literal): Literal {
    for (const _ of wordsIn(value.text).slice(1)) this.#count()
    return value
  }

  #pattern(): [Operator, Literal[]] {
    const isOpen = this.#take(/\*/y) !== undefined
    const value = this.#valueIfAny(BARE)
    if (value === undefined) {
      if (isOpen) return ['exists', []]
      throw this.#expected('a value', slipInValue(this.#text, this.#at, this.#operator))
    }
    if (this.#take(/\*/y) === undefined) return [isOpen ? 'suffix' : 'equals', [value]]
    return [isOpen ? 'contains' : 'prefix', [value]]
  }

  #set(): [Operator, Literal[]] {
    if (this.#skip(/\[/y)) return this.#between()
    if (!this.#skip(/\(/y)) throw this.#expected('( or [')
    const values = [this.#element()]
    while (this.#skip(/,/y)) {
      this.#count()
      values.push(this.#element())
    }
    this.#require(/\)/y, 'a comma or )')
    return ['in', values]
  }

  #between(): [Operator, Literal[]] {
    const from = this.#element()
    this.#require(TO, 'TO')
    const to = this.#element()
    this.#require(/\]/y, ']')
    return ['between', [from, to]]
  }

  #element(): Literal {
    const value = this.#value(BARE_IN_LIST)
    this.#take(SPACE)
    return value
  }

  #value(bare: RegExp): Literal {
    const value = this.#valueIfAny(bare)
    if (value === undefined) throw this.#expected('a value', slipInValue(this.#text, this.#at, this.#operator))
    return value
  }

  #valueIfAny(bare: RegExp): Literal | undefined {
    const column = this.#at + 1
    const text = this.#quoted() ?? this.#take(bare)?.[0]
    return text === undefined ? undefined : { text, column }
  }

  #quoted(): string | undefined {
    if (this.#text[this.#at] !== '"') return undefined
    const quoted = this.#take(QUOTED)?.[1]
    if (quoted === undefined) throw this.#expected('a closing quote, and only \\" and \\\\ after a backslash,')
    return quoted.replaceAll(/\\(["\\])/g, '$1')
  }

  #count(): void {
    if (this.#terms === QUERY_TERMS_MAX) throw this.#expected(`at most ${QUERY_TERMS_MAX} terms`)
    this.#terms += 1
  }

  /** Goes past what `pattern` (sticky) matches here. */
  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at += match[0].length
    return match
  }

  /** Goes past it and the space that follows; false when it is not here. */
  #skip(pattern: RegExp): boolean {
    if (this.#take(pattern) === undefined) return false
    this.#take(SPACE)
    return true
  }

  #require(pattern: RegExp, what: string): void {
    if (!this.#skip(pattern)) throw this.#expected(what)
  }

  /** Two terms are not joined as they are to be. */
  #unjoined(what: string): StoreError {
    return this.#expected(what, slipBehind(this.#text, this.#at, this.#operator))
  }

  #expected(expected: string, slip: Slip = { at: this.#at, expected }): StoreError {
    const found = this.#text.slice(slip.at, slip.at + FOUND_CHARACTERS_MAX)
    return misread(slip.at + 1, slip.expected, found)
  }
}

/** A refusal: what was expected at a column, and what is there; '' for the end of the query. */
export function misread(column: number, expected: string, found: string): StoreError {
  const where = found === '' ? 'the query ends' : `there is ${JSON.stringify(found.slice(0, FOUND_CHARACTERS_MAX))}`
  return new StoreError('ERR_INVALID', `query, column ${column}: expected ${expected} where ${where}`)
}
