import { fdatasyncSync, readSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { beginWriteback, dropCleanPages, writeOnce } from '../system/index.ts'
import type { PoolErrorCode } from './errors.ts'
import type { IoReply, IoRequest, IoThreadSetup } from './io-thread.ts'

/*
 * The thread that does a file device's I/O: plain system calls, one after the other, in the order of the requests.
 * So the event loop never waits for a disk, and the thread pool that everything else shares is left alone.
 */

/** Bytes of a large payload go to the disk while more of it comes, so that the flush at its end finds little left to do. */
const WRITEBACK_BYTES_MIN = 256 * 1024

const { descriptor, requestBytesMax, direct } = workerData as IoThreadSetup

/*
 * Before the first request: what an earlier incarnation could not write may lie in the cache as if it were on the medium
 * (a failed write leaves clean pages), and recovery must read what is there. Pages still to be written stay, and are the
 * truth: the flush with which a pool begins writes them or fails.
 */
dropCleanPages(descriptor)

type Write = Extract<IoRequest, { kind: 'write' }>

function perform(request: IoRequest): void {
  if (request.kind === 'flush') fdatasyncSync(descriptor)
  else if (request.kind === 'read') readAll(request.bytes, request.offset)
  else if (request.unsplit) writeWhole(request)
  else writeAll(request.bytes, request.offset)
}

function readAll(target: Uint8Array, offset: number): void {
  for (let done = 0; done < target.length; ) {
    const bytes = readSync(descriptor, target, done, target.length - done, offset + done)
    if (bytes === 0) throw new Error(`short read: only ${done} bytes are there`)
    done += bytes
  }
}

/** A short write is how a full disk shows first; it is an error, and nothing is tried again. */
function writeAll(source: Uint8Array, offset: number): void {
  for (let done = 0; done < source.length; done += requestBytesMax) {
    const length = Math.min(requestBytesMax, source.length - done)
    assertWhole(writeSync(descriptor, source, done, length, offset + done), length)
  }
  if (!direct && source.length >= WRITEBACK_BYTES_MIN) beginWriteback(descriptor, offset, source.length)
}

function writeWhole({ bytes, offset, unsplit }: Write): void {
  assertWhole(writeOnce(descriptor, bytes, offset, unsplit === 'atomic'), bytes.length)
  if (!direct && bytes.length >= WRITEBACK_BYTES_MIN) beginWriteback(descriptor, offset, bytes.length)
}

function assertWhole(bytes: number, length: number): void {
  if (bytes !== length) throw new Error(`short write: only ${bytes} bytes were taken`)
}

/** What the kernel refuses to write whole has not been written, and says nothing against the medium (ENOTSUP: EOPNOTSUPP). */
const REFUSALS = new Set(['EINVAL', 'ENOTSUP'])

function failureOf(request: IoRequest, error: unknown): NonNullable<IoReply['failure']> {
  const { code: errno, message } = error as NodeJS.ErrnoException
  const atomic = request.kind === 'write' && request.unsplit === 'atomic'
  const code: PoolErrorCode = atomic && REFUSALS.has(errno ?? '') ? 'ERR_LIMITS' : 'ERR_IO'
  const range = request.kind === 'flush' ? '' : ` of ${request.bytes.length} bytes at ${request.offset}`
  return { code, message: `${request.kind}${range} failed: ${message}` }
}

parentPort!.on('message', (request: IoRequest) => {
  const start = performance.now()
  const reply = (failure?: IoReply['failure']): IoReply => {
    const timed = { id: request.id, microseconds: (performance.now() - start) * 1000 }
    return failure ? { ...timed, failure } : timed
  }
  try {
    perform(request)
    parentPort!.postMessage(reply())
  } catch (error) {
    parentPort!.postMessage(reply(failureOf(request, error)))
  }
})
