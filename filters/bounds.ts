/** The longest value that a filter writes, in UTF-8 bytes; a longer one is cut at a character. */
export const VALUE_BYTES_MAX = 1024

/** The longest list that a filter writes; the rest is left out. */
export const LIST_LENGTH_MAX = 256

/** `text` as well-formed Unicode of at most `bytesMax` UTF-8 bytes. */
export function bounded(text: string, bytesMax: number = VALUE_BYTES_MAX): string {
  const bytes = Buffer.allocUnsafe(Math.min(bytesMax, 3 * text.length))
  const { written } = encoder.encodeInto(text, bytes)
  return bytes.toString('utf8', 0, written)
}

const encoder = new TextEncoder()
