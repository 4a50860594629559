import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { mailer, mailerSecret, openDoor } from '../support/smtp-door.ts'

const run = promisify(execFile)
const strangers = { allowedNetworks: { addresses: [], principal: mailer } }

/** A test with a client of another make; where it is not installed, says so and skips. */
function withClient(command: string, name: string, body: () => Promise<void>): void {
  const missing = spawnSync(command, ['--version'], { stdio: 'ignore' }).error !== undefined
  if (missing) console.log(`skipped: ${command} is not installed (${name})`)
  test.skipIf(missing)(`${command}: ${name}`, body)
}

withClient('swaks', 'a message with AUTH', async () => {
  await using door = await openDoor(strangers)
  const credentials = ['--auth', 'PLAIN', '--auth-user', 'mailer', '--auth-password', mailerSecret]
  const envelope = ['--from', 'ada@example.org', '--to', 'inbox+scan@cenote.local', '--helo', 'scanner.example']
  const data = ['--header', 'Subject: from swaks', '--body', 'first\n.dot\n..dots\n']
  const { stdout } = await run('swaks', ['--server', `127.0.0.1:${door.port}`, ...credentials, ...envelope, ...data])
  expect(stdout).toContain('<-  250 2.6.0 Stored object 0000000000000001 version 0000000000000001')
  const [object] = door.objects()
  expect(object?.facts).toMatchObject({ mailFrom: 'ada@example.org', helo: 'scanner.example', tag: 'scan' })
  expect(object?.bytes.toString()).toMatch(
    /^Date: [\s\S]*\r\nSubject: from swaks\r\n[\s\S]*\r\nfirst\r\n\.dot\r\n\.\.dots\r\n/,
  )
})

withClient('swaks', 'a wrong secret', async () => {
  await using door = await openDoor(strangers)
  const credentials = ['--auth', 'LOGIN', '--auth-user', 'mailer', '--auth-password', 'wrong']
  const sent = run('swaks', ['--server', `127.0.0.1:${door.port}`, ...credentials, '--to', 'inbox@cenote.local'])
  await expect(sent).rejects.toMatchObject({ code: 28, stdout: expect.stringContaining('535 5.7.8 ') })
  expect(door.store.size).toBe(0)
})

withClient('smtp-source', 'two hundred messages in eight sessions', async () => {
  await using door = await openDoor()
  const load = ['-m', '200', '-s', '8', '-l', '4096', '-f', 'ada@example.org', '-t', 'inbox@cenote.local']
  await run('smtp-source', [...load, `inet:127.0.0.1:${door.port}`])
  expect(new Set(door.objects().map(({ key }) => key)).size).toBe(200)
})

const script = `
import smtplib, sys
with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), local_hostname='python.example') as client:
    client.login('mailer', sys.argv[2])
    message = sys.stdin.buffer.read()
    print(client.sendmail('ada@example.org', ['inbox@cenote.local', 'archive@cenote.local', 'nobody@cenote.local'], message))
    print(client.sendmail('', ['inbox@cenote.local'], b''))
`

withClient('python3', 'smtplib, 8-bit, two buckets and one that is none', async () => {
  await using door = await openDoor(strangers)
  const message = Buffer.from('Subject: Grüße\r\n\r\n.\r\n..\r\n\xff\r\n', 'latin1')
  const python = run('python3', ['-c', script, String(door.port), mailerSecret])
  python.child.stdin?.end(message)
  const { stdout } = await python
  expect(stdout).toMatch(/^\{'nobody@cenote\.local': \(550, b'5\.1\.1 No bucket of that name here'\)\}\n\{\}\n$/)
  const [inbox, archive, empty] = door.objects()
  expect([inbox?.bytes, archive?.bytes]).toEqual([message, message])
  expect(empty).toMatchObject({ bucket: 'inbox', facts: { mailFrom: '' } })
  expect(empty?.bytes.toString()).toBe('\r\n')
})
