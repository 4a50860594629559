import type { Readable } from 'node:stream'
import { type Envelope, type Receipt, type Store, StoreError, type StoreTransaction } from '../../streams/index.ts'
import type { Inspection } from './inspection.ts'

/** A message that is to come, and whoever looks at it before it is stored. */
export interface Incoming {
  readonly envelopes: readonly Envelope[]
  readonly inspection?: Inspection | undefined
}

/**
 * Stores a message under each of its envelopes, all of them or none: the bytes between DATA and the final dot, with
 * dot-stuffing undone and nothing added. Rejects, with nothing stored, when the store refuses, when the message is
 * longer than `bytesMax` (ERR_TOO_LARGE), when its inspection refuses it, and when the connection breaks, which destroys
 * `stream`, before the final dot.
 */
export async function receive(
  stream: Readable,
  store: Store,
  incoming: Incoming,
  bytesMax: number,
): Promise<readonly Receipt[]> {
  const transaction = store.transaction()
  try {
    await copy(stream, transaction, incoming, bytesMax)
    return await transaction.commit()
  } catch (error) {
    incoming.inspection?.abort()
    await transaction.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

async function copy(stream: Readable, transaction: StoreTransaction, incoming: Incoming, bytesMax: number) {
  const { envelopes, inspection } = incoming
  const uploads = []
  for (const envelope of envelopes) uploads.push(await transaction.begin(envelope))
  let bytes = 0
  for await (const chunk of chunksOf(stream)) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new StoreError('ERR_TOO_LARGE', `Message exceeds ${bytesMax} bytes`)
    await inspection?.write(chunk)
    for (const upload of uploads) await upload.write(chunk)
  }
  const findings = (await inspection?.finish()) ?? []
  for (const [index, finding] of findings.entries()) if (finding) uploads[index]!.note(finding)
}

/**
 * Reads the rest of a refused message, for the reply must follow the final dot. False when the connection breaks, and
 * when that is more than `bytesMax`: the client is then not worth reading to the end.
 */
export async function discard(stream: Readable, bytesMax: number): Promise<boolean> {
  let bytes = 0
  try {
    for await (const chunk of chunksOf(stream)) {
      bytes += chunk.length
      if (bytes > bytesMax) return false
    }
  } catch {
    return false
  }
  return true
}

/** Whether the connection went away before the final dot: smtp-server then destroys the stream, which never ends. */
export function isBroken(stream: Readable): boolean {
  return stream.destroyed && !stream.readableEnded
}

/** The chunks of a stream that is still there when its reader stops early. */
function chunksOf(stream: Readable): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => stream.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array>,
  }
}
