import { expect, test } from 'vitest'
import { smtp } from '../../protocols/reply.ts'
import { enhancedStatus, Refusal, refusalOf } from '../../protocols/smtp/refusal.ts'
import { StoreError, type StoreErrorCode } from '../../streams/index.ts'

test.each(Object.keys(smtp) as StoreErrorCode[])('%s has a status of the class of its reply', (code) => {
  expect(enhancedStatus[code]).toMatch(/^[45]\.[0-7]\.\d$/)
  expect(enhancedStatus[code][0]).toBe(String(smtp[code])[0])
})

test('an error becomes a refusal once', () => {
  const refusal = refusalOf(new StoreError('ERR_NO_SPACE', 'Full'))
  expect(refusal).toMatchObject({ responseCode: 452, message: '4.3.1 Full' })
  expect(refusalOf(refusal)).toBe(refusal)
  expect(refusalOf('a string')).toMatchObject({ responseCode: 451, message: '4.3.0 Internal error', cause: 'a string' })
  expect(new Refusal(550, '5.1.1', 'No')).toBeInstanceOf(Error)
})
