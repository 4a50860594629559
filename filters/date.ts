const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** Hours east of UTC of the zones that have a name (RFC 5322 section 4.3). Any other name says nothing: UTC. */
const ZONES: { readonly [name: string]: number } = {
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
}

const MAIL_DATE =
  /^(?:[a-z]+\s*,?\s*)?(\d{1,2})\s+([a-z]{3})[a-z]*\s+(\d{2,4})\s+(\d{1,2})\s*:\s*(\d{2})(?:\s*:\s*(\d{2}))?\s+(?:([+-])(\d{2})(\d{2})|([a-z]{1,5}))(?:\s|$)/i

/** A date is looked for in so many characters: more cannot be one, and the form above would take long to say so. */
const DATE_LENGTH_MAX = 128

/**
 * The date and time of a mail (RFC 5322 section 3.3, with the obsolete forms of 4.3) as ISO 8601 in UTC; undefined
 * when it is none. Date.parse() is not used: it takes a missing zone for the zone of this machine, and guesses.
 */
export function parseMailDate(text: string): string | undefined {
  const match = MAIL_DATE.exec(
    text
      .slice(0, DATE_LENGTH_MAX)
      .replace(/\([^()]*\)/g, ' ')
      .trim(),
  )
  if (!match) return undefined
  const [, day, month, year, hour, minute, second = '0', sign, zoneHours, zoneMinutes, zone] = match
  const date = [fullYear(year!), MONTHS.indexOf(month!.toLowerCase()), Number(day)] as const
  const time = [Number(hour), Number(minute), Number(second)] as const
  if (!isDate(...date) || time[0] > 23 || time[1] > 59 || time[2] > 60) return undefined
  const minutesEast = sign
    ? Number(`${sign}1`) * (Number(zoneHours) * 60 + Number(zoneMinutes))
    : (ZONES[zone!.toUpperCase()] ?? 0) * 60
  return new Date(Date.UTC(...date, ...time) - minutesEast * 60_000).toISOString()
}

/** Years of two digits are 2000 to 2049 and 1950 to 1999, of three digits 1900 and on (RFC 5322 section 4.3). */
function fullYear(digits: string): number {
  const year = Number(digits)
  if (digits.length === 4) return year
  return digits.length === 2 && year < 50 ? 2000 + year : 1900 + year
}

/** RFC 5322 knows no year before 1900. Date.UTC() would take the 31st of a shorter month for a day of the next. */
function isDate(year: number, month: number, day: number): boolean {
  return year >= 1900 && month >= 0 && new Date(Date.UTC(year, month, day)).getUTCDate() === day
}
