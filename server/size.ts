const units: { readonly [unit: string]: number } = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }

/** What a size must be, in words. */
export const sizeWords = 'a size such as 1073741824 or "1GiB"'

/** A whole number of bytes, or one with KiB, MiB, GiB or TiB; at least 1. Undefined for what is none. */
export function sizeOf(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d+)\s*(?:([KMGT])iB)?$/.exec(text) ?? []
  const bytes = Number(digits) * (units[unit] ?? Number.NaN)
  return Number.isSafeInteger(bytes) && bytes >= 1 ? bytes : undefined
}
