import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished } from 'vitest'
import { cenote, requireBuild, Server } from '../support/server-process.ts'
import { rsaKey, signed } from '../support/signed-mail.ts'
import { curl, testWith } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { ZoneServer } from '../support/zone-server.ts'

/* Routes from the command line, senders verified against a zone of our own, the built server, curl as the sender. */

beforeAll(requireBuild)

const key = rsaKey()
const letter = 'From: Ann <ann@partner.example>\r\nSubject: Invoice\r\n\r\nPay.\r\n'

async function openZone(): Promise<ZoneServer> {
  const zone = await ZoneServer.open({
    's._domainkey.partner.example': { TXT: [key.record] },
    '_dmarc.partner.example': { TXT: ['v=DMARC1; p=reject'] },
    'partner.example': { TXT: ['v=spf1 -all'] },
  })
  zone.faults.set('down.example', 'SERVFAIL')
  onTestFinished(() => zone[Symbol.asyncDispose]())
  return zone
}

/** The last lines that the server said. */
function send(server: Server, message: string, to: string, from = 'ann@partner.example'): Promise<string> {
  const file = join(server.folder, 'mail')
  writeFileSync(file, message)
  const args = ['-sv', '-T', file, server.address('smtp'), '--mail-from', from, '--mail-rcpt', to]
  return new Promise((resolve) => {
    execFile('curl', args, (_error, _stdout, stderr) =>
      resolve(
        stderr
          .match(/^< \d{3} .*/gm)
          ?.slice(-2)
          .join('\n') ?? '',
      ),
    )
  })
}

testWith([curl], 'mail of strangers goes where its route says, once its sender is verified', async () => {
  const zone = await openZone()
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ smtp: { resolvers: [zone.address], bannerDelayMs: 0 } }))
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await cenote(folder, args)
    expect([args.join(' '), code, stderr]).toEqual([args.join(' '), 0, ''])
    return stdout
  }
  const message = await signed(letter, { signingDomain: 'partner.example', selector: 's', privateKey: key.privateKey })
  await (async () => {
    await using server = await Server.start(folder, ['--config', 'cenote.json'])
    expect(await send(server, message, 'bills@files.example')).toContain('< 530 5.7.0 Authentication required')
    await run('app', 'add', 'partner', '--types', 'email', '--permissions', 'object:write')
    const to = ['--application', 'partner', '--senders', 'partner.example']
    await run('route', 'add', 'bills@files.example', '--to', 'inbox/bills', ...to)
    await run('route', 'add', 'held@files.example', '--to', 'inbox/held', ...to, '--unverified', 'quarantine')
    expect(await send(server, message, 'Bills+March@files.example')).toContain('< 250 2.6.0 Stored object ')
    const refused = '< 550 5.7.23 The sender could not be verified: SPF fail, DKIM none, DMARC fail for partner.example'
    expect(await send(server, letter, 'bills@files.example')).toContain(refused)
    expect(await send(server, letter, 'held@files.example')).toContain('< 250 2.6.0 Stored object ')
    expect(await send(server, letter, 'held@files.example', 'ann@down.example')).toMatch(
      /< 451 4\.4\.3 The sender cannot be verified now: DNS does not answer for down\.example TXT \(ESERVFAIL\)/,
    )
    expect(await send(server, message, 'other@files.example')).toMatch(/< 550 5\.1\.1 /)
    const answer = await fetch(`${server.address('http')}/metrics`)
    expect((await answer.text()).match(/^cenote_sender_check_seconds_count\S* \d+$/gm)?.sort()).toEqual([
      'cenote_sender_check_seconds_count{verdict="deferred"} 1',
      'cenote_sender_check_seconds_count{verdict="unverified"} 2',
      'cenote_sender_check_seconds_count{verdict="verified"} 1',
    ])
  })()
  await using again = await Server.start(folder, ['--config', 'cenote.json']) // The one before was killed.
  expect(await send(again, `${message}more\r\n`, 'bills@files.example')).toContain('< 550 5.7.26 ')
  const found = JSON.parse(await run('query', 'email.verified = true', '--json'))
  expect(found.key).toMatch(/^bills\/\d{4}\/\d\d\/\d\d\/\w{26}\.eml$/)
  expect(found.attributes).toMatchObject({
    'email.route': 'bills@files.example',
    'email.tag': 'march',
    'email.dkim': ['pass partner.example s'],
    'email.dmarc': 'pass',
  })
  expect(await run('quarantine', 'list')).toContain('The sender could not be verified')
  expect(await run('route', 'list')).toContain('partner.example (others: quarantine)')
})

testWith([curl], 'a server that is stopped while a name server is silent lets senders know, and stops', async () => {
  const zone = await openZone()
  zone.faults.set('partner.example', 'late')
  const folder = temporaryFolder()
  const smtp = { resolvers: [zone.address], bannerDelayMs: 0 }
  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ smtp, limits: { drainMsMax: 1100 } }))
  await using server = await Server.start(folder, ['--config', 'cenote.json'])
  const { key: application } = server.cli
  await cenote(folder, [
    'route',
    'add',
    '*@files.example',
    '--to',
    'inbox',
    '--application',
    application,
    '--unverified',
    'accept',
  ])
  const said = send(server, letter, 'any@files.example')
  await zone.isAsked()
  expect(await server.stop()).toMatchObject({ code: 0 })
  expect(await said).toContain('< 451 4.4.3 The sender cannot be verified now: the server is closing')
})
