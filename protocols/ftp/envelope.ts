import type { Envelope, FtpFacts, ObjectName, Origin } from '../../streams/index.ts'

/** Who logged in, and whether under TLS. */
export interface Login {
  readonly origin: Origin
  readonly user: string
  readonly secure: boolean
}

/** What FTP tells of an upload before its first byte: who, where to, and nothing of what will come. */
export function envelopeOf({ origin, user, secure }: Login, name: ObjectName, ascii = false): Envelope<FtpFacts> {
  return {
    origin,
    name,
    facts: { type: 'ftp', user, path: `/${name.bucket}/${name.key}`, secure, ...(ascii && { ascii }) },
    expected: {},
    attributes: {},
  }
}
