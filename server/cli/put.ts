import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Receipt } from '../../streams/index.ts'
import { CommandError, exitCode } from './exit.ts'
import { counted, type Progress, progressBar } from './progress.ts'
import { parseObject, parseTarget, type Shell, type Target, tell } from './shell.ts'
import { humanSize, printable } from './table.ts'

/** From this size on, or when it is not known, the server is asked before bytes are sent. */
const askFirstBytesMin = 1024 * 1024

/** Uploads files, in order; `-` is standard input, and its target a whole name. Stops at the first that fails. */
export async function put(shell: Shell, files: readonly string[], target: string): Promise<void> {
  const fromInput = files.includes('-')
  if (fromInput && files.length > 1) throw new CommandError(exitCode.usage, '- cannot be put together with files')
  if (fromInput) {
    const receipt = await upload(shell, parseObject(target), shell.input, undefined)
    return report(shell, receipt)
  }
  for (const path of files) report(shell, await putFile(shell, path, parseTarget(target)))
}

async function putFile(shell: Shell, path: string, { bucket, key }: Target): Promise<Receipt> {
  await using file = await openFile(path)
  const { size } = await file.stat()
  const folder = key === '' || key.endsWith('/') ? key : `${key}/`
  const name = { bucket, key: `${folder}${basename(path)}` }
  // No more than was announced is read, so that a file that grows meanwhile goes up as it was when we began.
  const bytes =
    size === 0 ? file.createReadStream() : file.createReadStream({ end: size - 1, highWaterMark: 256 * 1024 })
  return await upload(shell, name, bytes, size, await progressBar(basename(path)))
}

async function openFile(path: string): Promise<FileHandle> {
  const file = await open(path).catch((cause) => {
    throw new CommandError(exitCode.failure, `cannot read ${path}: ${cause.message}`, { cause })
  })
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new CommandError(exitCode.usage, `${path} is not a file`)
}

/** The receipt's digest is compared with the bytes as they left here: proof from end to end. */
async function upload(
  { client }: Shell,
  { bucket, key }: Target,
  bytes: AsyncIterable<Uint8Array>,
  size: number | undefined,
  progress?: Progress,
): Promise<Receipt> {
  const digest = createHash('sha256')
  const body = counted(bytes, (done, chunk) => {
    digest.update(chunk)
    progress?.update(done, size ?? done)
  })
  try {
    const headers = {
      ...(size === undefined ? {} : { 'content-length': size }),
      // Worth a round trip, so that a refusal is read and not lost in a broken pipe.
      ...(size === undefined || size >= askFirstBytesMin ? { expect: '100-continue' } : {}),
    }
    const receipt = await client.json<Receipt>({ method: 'PUT', path: ['objects', bucket, key], headers, body })
    if (receipt.digests.sha256 === digest.digest('hex')) return receipt
    throw new CommandError(exitCode.damage, `${bucket}/${key} was stored, but not as it was sent: its SHA-256 differs`)
  } finally {
    progress?.stop()
  }
}

function report(shell: Shell, receipt: Receipt): void {
  tell(shell, receipt, ({ bucket, key, size, version, digests }) =>
    [
      `${printable(bucket)}/${printable(key)}  ${humanSize(size)}`,
      `  version ${version}`,
      `  sha256  ${digests.sha256}`,
    ].join('\n'),
  )
}
