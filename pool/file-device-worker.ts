import { fdatasyncSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { beginWriteback, directAlignment, dropCleanPages, writeOnce } from '../system/index.ts'
import { ColdReads, readAll } from './cold-reads.ts'
import { PoolError, type PoolErrorCode } from './errors.ts'
import type { IoReply, IoRequest, IoThreadSetup } from './io-thread.ts'

/*
 * The thread that does a file device's I/O: plain system calls, one after the other, in the order of the requests.
 * So the event loop never waits for a disk, and the thread pool that everything else shares is left alone.
 */

/**
 * Bytes of a large payload go to the disk while more of it comes, so that the flush at its end finds little left to do.
 */
const WRITEBACK_BYTES_MIN = 256 * 1024

const { descriptor, requestBytesMax, direct } = workerData as IoThreadSetup

/*
 * Before the first request: what an earlier incarnation could not write may lie in the cache as if it were on the medium
 * (a failed write leaves clean pages), and recovery must read what is there. Pages still to be written stay, and are the
 * truth: the flush with which a pool begins writes them or fails.
 */
dropCleanPages(descriptor)

type Write = Extract<IoRequest, { kind: 'write' }>

/**
 * Set once a flush has failed: from then on nothing is written, whatever waits here, and the page cache is not
 * believed.
 */
let cold: ColdReads | undefined

function perform(request: IoRequest): void {
  if (cold && request.kind !== 'read') throw new PoolError('ERR_HALTED', 'a flush of the device failed')
  if (request.kind === 'flush') flush()
  else if (request.kind === 'read') read(request.bytes, request.offset)
  else if (request.unsplit) writeWhole(request)
  else writeAll(request.bytes, request.offset)
}

function flush(): void {
  try {
    fdatasyncSync(descriptor)
  } catch (error) {
    cold = new ColdReads(descriptor, direct ? undefined : directAlignment(descriptor))
    throw error
  }
}

/** Direct reads never came from the cache. */
function read(target: Uint8Array, offset: number): void {
  if (cold && !direct) cold.read(target, offset)
  else readAll(descriptor, target, offset)
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

/**
 * What the kernel refuses to write whole has not been written, and says nothing against the medium (ENOTSUP:
 * EOPNOTSUPP).
 */
const REFUSALS = new Set(['EINVAL', 'ENOTSUP'])

function failureOf(request: IoRequest, error: unknown): NonNullable<IoReply['failure']> {
  if (error instanceof PoolError) return { code: error.code, message: error.message }
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
