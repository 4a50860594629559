import { Type } from 'typebox'
import { closed, description, facetValuesMax, limitMax, objectStat, sequence } from './schema-parts.ts'

export const FindQuery = Type.Object(
  {
    q: Type.String(description('Empty for everything; docs/QUERY.md has the language.')),
    sort: Type.Optional(Type.String(description('An indexed attribute; with `-` before it in descending order.'))),
    limit: Type.Optional(
      Type.Number({
        ...{ minimum: 1, maximum: limitMax, multipleOf: 1 },
        ...description(
          `Objects of the page, ${limitMax} by default; of NDJSON, which goes on to the end, of all pages.`,
        ),
      }),
    ),
    cursor: Type.Optional(Type.String()),
    format: Type.Optional(
      Type.Union(
        [Type.Literal('json'), Type.Literal('ndjson'), Type.Literal('csv'), Type.Literal('xml')],
        description('By default as `Accept` says.'),
      ),
    ),
    columns: Type.Optional(Type.String(description('Of CSV: names of attributes, parted by commas.'))),
    explain: Type.Optional(Type.Boolean(description('Tells how the answer would be found, and not the answer.'))),
  },
  closed,
)
export const Found = Type.Object({
  sequence: Type.Integer(description('The answer is true at this sequence.')),
  cursor: Type.Union([Type.String(), Type.Null()], description('Pass to go on; null at the end.')),
  limited: Type.Boolean(description('The page ended because it had looked at as much as one page may.')),
  objects: Type.Array(objectStat),
})
const counted = { entries: Type.Integer(), isExact: Type.Boolean() }
const leg = Type.Object({
  condition: Type.Union([Type.String(), Type.Null()]),
  reads: Type.String(),
  ranges: Type.Integer(),
  isScan: Type.Boolean(description('It reads in proportion to all there is.')),
  ...counted,
  narrowedBy: Type.Array(Type.Object({ condition: Type.String(), how: Type.String(), ...counted })),
})
export const IndexProgress = Type.Object({
  phase: Type.Union([Type.Literal('whole'), Type.Literal('clearing'), Type.Literal('building')]),
  built: Type.Integer(description('Current objects that the index has.')),
  objects: Type.Integer(description('Current objects in all.')),
})
export const Explained = Type.Object({
  query: Type.String(description('As it was understood.')),
  sequence,
  objects: Type.Integer(description('Current objects in all.')),
  index: IndexProgress,
  order: Type.String(),
  sorting: Type.Union([Type.Literal('none'), Type.Literal('gather'), Type.Literal('follow')]),
  entries: Type.Integer(description('Entries that are looked at, estimated.')),
  isScan: Type.Boolean(),
  legs: Type.Array(leg, description('Walked one after the other.')),
  others: Type.Array(leg, description('What could have been followed instead.')),
  entriesMax: Type.Integer(description('Entries that one page looks at, at the most.')),
})
export const Answer = Type.Union([Found, Explained])
export const FacetQuery = Type.Object(
  {
    q: Type.String(description('Empty for everything; docs/QUERY.md has the language.')),
    by: Type.String(description('Names of attributes, parted by commas.')),
    values: Type.Optional(
      Type.Number({
        ...{ minimum: 1, maximum: facetValuesMax, multipleOf: 1 },
        ...description('Values told of each, the most frequent first; 20 by default.'),
      }),
    ),
  },
  closed,
)
export const Facets = Type.Object({
  sequence,
  facets: Type.Array(
    Type.Object({
      name: Type.String(),
      distinct: Type.Integer(description('Values there are, told or not.')),
      values: Type.Array(
        Type.Object({ value: Type.Union([Type.String(), Type.Number(), Type.Boolean()]), count: Type.Integer() }),
      ),
      counted: Type.Boolean(description('The counts were known; otherwise the answer was looked at.')),
      complete: Type.Boolean(description('False when there was more to look at than one page may.')),
    }),
  ),
})
