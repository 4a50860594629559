import { type ObjectStat, StoreError } from '../../streams/index.ts'
import type { Command } from './commands.ts'
import { type DigestName, digestAttributes, digestNames, digestOf, storedDigest } from './file-digest.ts'
import { Refusal } from './refusal.ts'
import type { Session } from './session.ts'

/** Part of a file, in bytes, both ends included. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/**
 * Proof that a file arrived: HASH and RANG (draft-bryan-ftpext-hash-02), and what was said before there was HASH.
 * The digest that the store calculated while the file came is told at once; others cost a read.
 */
export const digestCommands: { readonly [directive: string]: Command } = {
  HASH: { argument: 'needed', run: hash },
  RANG: { argument: 'needed', run: range },
  XCRC: whole('CRC32'),
  XMD5: whole('MD5'),
  XSHA: whole('SHA-1'),
  XSHA1: whole('SHA-1'),
  XSHA256: whole('SHA-256'),
}

/** The line of FEAT, with a star at the algorithm that this session uses. */
export function hashFeature({ hashName }: Session): string {
  return `HASH ${digestNames.map((name) => (name === hashName ? `${name}*` : name)).join(';')}`
}

/** OPTS HASH: tells the algorithm, or chooses one. */
export function chooseHash(session: Session, text: string): void {
  const chosen = text === '' ? session.hashName : digestNames.find((name) => name === text.toUpperCase())
  if (!chosen) throw new Refusal(501, `The algorithms are ${digestNames.join(', ')}`)
  session.hashName = chosen
  session.connection.reply(200, chosen)
}

/** `RANG 1 0` takes the range back (draft-bryan-ftp-range-08 section 4). */
function range(session: Session, text: string): void {
  const [first, last] = (/^(\d{1,15}) (\d{1,15})$/.exec(text) ?? []).slice(1).map(Number)
  if (first === undefined || last === undefined || (first > last && !(first === 1 && last === 0)))
    throw new Refusal(501, 'RANG needs the first byte and the last, or 1 0 for the whole file')
  session.hashRange = first > last ? undefined : { first, last }
  session.connection.reply(350, first > last ? 'The whole file' : `Bytes ${first} to ${last}`)
}

async function hash(session: Session, text: string): Promise<void> {
  const { hashName, hashRange } = session
  session.hashRange = undefined
  const { digest, first, last } = await calculate(session, text, hashName, hashRange)
  session.connection.reply(213, `${hashName} ${first}-${last} ${digest} ${text}`)
}

/** Some clients put the name in quotes. */
function whole(name: DigestName): Command {
  return {
    argument: 'needed',
    async run(session, text) {
      const path = /^"(.+)"$/.exec(text)?.[1] ?? text
      session.connection.reply(250, (await calculate(session, path, name, undefined)).digest)
    },
  }
}

async function calculate(session: Session, text: string, name: DigestName, part: ByteRange | undefined) {
  const { files, settings } = session
  const stat = await files.file(text)
  const end = { first: 0, last: Math.max(stat.size - 1, 0) }
  const known = part ? undefined : storedDigest(stat, name)
  if (known !== undefined) return { ...end, digest: known }
  const { first, last } = part ?? end
  if (stat.size > 0 && last >= stat.size) throw new StoreError('ERR_RANGE', `The file has ${stat.size} bytes`)
  const length = Math.min(last - first + 1, stat.size)
  if (length > settings.limits.digestBytesMax)
    throw new StoreError('ERR_TOO_LARGE', `At most ${settings.limits.digestBytesMax} bytes are read for a digest`)
  const reading = await files.read(text, first, length)
  const digest = await digestOf(reading.body, name)
  if (length === reading.stat.size && name !== 'SHA-256') keep(session, reading.stat, digestAttributes[name], digest)
  return { first, last, digest }
}

/** A digest of a whole file that cost a read is a record in its stream: the next one who asks does not pay again. */
function keep({ files, verdicts }: Session, stat: ObjectStat, attribute: string, digest: string): void {
  const { bucket, key, sequence: version } = stat
  const set = { [attribute]: digest }
  verdicts.add({ origin: files.origin, name: { bucket, key }, version, set, disposition: 'keep' })
}
