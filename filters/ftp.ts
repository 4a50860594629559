import type { Attributes, FtpFacts, Stage } from '../streams/index.ts'
import { bounded } from './bounds.ts'

/**
 * The filter of request type ftp. All is known before the first byte but one thing: FTP says nothing at the end of a
 * file but to close its connection (RFC 959 section 3.4.1), so the file is `unconfirmed` until a next command comes.
 */
export const ftp: Stage<Attributes, FtpFacts> = {
  name: 'ftp',
  start({ facts }) {
    return {
      'ftp.user': bounded(facts.user),
      'ftp.path': bounded(facts.path),
      'ftp.secure': facts.secure,
      ...(facts.ascii && { 'ftp.ascii': true }),
      'ftp.completion': 'unconfirmed',
    }
  },
  step: (state) => state,
  freeze: () => null,
  thaw: (_plain, envelope) => ftp.start(envelope),
  finish: (state) => state,
}
