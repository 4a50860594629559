import { createHash, type Hash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { bytesOf } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { appear } from './part-file.ts'
import { counted, progressBar } from './progress.ts'
import { parseObject, type Shell } from './shell.ts'

/**
 * Downloads an object to `file`, to its own name here, or with `-` to standard output. The file appears under its name
 * only once it is whole, on the disk, and its SHA-256 is the server's.
 */
export async function get(shell: Shell, object: string, file?: string, version?: string): Promise<void> {
  const { bucket, key } = parseObject(object)
  const path = file === '-' ? undefined : await pathFor(key, file)
  const answer = await shell.client.send({ method: 'GET', path: ['objects', bucket, key], query: { version } })
  if (path === undefined) return receive(answer, object, shell.output)
  await appear(path, (part) => receive(answer, object, createWriteStream(part, { flags: 'wx' })))
}

/** A key may end in anything; only a last segment that is a plain name becomes a file here unasked. */
async function pathFor(key: string, file: string | undefined): Promise<string> {
  const name = key.slice(key.lastIndexOf('/') + 1)
  const isFolder =
    file !== undefined &&
    (await stat(file)
      .then((found) => found.isDirectory())
      .catch(() => false))
  if (file !== undefined && !isFolder) return file
  if (name === '' || name === '.' || name === '..' || name.includes('\0')) {
    throw new CommandError(exitCode.usage, `"${key}" gives no file name; name a FILE`)
  }
  return join(file ?? '.', name)
}

async function receive(answer: IncomingMessage, object: string, sink: Writable): Promise<void> {
  const digest = createHash('sha256')
  const size = Number(answer.headers['content-length'] ?? 0)
  const progress = await progressBar(object)
  const bytes = counted(bytesOf(answer), (done, chunk) => {
    digest.update(chunk)
    progress.update(done, size)
  })
  try {
    await pipeline(bytes, sink, { end: sink !== process.stdout })
  } finally {
    progress.stop()
  }
  compare(answer, object, digest)
}

/** `Repr-Digest: sha-256=:…:` (RFC 9530) tells the SHA-256 of the whole object. */
function compare(answer: IncomingMessage, object: string, digest: Hash): void {
  const [, told] = /(?:^|[\s,])sha-256=:([A-Za-z0-9+/]+=*):/.exec(String(answer.headers['repr-digest'] ?? '')) ?? []
  if (told === undefined) throw new CommandError(exitCode.failure, `the server tells no SHA-256 of ${object}`)
  if (told === digest.digest('base64')) return
  throw new CommandError(exitCode.damage, `${object} did not arrive as it was stored: its SHA-256 differs`)
}
