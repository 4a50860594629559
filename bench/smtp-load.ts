/*
 * One large mail over a plain socket, from a process of its own.
 *   smtp-load BYTES TARGET   prints bytes per second, from DATA to its reply
 * TARGET is a SmtpTarget as JSON.
 */
import { once } from 'node:events'
import { connect } from 'node:net'

export interface SmtpTarget {
  readonly port: number
  readonly recipient: string
}

const LINE = `${'VGhpcyBpcyBiYXNlNjQgb2YgYSBzY2FuLCA1NyBieXRlcyBhIGxpbmUgYXMgTUlNRSBhc2tz'.slice(0, 76).padEnd(76, 'A')}\r\n`
const CHUNK = Buffer.from(LINE.repeat(4096))
const HEAD = [
  'From: scanner@example.org',
  'To: inbox@cenote.local',
  'Subject: a large scan',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=cut',
  '',
  '--cut',
  'Content-Type: text/plain',
  '',
  'see there',
  '--cut',
  'Content-Type: application/pdf; name=scan.pdf',
  'Content-Disposition: attachment; filename=scan.pdf',
  'Content-Transfer-Encoding: base64',
  '',
  '',
].join('\r\n')

const [bytes, json] = process.argv.slice(2)
const { port, recipient } = JSON.parse(json ?? '') as SmtpTarget
const socket = connect(port, '127.0.0.1').setNoDelay()
let heard = ''
socket.on('data', (chunk: Buffer) => {
  heard += chunk.toString('latin1')
})

async function expect(code: string): Promise<void> {
  while (!/^\d{3} .*\r\n/m.test(heard)) await once(socket, 'data')
  if (!heard.startsWith(code)) throw new Error(`${code} was expected: ${heard}`)
  heard = ''
}

await expect('220')
for (const [line, code] of [
  ['EHLO bench', '250'],
  ['MAIL FROM:<scanner@example.org>', '250'],
  [`RCPT TO:<${recipient}>`, '250'],
  ['DATA', '354'],
] as const) {
  socket.write(`${line}\r\n`)
  await expect(code)
}
const start = performance.now()
socket.write(HEAD)
for (let sent = 0; sent < Number(bytes); sent += CHUNK.length) if (!socket.write(CHUNK)) await once(socket, 'drain')
socket.write('--cut--\r\n.\r\n')
await expect('250')
console.log((Number(bytes) * 1000) / (performance.now() - start))
socket.end('QUIT\r\n')
