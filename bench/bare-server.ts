/*
 * What Cenote is measured against: node:http alone. It takes a body and drops it, or puts it into a file of its own
 * and flushes that before it answers. Prints its port.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

const folder = process.argv[2]
let files = 0

async function drop(request: IncomingMessage): Promise<void> {
  for await (const _ of request);
}

async function keep(request: IncomingMessage, file: FileHandle): Promise<void> {
  for await (const chunk of request) await file.write(chunk as Buffer)
  await file.datasync()
  await file.close()
}

const server = createServer((request, response) => {
  const taken = folder ? open(join(folder, String(files++)), 'w').then((file) => keep(request, file)) : drop(request)
  taken.then(
    () => response.writeHead(201, { 'content-length': 0 }).end(),
    () => response.destroy(),
  )
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
