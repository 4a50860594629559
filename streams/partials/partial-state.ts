import { StoreError } from '../errors.ts'
import type { PrepareRecord } from '../records/record.ts'
import type { PartialUpload } from './partial-port.ts'

/** What a record makes of its upload. */
export function partialOf(record: PrepareRecord): PartialUpload {
  const { application, bucket, key, upload, size, time, sequence, base } = record
  return { application, bucket, key, upload, size, time, prepared: sequence, ...(base !== undefined && { base }) }
}

/** A state as the catalog keeps it; throws ERR_CORRUPT for anything else. */
export function parsePartial(text: string): PartialUpload {
  try {
    const state = JSON.parse(text) as PartialUpload
    if (typeof state.application === 'string' && Number.isSafeInteger(state.prepared)) return state
  } catch {
    // Told below, without the text.
  }
  throw new StoreError('ERR_CORRUPT', 'a partial upload in the catalog is damaged')
}
