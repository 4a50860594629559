import { expect, test } from 'vitest'
import { email } from '../../filters/index.ts'
import { readParts, sha256 } from '../support/mail-parts.ts'
import { ODD_MAILS } from '../support/odd-mails.ts'
import { envelopeOf } from '../support/stage-conformance.ts'
import { goldenFor } from './golden-file.ts'

const facts = { type: 'email', mailFrom: '', rcptTo: [], helo: '', secure: false } as const
const FROM_ENVELOPE = new Set(['email.mail-from', 'email.rcpt-to', 'email.helo', 'email.secure'])
/** Of a list. */
const TOLD_MAX = 8

const brief = (value: unknown) =>
  Array.isArray(value) && value.length > TOLD_MAX ? [...value.slice(0, TOLD_MAX), `… ${value.length} in all`] : value

test('what is known of odd mails, and what they are taken apart into', async () => {
  const told: string[] = []
  for (const { name, bytes } of ODD_MAILS) {
    const attributes = await email.finish(email.step(email.start(envelopeOf(facts) as never), bytes))
    const found = Object.entries(attributes).filter(([attribute]) => !FROM_ENVELOPE.has(attribute))
    told.push(`# ${name}`, ...found.map(([attribute, value]) => `${attribute} = ${JSON.stringify(brief(value))}`))
    const parts = readParts([bytes]).parts.map(
      (part) =>
        `${part.number} ${part.type} ${JSON.stringify(part.name)} ${part.bytes.length} ${sha256(part.bytes).slice(0, 8)}`,
    )
    told.push(...(brief(parts) as string[]), '')
  }
  const text = told.join('\n')
  expect(text).toBe(goldenFor('odd-mails.txt', text))
})
