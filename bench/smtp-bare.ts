/*
 * smtp-server and nothing else: it takes what it is sent, and lets it go, or writes a file for each message and flushes it.
 *   smtp-bare PORT [FOLDER]
 */
import { mkdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { SMTPServer } from 'smtp-server'
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js'

const [port, folder] = process.argv.slice(2)
if (folder) mkdirSync(folder)
let messages = 0

async function take(stream: Readable): Promise<void> {
  if (!folder) {
    for await (const _ of stream);
    return
  }
  const file = await open(join(folder, String(messages++)), 'w')
  for await (const chunk of stream) await file.write(chunk as Buffer)
  await file.datasync()
  await file.close()
}

/** smtp-server greets after 100 ms; that is no part of what is compared. */
class Connection extends SMTPConnection {
  override init(): void {
    this._setListeners(() => this.connectionReady())
  }
}

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS', 'AUTH'],
  disableReverseLookup: true,
  logger: false,
  onData: (stream, _session, callback) => {
    take(stream).then(() => callback(), callback)
  },
})
server.connect = (socket) => {
  const connection = new Connection(server, socket)
  server.connections.add(connection)
  connection.on('error', () => {})
  connection.init()
}
server.listen(Number(port), '127.0.0.1')
