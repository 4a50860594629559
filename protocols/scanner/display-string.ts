/**
 * A text as a Display String (RFC 9651 section 3.3.8), which a header field can carry whatever the text has in it: between
 * `%"` and `"`, with all but printable ASCII, and with `%` and `"`, as `%` and two lower-case hex digits for each byte of UTF-8.
 */
export function displayString(text: string): string {
  const octets = Array.from(Buffer.from(text), (octet) => {
    const isPlain = octet >= 0x20 && octet <= 0x7e && octet !== 0x25 && octet !== 0x22
    return isPlain ? String.fromCharCode(octet) : `%${octet.toString(16).padStart(2, '0')}`
  })
  return `%"${octets.join('')}"`
}
