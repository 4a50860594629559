import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { temporaryFolder } from './temporary-folder.ts'

/** Worker threads run compiled code: the tests use the build's. */
export const worker = new URL('../../dist/pool/file-device-worker.js', import.meta.url)

/**
 * A thread program for a device, of which every request is answered by `answer`: an expression of `request`, that gives
 * the failure of an IoReply, `undefined` for success, or `'silence'`.
 */
export function workerThat(answer: string): URL {
  const path = join(temporaryFolder(), 'worker.mjs')
  writeFileSync(
    path,
    `import { parentPort } from 'node:worker_threads'
     parentPort.on('message', (request) => {
       const failure = ${answer}
       if (failure !== 'silence') parentPort.postMessage({ id: request.id, microseconds: 1500, failure })
     })`,
  )
  return pathToFileURL(path)
}
