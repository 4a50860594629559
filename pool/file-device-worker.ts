import { fdatasyncSync, readSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { beginWriteback } from '../system/index.ts'
import { type IoReply, type IoRequest, WRITE_BYTES_MAX } from './file-device.ts'

/*
 * The thread that does a file device's I/O: plain system calls, one after the other, in the order of the requests.
 * So the event loop never waits for a disk, and the thread pool that everything else shares is left alone.
 */

/** Bytes of a large payload go to the disk while more of it comes, so that the flush at its end finds little left to do. */
const WRITEBACK_BYTES_MIN = 256 * 1024

const descriptor = (workerData as { descriptor: number }).descriptor

function perform(request: IoRequest): void {
  if (request.kind === 'flush') fdatasyncSync(descriptor)
  else if (request.kind === 'read') readAll(request.bytes, request.offset)
  else writeAll(request.bytes, request.offset)
}

function readAll(target: Uint8Array, offset: number): void {
  for (let done = 0; done < target.length; ) {
    const bytes = readSync(descriptor, target, done, target.length - done, offset + done)
    if (bytes === 0) throw new Error(`short read: ${done} of ${target.length} bytes at ${offset}`)
    done += bytes
  }
}

/** A short write is how a full disk shows first; it is an error, and nothing is tried again. */
function writeAll(source: Uint8Array, offset: number): void {
  for (let done = 0; done < source.length; done += WRITE_BYTES_MAX) {
    const length = Math.min(WRITE_BYTES_MAX, source.length - done)
    const bytes = writeSync(descriptor, source, done, length, offset + done)
    if (bytes !== length) throw new Error(`short write: ${bytes} of ${length} bytes at ${offset + done}`)
  }
  if (source.length >= WRITEBACK_BYTES_MIN) beginWriteback(descriptor, offset, source.length)
}

parentPort!.on('message', (request: IoRequest) => {
  const reply: IoReply = { id: request.id }
  try {
    perform(request)
    parentPort!.postMessage(reply)
  } catch (error) {
    parentPort!.postMessage({ ...reply, failure: (error as Error).message })
  }
})
