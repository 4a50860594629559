import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { content, email, ftp, http } from '../../filters/index.ts'
import { digest, type Facts, limiter, Pipeline, type Stage } from '../../streams/index.ts'
import { describeConformance, envelopeOf } from '../support/stage-conformance.ts'

const message = 'From: Ann <ann@example.com>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nbody\r\n'
const objectBytesMax = 1 << 20

const doors: readonly { readonly filter: Stage<never, never>; readonly facts: Facts; readonly found: object }[] = [
  {
    filter: http as never,
    facts: { type: 'http', method: 'PUT', headers: { 'user-agent': 'curl', 'content-type': 'message/rfc822' } },
    found: {
      'http.method': 'PUT',
      'http.header.user-agent': 'curl',
      'content.declared-type': 'message/rfc822',
      'content.type': 'text/plain',
    },
  },
  {
    filter: ftp as never,
    facts: { type: 'ftp', user: 'scanner', path: '/inbox/a.eml', secure: false },
    found: {
      'ftp.user': 'scanner',
      'ftp.path': '/inbox/a.eml',
      'ftp.secure': false,
      'ftp.completion': 'unconfirmed',
      'content.type': 'text/plain',
    },
  },
  {
    filter: email as never,
    facts: { type: 'email', mailFrom: 'b@example.com', rcptTo: ['inbox@cenote.local'], helo: 'mx', secure: true },
    found: {
      'email.mail-from': 'b@example.com',
      'email.rcpt-to': ['inbox@cenote.local'],
      'email.helo': 'mx',
      'email.secure': true,
      'email.attachment-count': 0,
      'email.from': 'ann@example.com',
      'email.from-name': 'Ann',
      'email.subject': 'Grüße',
      'content.type': 'message/rfc822',
    },
  },
]

/** A stage whose state no one can copy. */
const opaque: Stage<ReturnType<typeof createHash>> = {
  name: 'opaque',
  start: () => createHash('sha512'),
  step: (state, chunk) => state.update(chunk),
  freeze: () => 'replay',
  thaw: () => createHash('sha512'),
  finish: (state) => ({ 'opaque.sha512': state.digest('hex') }),
}

describe.each(doors)('an upload through the door of $facts.type', ({ filter, facts, found }) => {
  const stages = [limiter(objectBytesMax), digest, filter as Stage, content]
  const envelope = envelopeOf(facts, { md5: '0'.repeat(32) })

  test('has the attributes of all its stages, and the same digests by whichever door', async () => {
    const pipeline = Pipeline.start(stages, envelope)
    pipeline.step(Buffer.from(message))
    expect(await pipeline.finish()).toEqual({
      'checksum.sha256': createHash('sha256').update(message).digest('hex'),
      'checksum.md5': createHash('md5').update(message).digest('hex'),
      'checksum.crc32c': expect.stringMatching(/^[0-9a-f]{8}$/),
      ...found,
    })
  })

  describeConformance('a whole pipeline', {
    stages: [...stages, opaque],
    envelope,
    small: Buffer.from(message),
    large: Buffer.from(message + 'line\r\n'.repeat(5000)),
  })
})
