import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that systems give to whoever asks for any port: nobody gets one of these by chance. */
const FIRST = 20_000
const PORTS = 10_000

let next = process.pid

/** A port of 127.0.0.1 that was free a moment ago, and that only this process is about to take. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + (next++ % PORTS)
    const server = createServer()
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening')
    } catch {
      continue
    }
    await once(server.close(), 'close')
    return port
  }
}
