/*
 * A query as a tree. docs/QUERY.md has the language; query-parser.ts reads it, query-printer.ts writes it, and
 * query-filter.ts says what it means.
 */
export type Query = Conjunction | Disjunction | Negation | Term

/** Of no parts: everything. A part is no conjunction itself. */
export interface Conjunction {
  readonly kind: 'and'
  readonly parts: readonly Query[]
}

/** Of two parts or more, none of which is a disjunction itself. */
export interface Disjunction {
  readonly kind: 'or'
  readonly parts: readonly Query[]
}

export interface Negation {
  readonly kind: 'not'
  readonly part: Query
}

export interface Term {
  readonly kind: 'term'
  readonly name: string
  readonly operator: Operator
  /** None for `exists`, two for `between`, any number from one on for `in`, and else one. */
  readonly values: readonly Literal[]
}

export type Operator = 'exists' | 'equals' | 'prefix' | 'suffix' | 'contains' | 'words' | 'in' | 'between' | Comparison
export type Comparison = '<' | '<=' | '>' | '>='

/** A value as written; what it means is decided beside the attribute. */
export interface Literal {
  readonly text: string
  /** Of its first character in the query, counted from 1. */
  readonly column: number
}

export const QUERY_BYTES_MAX = 4096
/** Values of all terms together, each word of `~` being one; a term without one counts as one. */
export const QUERY_TERMS_MAX = 256
/** Parentheses and NOTs within one another. */
export const QUERY_DEPTH_MAX = 32

/** The parts as one; those that are of the kind themselves give theirs. */
export function joined(kind: 'and' | 'or', parts: readonly Query[]): Query {
  if (parts.length === 1) return parts[0]!
  return { kind, parts: parts.flatMap((part) => (part.kind === kind ? part.parts : [part])) }
}
