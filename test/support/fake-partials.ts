import { type Envelope, type Partials, type ResumableUpload, StoreError } from '../../streams/index.ts'
import type { FakeStore } from './fake-store.ts'

/** Partial uploads of a store that keeps none: what is cut off is aborted, and what goes on goes on from whole objects. */
export function noPartials(store: FakeStore): Partials {
  const begin = async (envelope: Envelope): Promise<ResumableUpload> => {
    const upload = await store.begin(envelope)
    return {
      get size() {
        return upload.size
      },
      write: (chunk) => upload.write(chunk),
      commit: (evidence) => upload.commit(evidence),
      abort: (reason) => upload.abort(reason),
      suspend: (reason) => upload.abort(reason),
    }
  }
  return {
    begin,
    async resume(envelope, offset) {
      const { bucket, key } = envelope.name
      const there = store.bytesOf(bucket, key) ?? Buffer.alloc(0)
      const from = offset ?? there.length
      if (from > there.length) throw new StoreError('ERR_RANGE', `${there.length} bytes are there to go on from`)
      const upload = await begin(envelope)
      await upload.write(there.subarray(0, from))
      return upload
    },
    find: async () => undefined,
    findAll: async () => [],
    list: async () => [],
    drop: async () => false,
  }
}
