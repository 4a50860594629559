import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type VerifyEvent, verifyBundle } from '../../streams/index.ts'
import { bytesOf } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { appear } from './part-file.ts'
import { parseObject, type Shell, tell } from './shell.ts'
import { printable } from './table.ts'

export interface EvidenceOptions {
  readonly output?: string
  /** Ids of versions. */
  readonly version?: readonly string[]
  readonly versions?: string
}

/** Fetches the evidence bundle of an object. The file appears only once it is whole, and verified here. */
export async function exportEvidence(shell: Shell, object: string, options: EvidenceOptions = {}): Promise<void> {
  const { bucket, key } = parseObject(object)
  const { output } = options
  const query = { versions: versionsIn(options) }
  const answer = await shell.client.send({ method: 'GET', path: ['evidence', bucket, key], query, patient: true })
  if (output === '-') return pipeline(bytesOf(answer), shell.output, { end: shell.output !== process.stdout })
  const path = await pathFor(key, output)
  await appear(path, async (part) => {
    await pipeline(bytesOf(answer), createWriteStream(part, { flags: 'wx' }))
    await requireSound(verifyBundle(createReadStream(part)))
  })
  tell(shell, { evidence: object, file: path }, () => `evidence of ${printable(object)} in ${printable(path)}`)
}

/** As the door wants them; the current one without. */
function versionsIn({ version, versions }: EvidenceOptions): string | undefined {
  if (versions !== undefined && versions !== 'all')
    throw new CommandError(exitCode.usage, `--versions is all, not ${JSON.stringify(versions)}; --version names one`)
  if (versions !== undefined && version !== undefined)
    throw new CommandError(exitCode.usage, '--version and --versions exclude each other')
  return versions ?? version?.join(',')
}

async function requireSound(events: AsyncIterable<VerifyEvent>): Promise<void> {
  for await (const event of events)
    if (event.type === 'finding')
      throw new CommandError(exitCode.damage, `what the server sent is not sound: ${event.code}: ${event.detail}`)
}

/** Named like the object, unless a file is named; a folder takes it under that name. */
async function pathFor(key: string, output: string | undefined): Promise<string> {
  const last = key.slice(key.lastIndexOf('/') + 1)
  const name = `${last.replaceAll(/[\0/]/g, '_').slice(0, 200) || 'object'}.evidence.tar`
  const found = output === undefined ? undefined : await stat(output).catch(() => undefined)
  if (output !== undefined && !found?.isDirectory()) return output
  return join(output ?? '.', name)
}
