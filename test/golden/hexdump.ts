const LINE_BYTES = 16

/*
 * Bytes for people to read and compare: what `hexdump -C` writes, but that each line of sixteen zeros is left out.
 * The offset at the end is the length.
 *
 *   00000000  43 45 4e 4f 54 45 50 4c  8d e6 0f 5a 01 00 00 00  |CENOTEPL...Z....|
 *   00001000
 */
export function hexdump(bytes: Buffer): string {
  const lines: string[] = []
  for (let offset = 0; offset < bytes.length; offset += LINE_BYTES) {
    const line = bytes.subarray(offset, offset + LINE_BYTES)
    if (line.some((byte) => byte !== 0)) lines.push(`${hex(offset)}  ${columns(line)}  |${characters(line)}|\n`)
  }
  return `${lines.join('')}${hex(bytes.length)}\n`
}

export function fromHexdump(dump: string): Buffer {
  const lines = dump.trimEnd().split('\n')
  const bytes = Buffer.alloc(Number.parseInt(lines.pop()!, 16))
  for (const line of lines) {
    bytes.write(line.slice(10, 59).replaceAll(' ', ''), Number.parseInt(line.slice(0, 8), 16), 'hex')
  }
  return bytes
}

const hex = (offset: number): string => offset.toString(16).padStart(8, '0')

function columns(line: Buffer): string {
  const bytes = Array.from(line, (byte) => byte.toString(16).padStart(2, '0'))
  return `${bytes.slice(0, 8).join(' ')}  ${bytes.slice(8).join(' ')}`.padEnd(48)
}

const characters = (line: Buffer): string => line.toString('latin1').replace(/[^ -~]/g, '.')
