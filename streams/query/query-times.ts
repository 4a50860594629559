/*
 * Times in a query. What is written less precisely is all that it may mean: 2026-11 is a month, 2026-11-01T10:00 a
 * minute. Without a zone it is UTC.
 *
 *   time     = 4DIGIT [ "-" month [ "-" day [ "T" hour ":" minute [ ":" second [ "." fraction ] ] [ zone ] ] ] ]
 *            / "now" [ ( "+" / "-" ) 1*DIGIT ( "s" / "m" / "h" / "d" / "w" ) ]
 *   zone     = "Z" / ( "+" / "-" ) hour ":" minute
 */

/** Milliseconds since 1970, from the first one to the one after the last. */
export interface Span {
  readonly from: number
  readonly to: number
}

const DATE = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/
const MOMENT = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$/i
const RELATIVE = /^now(?:([+-]\d{1,9})([smhdw]))?$/i
const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }
/** Times are kept with years of four digits. */
const YEARS: Span = { from: -62_167_219_200_000, to: 253_402_300_800_000 }

/** Undefined of anything else. */
export function parseSpan(text: string, now: number): Span | undefined {
  const span = relativeSpan(text, now) ?? dateSpan(text) ?? momentSpan(text)
  return span !== undefined && span.from >= YEARS.from && span.to <= YEARS.to ? span : undefined
}

function relativeSpan(text: string, now: number): Span | undefined {
  const match = RELATIVE.exec(text)
  if (match === null) return undefined
  const unit = (match[2] ?? 's').toLowerCase() as keyof typeof UNIT_SECONDS
  const from = now + Number(match[1] ?? 0) * UNIT_SECONDS[unit] * 1000
  return { from, to: from + 1 }
}

function dateSpan(text: string): Span | undefined {
  const match = DATE.exec(text)
  if (match === null) return undefined
  const [, year = '', month = '01', day = '01'] = match
  const from = Date.parse(`${year}-${month}-${day}T00:00:00Z`)
  const end = new Date(from)
  if (Number.isNaN(from) || end.getUTCDate() !== Number(day)) return undefined
  if (match[3] !== undefined) end.setUTCDate(end.getUTCDate() + 1)
  else if (match[2] !== undefined) end.setUTCMonth(end.getUTCMonth() + 1)
  else end.setUTCFullYear(end.getUTCFullYear() + 1)
  return { from, to: end.getTime() }
}

function momentSpan(text: string): Span | undefined {
  const match = MOMENT.exec(text)
  if (match === null) return undefined
  const [, day = '', minute = '', second, fraction, zone = 'Z'] = match
  if (dateSpan(day) === undefined) return undefined
  const from = Date.parse(`${day}T${minute}:${second ?? '00'}${(fraction ?? '').slice(0, 4)}${zone.toUpperCase()}`)
  if (Number.isNaN(from)) return undefined
  return { from, to: from + (fraction !== undefined ? 1 : second !== undefined ? 1000 : 60_000) }
}
