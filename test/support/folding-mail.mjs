/*
 * Folds a mail of so many bytes through the built e-mail filter, its attachments taken out, and tells what the filter found
 * and the most memory that the process ever had: in a process of its own, for that of a test runner is no measure.
 */
import { readFileSync } from 'node:fs'
import { email } from '../../dist/filters/email.js'

const bytesMin = Number(process.argv[2])
const CHUNK_BYTES = 64 * 1024

const facts = { type: 'email', mailFrom: 'a@x', rcptTo: ['inbox@x'], helo: 'mx', secure: false }
const parts = { countMax: 256, bytesMax: 2 ** 40 }
const origin = { principal: { application: 'test', partition: 'main', permissions: [] }, protocol: 'smtp' }
const name = { bucket: 'inbox', key: 'mail.eml' }
const envelope = { origin, name, facts: { ...facts, parts }, expected: {}, attributes: {} }

const head = (encoding) =>
  `--b\r\nContent-Type: application/pdf; name=scan.pdf\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`
const line = `${'QUJD'.repeat(19)}\r\n`
const chunk = Buffer.from(line.repeat(Math.floor(CHUNK_BYTES / line.length)))

let state = email.start(envelope)
let derived = 0
let bytes = 0
const take = (found) => {
  for (const one of found) if (one.kind === 'bytes') derived += one.bytes.length
}
const step = (piece) => {
  state = email.step(state, piece)
  take(email.derive(state, false))
  bytes += piece.length
}

step(Buffer.from('Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n'))
const began = process.cpuUsage()
for (const encoding of ['base64', 'quoted-printable', 'binary']) {
  step(Buffer.from(head(encoding)))
  for (const enough = bytes + bytesMin / 3; bytes < enough; ) step(chunk)
}
step(Buffer.from('\r\n--b--\r\n'))
take(email.derive(state, true))
const attributes = await email.finish(state)
const { user, system } = process.cpuUsage(began)
const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
process.stdout.write(JSON.stringify({ attributes, bytes, derived, peak, seconds: (user + system) / 1e6 }))
