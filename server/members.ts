import { StoreError } from '../streams/index.ts'

/** What a member may be, and in which words it is refused. */
export interface Row {
  readonly must: string
  fits(value: unknown): boolean
  /** In the one form that it is kept in; as it is when this is absent. */
  readonly kept?: (value: never) => unknown
}

/** A row for each member: a new one does not compile without it. */
export type Rows<Members> = { readonly [Member in keyof Members]-?: Row }

export const list = (max: number, must: string, fits: (text: string) => boolean): Row => ({
  must: `1 to ${max} ${must}`,
  fits: (value) =>
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= max &&
    value.every((text) => typeof text === 'string' && fits(text)),
})

/** The members after a change, in which null takes one away and what is absent stays. ERR_INVALID in the words of the rows. */
export function changed<Members>(
  what: string,
  rows: Rows<Members>,
  before: Partial<Members> | undefined,
  change: object,
): Partial<Members> {
  const said = Object.entries(change).filter(([, value]) => value !== undefined)
  const checked = said.map(([member, value]) => [member, value === null ? null : kept(what, rows, member, value)])
  const all = Object.entries({ ...before, ...Object.fromEntries(checked) })
  return Object.fromEntries(all.filter(([, value]) => value !== null)) as Partial<Members>
}

function kept(what: string, rows: object, member: string, value: unknown): unknown {
  const row = (rows as { readonly [member: string]: Row | undefined })[member]
  if (row === undefined) throw new StoreError('ERR_INVALID', `a ${what} has no ${member}`)
  if (!row.fits(value)) throw new StoreError('ERR_INVALID', `a ${what}'s ${member} must be ${row.must}`)
  return row.kept ? row.kept(value as never) : value
}
