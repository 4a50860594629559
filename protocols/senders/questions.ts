/** Kinds of DNS records that are asked for. */
export type RecordType = 'A' | 'AAAA' | 'MX' | 'TXT' | 'PTR'

/** An answer as `dns.promises.resolve` has it, or why there is none: `ENOTFOUND` and `ENODATA` are answers, too. */
export type Answer = { readonly records: unknown } | { readonly code: string }

/** Asks DNS; never rejects. */
export type Ask = (name: string, type: RecordType) => Promise<Answer>

const TYPES: ReadonlySet<string> = new Set(['A', 'AAAA', 'MX', 'TXT', 'PTR'])
/** A name that is there, or not, for certain. */
const CERTAIN: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])

/** The questions of one mail: bounded in number, and remembered where the answer was that nobody knows. */
export class Questions {
  readonly #ask: Ask
  readonly #max: number
  #asked = 0
  /** What DNS could not tell; undefined while it told everything. */
  trouble: string | undefined

  constructor(ask: Ask, max: number) {
    this.#ask = ask
    this.#max = max
  }

  /** As mailauth wants to be answered: rejects with an error that has `code`. */
  readonly resolve = async (name: string, type: string): Promise<unknown> => {
    this.#asked += 1
    // As if it were not there: who needs more than that is verified by what was found until then, or not at all.
    if (this.#asked > this.#max || !TYPES.has(type)) throw failure('ENOTFOUND', name, type)
    const answer = await this.#ask(name, type as RecordType)
    if ('records' in answer) return answer.records
    if (!CERTAIN.has(answer.code)) this.trouble ??= `DNS does not answer for ${name} ${type} (${answer.code})`
    throw failure(answer.code, name, type)
  }
}

function failure(code: string, name: string, type: string): Error {
  return Object.assign(new Error(`${type} ${name}: ${code}`), { code })
}
