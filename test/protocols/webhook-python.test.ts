import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished } from 'vitest'
import { generateWebhookSecret, TargetRules, WebhookSender } from '../../protocols/index.ts'
import { seededRandom } from '../support/random.ts'
import { command, testWith } from '../support/system-tools.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/SUBSCRIPTIONS.md'), 'utf8')
const script = /```python\n(.*?)```/s.exec(page)?.[1] ?? ''

const secret = generateWebhookSecret(seededRandom(1).bytes)
const other = generateWebhookSecret(seededRandom(2).bytes)
const message = (sequence: number) => {
  const record = { sequence, operation: 'put', key: 'grüße' }
  return { id: `SB-${sequence}`, mediaType: 'application/json', body: JSON.stringify(record) }
}

testWith([command('python3', 'python3')], 'the receiver of the documentation tells true from false', async () => {
  const child = spawn('python3', ['-c', script, secret, '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { value: listening } = await lines.next()
  const url = `http://127.0.0.1:${String(listening).split(' ').at(-1)}/`
  const send = async (known: string | readonly string[], sequence: number, now = Date.now()) => {
    const sender = new WebhookSender({ rules: new TargetRules(['127.0.0.1']), clock: { now: () => now } })
    const outcome = await sender.send({ url, secrets: [known].flat() }, message(sequence), new AbortController().signal)
    sender.close()
    return outcome
  }
  const refused = { kind: 'refused', reason: 'it answered 401' }
  expect(await send(other, 1)).toEqual(refused)
  expect(await send(secret, 2, Date.now() - 301_000)).toEqual(refused)
  for (const sequence of [3, 3]) expect(await send(secret, sequence)).toEqual({ kind: 'accepted' })
  expect(await send([other, secret], 4)).toEqual({ kind: 'accepted' })
  expect((await lines.next()).value).toBe('3 put grüße')
  expect((await lines.next()).value).toBe('4 put grüße')
  child.kill()
  await once(child, 'close')
})
