import type { TypedText } from '../attributes.ts'
import { type Entry, valuesOf } from '../catalog/catalog-entry.ts'
import type { IndexKind } from '../catalog/catalog-keys.ts'
import type { Query, Term } from './query.ts'
import { type Interval, overlapOf, within } from './query-interval.ts'
import { meaningOf } from './query-meaning.ts'
import { printQuery } from './query-printer.ts'

/*
 * What a query asks of an entry. Comparisons of one name in one conjunction are one condition together, an interval
 * that one value must lie in: `to > a AND to < z` asks of a list for one element between the two. `a ~ "b c"` is a
 * conjunction of one condition for each word.
 */
export type Filter = Joint | Not | Condition

export interface Joint {
  readonly kind: 'and' | 'or'
  readonly parts: readonly Filter[]
}

export interface Not {
  readonly kind: 'not'
  readonly part: Filter
}

/** Met by an entry one of whose values under the name is accepted. */
export interface Condition {
  readonly kind: 'condition'
  readonly name: string
  /** As a part of a query. */
  readonly label: string
  readonly operator: Term['operator']
  /** The texts of the index that lead to whoever may meet it. */
  readonly index: { readonly name: string; readonly kind: IndexKind; readonly intervals: readonly Interval[] }
  /** Of those texts, which lead on; undefined when all of them do. */
  readonly leads?: (text: TypedText) => boolean
  readonly accepts: (value: TypedText) => boolean
}

/** `now` is what `now` means. Throws ERR_INVALID, with the column, for a value that the attribute cannot have. */
export function filterOf(query: Query, now: number): Filter {
  switch (query.kind) {
    case 'and':
      return conjunctionOf(query.parts.map((part) => filterOf(part, now)))
    case 'or':
      return { kind: 'or', parts: query.parts.map((part) => filterOf(part, now)) }
    case 'not':
      return { kind: 'not', part: filterOf(query.part, now) }
    case 'term':
      return termFilter(query, now)
  }
}

function termFilter(term: Term, now: number): Filter {
  const conditions = meaningOf(term, now).map((meaning): Condition => {
    return { kind: 'condition', name: term.name, label: printQuery(term), operator: term.operator, ...meaning }
  })
  return conditions.length === 1 ? conditions[0]! : { kind: 'and', parts: conditions }
}

/** The parts, with comparisons of one name as one. */
function conjunctionOf(parts: readonly Filter[]): Filter {
  const flat = parts.flatMap((part) => (part.kind === 'and' ? part.parts : [part]))
  const compared = new Map<string, Condition>()
  const others: Filter[] = []
  for (const part of flat) {
    if (part.kind !== 'condition' || !isComparison(part)) others.push(part)
    else compared.set(part.name, bothOf(compared.get(part.name), part))
  }
  return { kind: 'and', parts: [...others, ...compared.values()] }
}

export function isComparison({ operator }: Condition): boolean {
  return operator.startsWith('<') || operator.startsWith('>')
}

function bothOf(left: Condition | undefined, right: Condition): Condition {
  if (left === undefined) return right
  const intervals = overlapOf(left.index.intervals, right.index.intervals)
  const label = `${left.label} AND ${right.label}`
  return { ...right, label, index: { ...right.index, intervals }, accepts: (value) => within(intervals, value) }
}

export function meets(entry: Entry, filter: Filter): boolean {
  return meetsWith((name) => valuesOf(entry, name), filter)
}

type Values = (name: string) => readonly TypedText[]

/** Whether whatever has these values meets it. They are read once, however many conditions ask for them. */
export function meetsWith(valuesUnder: Values, filter: Filter): boolean {
  if (filter.kind === 'condition') return valuesUnder(filter.name).some(filter.accepts)
  const known = new Map<string, readonly TypedText[]>()
  return holds((name) => known.get(name) ?? keep(known, name, valuesUnder(name)), filter)
}

function keep<V>(known: Map<string, V>, name: string, value: V): V {
  known.set(name, value)
  return value
}

function holds(valuesUnder: Values, filter: Filter): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.parts.every((part) => holds(valuesUnder, part))
    case 'or':
      return filter.parts.some((part) => holds(valuesUnder, part))
    case 'not':
      return !holds(valuesUnder, filter.part)
    case 'condition':
      return valuesUnder(filter.name).some(filter.accepts)
  }
}
