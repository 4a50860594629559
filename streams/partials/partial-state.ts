import { encodeTuple } from '../catalog/catalog-keys.ts'
import type { ObjectName } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import type { PrepareRecord } from '../records/record.ts'
import type { PartialUpload } from './partial-port.ts'

/** Partial uploads as of the last record sequenced, by their slots. */
export type PartialStates = Map<string, PartialUpload>

/** Of an application there is one partial upload under a name: this is its place. */
export function slotOf(application: string, { bucket, key }: ObjectName): string {
  return encodeTuple(application, bucket, key)
}

/** What a record makes of its upload. */
export function partialOf({ application, bucket, key, upload, size, time, sequence }: PrepareRecord): PartialUpload {
  return { application, bucket, key, upload, size, time, prepared: sequence }
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
