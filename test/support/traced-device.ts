import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './temporary-folder.ts'

const product = new URL('../../dist/pool/index.js', import.meta.url).href

export interface Trace {
  /** What `script` gave to `say`. */
  readonly said: readonly string[]
  /** Each pwritev2: bytes, offset, flags. */
  readonly wholeWrites: readonly string[]
  /** Each pwrite64 on the device: bytes, offset. */
  readonly writes: readonly string[]
}

/**
 * Runs `script` with a `device` at `path` in a process under strace, which may inject failures into its system calls
 * (strace(1), `inject=`). A failed request is said as its code and message: `say(await of(device.flush()))`.
 */
export function traced(path: string, io: 'direct' | 'buffered', script: string, ...inject: readonly string[]): Trace {
  const program = join(temporaryFolder(), 'program.mjs')
  writeFileSync(
    program,
    `import { FileDevice } from '${product}'
     const device = FileDevice.open('${path}', { io: '${io}' })
     const say = (text) => console.log(text)
     const of = (request) => request.then(() => 'done', (error) => error.code + ': ' + error.message)
     ${script}
     await device.close()`,
  )
  const injections = inject.flatMap((failure) => ['-e', `inject=${failure}`])
  const traces = ['-f', '-X', 'raw', '-e', 'trace=pwritev2,pwrite64,fdatasync', ...injections]
  const { status, stdout, stderr } = spawnSync('strace', [...traces, process.execPath, program], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  const writes = stderr.matchAll(/pwrite64\(.*, (\d+), (\d+)\)/g)
  const calls = stderr.matchAll(/pwritev2\(.*iov_len=(\d+)\}?\], 1, (\d+), (\w+)\)/g)
  return {
    said: stdout.trim().split('\n'),
    writes: [...writes].map(([, length, offset]) => `${length} at ${offset}`),
    wholeWrites: [...calls].map(([, length, offset, flags]) => `${length} at ${offset}, flags ${Number(flags)}`),
  }
}
