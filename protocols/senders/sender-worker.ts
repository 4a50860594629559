import { parentPort, workerData } from 'node:worker_threads'
import { MailCheck } from './mail-check.ts'
import type { Answer, Ask } from './questions.ts'
import type { Order, Report, ThreadSetup } from './thread-messages.ts'
import { unreadable } from './verdicts.ts'

/*
 * The thread that verifies senders. What it runs is mailauth, on what strangers send: it parses dotted names into plain
 * objects, and must not reach the prototype that all of them share by the name of `__proto__`.
 */
Reflect.deleteProperty(Object.prototype, '__proto__')

const { limits } = workerData as ThreadSetup
const port = parentPort!

/** A check, and the end of what was asked of it: orders of one check are carried out one after the other. */
interface Underway {
  readonly check: MailCheck
  last: Promise<void>
}

const checks = new Map<number, Underway>()
const questions = new Map<number, (answer: Answer) => void>()
let questionsAsked = 0

const tell = (report: Report): void => port.postMessage(report)

const ask: Ask = (name, type) =>
  new Promise((resolve) => {
    const question = ++questionsAsked
    questions.set(question, resolve)
    tell({ kind: 'question', question, name, type })
  })

port.on('message', (order: Order) => {
  if (order.kind === 'ping') tell({ kind: 'pong' })
  else if (order.kind === 'begin') checks.set(order.id, { check: new MailCheck(order.facts, ask, limits), last: done })
  else if (order.kind === 'drop') checks.delete(order.id)
  else if (order.kind === 'answer') answer(order)
  else
    carryOut(
      order,
      order.kind === 'bytes' ? (check) => take(order.id, order.bytes, check) : (check) => end(order.id, check),
    )
})

const done = Promise.resolve()

function answer({ question, answer }: Extract<Order, { kind: 'answer' }>): void {
  questions.get(question)?.(answer)
  questions.delete(question)
}

function carryOut({ id }: { readonly id: number }, step: (check: MailCheck) => Promise<void>): void {
  const underway = checks.get(id)
  if (underway) underway.last = underway.last.then(() => step(underway.check))
}

async function take(id: number, bytes: Uint8Array, check: MailCheck): Promise<void> {
  await check.write(bytes).catch(() => {}) // end() tells.
  tell({ kind: 'taken', id, bytes: bytes.length })
}

async function end(id: number, check: MailCheck): Promise<void> {
  const verdict = await check.finish().catch(() => unreadable)
  if (checks.delete(id)) tell({ kind: 'verdict', id, verdict })
}
