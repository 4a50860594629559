import type { Order } from '../query/query-order.ts'
import { parseQuery } from '../query/query-parser.ts'
import { cheapestPlan, type Leg, legsOf, waysOf } from '../query/query-plan.ts'
import { printQuery } from '../query/query-printer.ts'
import type { ExplainedLeg, Explanation, QueryOptions } from '../store-port.ts'
import { type Estimate, Estimates } from './catalog-estimate.ts'
import type { CatalogLevel } from './catalog-level.ts'
import { type QueryBounds, questionOf } from './catalog-query.ts'
import { Reading } from './catalog-reading.ts'
import { sortedPlan } from './catalog-sort.ts'
import { progressOf } from './index-state.ts'

/** How a query would be answered: no entry is looked at. */
export async function explanationOf(
  database: CatalogLevel,
  text: string,
  options: QueryOptions,
  bounds: QueryBounds,
): Promise<Explanation> {
  const question = questionOf(text, options, bounds)
  const { filter, order } = question
  await using reading = new Reading(database, bounds.observe)
  const { index, objects } = await reading.position()
  const ways = waysOf(filter, index.phase !== 'whole')
  const sorted = order ? await sortedPlan(reading, question, true) : undefined
  const estimates = sorted?.estimates ?? (await Estimates.of(reading, legsOf(ways), bounds.probeMax, true))
  const plan = sorted?.plan ?? cheapestPlan(ways, (leg) => estimates.ofLeg(leg).entries)
  const planned = plan.legs.map((leg) => explained(leg, estimates))
  const others = legsOf(ways).filter((leg) => !plan.legs.includes(leg))
  const isFollowed = order !== undefined && sorted?.gathers === false
  const legs = isFollowed ? [followed(order, objects)] : planned
  return {
    query: printQuery(parseQuery(text)),
    sequence: await reading.sequence(),
    objects,
    index: progressOf(index, objects),
    order: order ? `${order.name}, ${order.descending ? 'descending' : 'ascending'}` : orderOf(plan.legs),
    sorting: sorted === undefined ? 'none' : sorted.gathers ? 'gather' : 'follow',
    entries: plan.entries,
    isScan: legs.some(({ isScan }) => isScan),
    legs,
    others: [...(isFollowed ? planned : []), ...others.map((leg) => explained(leg, estimates))],
    entriesMax: bounds.scanMax,
  }
}

/** The index of the order, which is left when the page is full. */
function followed({ name, ranges }: Order, objects: number): ExplainedLeg {
  const reads = `the index of ${name}, in its order`
  const bounds = { ranges: ranges.length, isScan: false, entries: objects, isExact: false }
  return { condition: null, reads, ...bounds, narrowedBy: [] }
}

function orderOf(legs: readonly Leg[]): string {
  const [first] = legs
  if (legs.length !== 1 || first === undefined) return 'one leg after the other'
  return first.condition === undefined ? 'bucket and key' : `${first.condition.index.name}, then object`
}

function explained(leg: Leg, estimates: Estimates): ExplainedLeg {
  return {
    condition: leg.condition?.label ?? null,
    reads: readsOf(leg),
    ranges: leg.ranges.length,
    isScan: isScan(leg),
    ...shown(estimates.ofLeg(leg)),
    narrowedBy: estimates.narrowersOf(leg).map(({ condition, merges }) => ({
      condition: condition.label,
      how: merges ? 'merge' : 'lookup',
      ...shown(estimates.ofCondition(condition)),
    })),
  }
}

function shown({ entries, isExact }: Estimate): Estimate {
  return { entries, isExact }
}

const READS = { values: 'the index of', reversed: 'the reversed index of', words: 'the words of' } as const

function readsOf(leg: Leg): string {
  const { condition } = leg
  if (condition === undefined) return isScan(leg) ? 'every current object' : 'the current objects of a bucket'
  const { kind, name } = condition.index
  const all = condition.leads === undefined ? '' : ', all of it'
  return `${READS[kind]} ${name}${all}`
}

/** Whether it reads in proportion to all there is, rather than to what it finds. */
function isScan({ condition, ranges }: Leg): boolean {
  return condition === undefined
    ? ranges.some(({ gte, lt }) => gte === 'c' && lt === 'd')
    : condition.leads !== undefined
}
