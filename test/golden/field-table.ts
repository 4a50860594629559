import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const FORMAT = readFileSync(join(import.meta.dirname, '../../docs/FORMAT.md'), 'utf8')

/** A row of a table in docs/FORMAT.md: | offset | type | field |. */
export interface Field {
  readonly offset: number
  /** `u32`, `u64`, `u8[n]`; anything else goes on to the end. */
  readonly type: string
  /** The field's text up to its first colon, comma, bracket or the like; `0` for bytes that mean nothing yet. */
  readonly name: string
}

/** The fields in the table below a heading. */
export function fieldsBelow(heading: string): Field[] {
  const section = FORMAT.split(/^#+ /m).find((text) => text.startsWith(heading)) ?? ''
  const rows = section.matchAll(/^\| (\d+) +\| (\S*) +\| (.+) \|$/gm)
  return Array.from(rows, ([, offset, type, field]) => ({
    offset: Number(offset),
    type: type!,
    name: field!
      .replaceAll('`', '')
      .replace(/[:;,(=].*/, '')
      .trim(),
  }))
}

/** Bytes of a field; undefined when it goes on to the end. */
export function sizeOf({ type }: Field): number | undefined {
  const [, bits, count] = /^u(8|32|64)(?:\[(\d+)\])?$/.exec(type) ?? []
  return bits === undefined ? undefined : (Number(bits) / 8) * Number(count ?? 1)
}

/** What `source` holds at the field's place: a number, or bytes. */
export function readField(field: Field, source: Buffer): number | Buffer {
  const { offset, type } = field
  if (type === 'u32') return source.readUInt32LE(offset)
  if (type === 'u64') return Number(source.readBigUInt64LE(offset))
  return source.subarray(offset, offset + (sizeOf(field) ?? source.length))
}
