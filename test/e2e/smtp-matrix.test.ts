import { describeMatrix } from '../support/smtp-matrix.ts'

/** Each client under each kind of TLS and with each kind of AUTH once; swaks, and those that log in nowhere, in all ways. */
const once = ['clear PLAIN', 'starttls LOGIN', 'implicit CRAM-MD5', 'lmtp none']

describeMatrix(
  ({ name }, { security, login }) =>
    once.includes(`${security} ${login}`) || (name === 'swaks' && security !== 'lmtp') || login === 'none',
)
