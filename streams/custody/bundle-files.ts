import type { Sequence } from '../../pool/index.ts'
import type { AttributeRecord } from '../records/record.ts'
import { canonicalJson, decodeRecord, digestOf, encodeRecord } from '../records/record-codec.ts'
import { RECORD_BYTES_MAX } from './bundle.ts'
import { TarError, type TarReader } from './bundle-tar.ts'

/** A record of a bundle, and the SHA-256 of its bytes. */
export interface Chained<R extends AttributeRecord> {
  readonly record: R
  readonly digest: string
}

/** The record in the file that comes next, which is named after it. */
export async function recordFrom(tar: TarReader, sequence: Sequence): Promise<Chained<AttributeRecord>> {
  const content = await tar.bytes(RECORD_BYTES_MAX)
  const record = recordIn(content)
  if (record?.sequence === sequence) return { record, digest: digestOf(content) }
  throw new TarError(`the file of record ${sequence} does not hold it`)
}

/** The JSON object in the file that comes next. What is in it is not looked at. */
export async function jsonFrom<T>(tar: TarReader, bytesMax: number, name: string): Promise<T> {
  const text = (await tar.bytes(bytesMax)).toString()
  try {
    const value = JSON.parse(text)
    if (typeof value === 'object' && value !== null && canonicalJson(value) === text) return value as T
  } catch {
    // Told below.
  }
  throw new TarError(`${name} is no canonical JSON object`)
}

/** Undefined for what is no record in canonical form. */
function recordIn(content: Buffer): AttributeRecord | undefined {
  try {
    const record = decodeRecord(content)
    return encodeRecord(record).equals(content) ? record : undefined
  } catch {
    return undefined
  }
}
