import type { Pool, Sequence } from '../../pool/index.ts'
import { isVolumeRecord } from '../../pool/index.ts'
import { StoreError } from '../errors.ts'
import type { AttributeRecord } from '../records/record.ts'
import { decodeRecord } from '../records/record-codec.ts'
import type { VerifyScope } from './custody-port.ts'

/** Objects whose marks lie in one piece. */
const PIECE_OBJECTS = 32_768

/** The objects that are asked about: those that have, or once had, a name of the scope. One bit for each record. */
export class ScopedObjects {
  readonly #pieces = new Map<number, Uint8Array>()

  /**
   * Undefined when every object is meant. ERR_NOT_FOUND for a scope that no record names, for who mistypes a name must not
   * read that it is sound; unless some record cannot be read, which may have named it.
   */
  static async find(pool: Pick<Pool, 'replay'>, scope: VerifyScope, end: Sequence): Promise<ScopedObjects | undefined> {
    if (scope.bucket === undefined) return undefined
    const objects = new ScopedObjects()
    let isKnown = false
    const onLost = (): void => {
      isKnown = true
    }
    for await (const { sequence, content } of pool.replay(1, onLost)) {
      if (sequence > end) break
      if (isVolumeRecord(content)) continue
      const record = recordIn(content)
      if (record && !('bucket' in record && isIn(scope, record))) continue
      isKnown = true
      if (record && 'object' in record) objects.#mark(Number(record.object))
    }
    if (!isKnown) throw new StoreError('ERR_NOT_FOUND', `nothing was ever stored as ${nameOf(scope)}`)
    return objects
  }

  has(object: string): boolean {
    const id = Number(object)
    const piece = this.#pieces.get(Math.floor(id / PIECE_OBJECTS))
    return piece !== undefined && (piece[(id % PIECE_OBJECTS) >> 3]! & (1 << (id & 7))) !== 0
  }

  #mark(id: number): void {
    const at = Math.floor(id / PIECE_OBJECTS)
    const piece = this.#pieces.get(at) ?? new Uint8Array(PIECE_OBJECTS / 8)
    piece[(id % PIECE_OBJECTS) >> 3]! |= 1 << (id & 7)
    this.#pieces.set(at, piece)
  }
}

/** The record of a bucket names no key. */
function isIn({ bucket, key }: VerifyScope, name: { readonly bucket: string; readonly key?: string }): boolean {
  return name.bucket === bucket && (key === undefined || name.key === key)
}

function nameOf({ bucket, key }: VerifyScope): string {
  return key === undefined ? `${bucket}` : `${bucket}/${key}`
}

/** What is no record is found by the verification itself. */
function recordIn(content: Uint8Array): AttributeRecord | undefined {
  try {
    return decodeRecord(content)
  } catch {
    return undefined
  }
}
