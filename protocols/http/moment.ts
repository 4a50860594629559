import { type Moment, StoreError } from '../../streams/index.ts'

const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/
const SEQUENCE = /^\d{1,16}$/

/** A sequence, or a time in ISO 8601. */
export function momentOf(text: string): Moment {
  if (!SEQUENCE.test(text)) return { time: timeOf(text) }
  const sequence = Number(text)
  if (Number.isSafeInteger(sequence)) return { sequence }
  throw new StoreError('ERR_INVALID', `${text} is no sequence`)
}

/** Milliseconds since 1970 of a time in ISO 8601, of a date alone its beginning; UTC where no zone is named. */
export function timeOf(text: string): number {
  const [match, zone] = TIME.exec(text) ?? []
  const isDate = match?.includes('T') === false
  const time = match === undefined ? Number.NaN : Date.parse(isDate || zone ? match : `${match}Z`)
  if (!Number.isNaN(time) && isDay(text.slice(0, 10))) return time
  throw new StoreError('ERR_INVALID', `${JSON.stringify(text)} is no time in ISO 8601`)
}

/** To Date.parse the 30th of February is a day in March. */
function isDay(day: string): boolean {
  return new Date(day).toISOString().startsWith(day)
}
