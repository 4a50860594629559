import type { Envelope, FtpFacts, ObjectName, Origin } from '../../streams/index.ts'

/** What FTP tells of an upload before its first byte: who, where to, and nothing of what will come. */
export function envelopeOf(origin: Origin, user: string, name: ObjectName): Envelope<FtpFacts> {
  return {
    origin,
    name,
    facts: { type: 'ftp', user, path: `/${name.bucket}/${name.key}`, secure: false },
    expected: {},
    attributes: {},
  }
}
