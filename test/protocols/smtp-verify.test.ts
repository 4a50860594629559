import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Guests } from '../../protocols/index.ts'
import { settingsOf } from '../../protocols/smtp/options.ts'
import { MailServer } from '../../protocols/smtp/server.ts'
import { Verifier } from '../../protocols/smtp/verify.ts'
import type { Principal } from '../../streams/index.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { plainToken, SmtpClient, wireForm } from '../support/smtp-client.ts'
import { doorOptions, mailer, mailerSecret, openDoor, tlsOf } from '../support/smtp-door.ts'

const sender = 'MAIL FROM:<ada@example.org>'
const right = `AUTH PLAIN ${plainToken('mailer', mailerSecret)}`
const verifierOf = (addresses: readonly string[]) =>
  new Verifier(settingsOf(doorOptions({ allowedNetworks: { addresses, principal: mailer } })))
const strangers = { allowedNetworks: { addresses: [], principal: mailer } }

describe('AUTH', () => {
  test('PLAIN lets a known application send', async () => {
    await using door = await openDoor(strangers)
    const client = await SmtpClient.greeted(door.address)
    expect(await client.command(sender)).toBe('530 5.7.0 Authentication required')
    expect(await client.command(right)).toMatch(/^235 2\.7\.0 /)
    expect(await client.message(wireForm('hello\r\n'), 'inbox@cenote.local')).toMatch(/^250 /)
    expect(door.store.records[0]).toMatchObject({ application: 'mailer', partition: 'main' })
  })

  test('LOGIN and PLAIN in steps do, too', async () => {
    await using door = await openDoor(strangers)
    const login = await SmtpClient.greeted(door.address)
    await login.commands('AUTH LOGIN', btoa('mailer'), btoa(mailerSecret), sender)
    const plain = await SmtpClient.greeted(door.address)
    await plain.commands('AUTH PLAIN', plainToken('mailer', mailerSecret, 'mailer'), sender)
  })

  test.each([
    ['a wrong secret', plainToken('mailer', 'wrong'), /^535 5\.7\.8 /],
    ['an unknown key', plainToken('nobody', mailerSecret), /^535 5\.7\.8 /],
    ['an empty key', plainToken('', mailerSecret), /^535 5\.7\.8 /],
    ['acting as another', plainToken('mailer', mailerSecret, 'root'), /^535 5\.7\.8 /],
    ['an application that may not use e-mail', plainToken('browser', mailerSecret), /^535 5\.7\.8 /],
    ['no credentials at all', 'AAAA', /^501 /],
  ])('refuses %s', async (_name, token, reply) => {
    await using door = await openDoor(strangers)
    const client = await SmtpClient.greeted(door.address)
    expect(await client.command(`AUTH PLAIN ${token}`)).toMatch(reply)
    expect(await client.command(sender)).toMatch(/^530 5\.7\.0 /)
  })

  test('an application without object:write is refused before the body', async () => {
    const reader = { ...mailer, permissions: ['object:read'] as const }
    await using door = await openDoor({ allowedNetworks: { addresses: ['127.0.0.1'], principal: reader } })
    const client = await SmtpClient.greeted(door.address)
    await client.commands(sender)
    expect(await client.command('RCPT TO:<inbox@cenote.local>')).toMatch(/^550 5\.7\.1 /)
  })

  test('an Access that fails is no yes', async () => {
    const outOfOrder = () => Promise.reject(new Error('out of order'))
    const broken = { verify: outOfOrder, verifyAnswer: outOfOrder }
    await using door = await openDoor({ ...strangers, access: broken })
    const client = await SmtpClient.greeted(door.address)
    expect(await client.command(right)).toBe('451 4.3.0 Internal error')
    expect(await client.command(sender)).toMatch(/^530 /)
  })
})

describe('a secret in clear', () => {
  /** A door that takes its clients, all of this machine, for a peer of another network. */
  async function remoteDoor(options: Parameters<typeof doorOptions>[0]) {
    const server = new MailServer(settingsOf(doorOptions({ bannerDelayMs: 0, ...options })))
    const listener = createServer((socket) => server.connect(socket, { remoteAddress: '192.0.2.7' }))
    await once(listener.listen(0, '127.0.0.1'), 'listening')
    return { address: `127.0.0.1:${(listener.address() as AddressInfo).port}`, close: () => listener.close() }
  }

  test('is neither asked for nor taken beyond loopback', async () => {
    const door = await remoteDoor(strangers)
    const client = await SmtpClient.open(door.address)
    await client.reply()
    expect(await client.command('EHLO client.example')).not.toContain('AUTH')
    expect(await client.command(right)).toBe('538 5.7.11 Encryption required: STARTTLS first')
    expect(await client.command(sender)).toMatch(/^530 5\.7\.0 /)
    await client.commands('QUIT')
    door.close()
  })

  test('is taken from everywhere where somebody said so', async () => {
    const door = await remoteDoor({ ...strangers, clearAuth: true })
    const client = await SmtpClient.greeted(door.address)
    await client.commands(right, sender, 'QUIT')
    door.close()
  })

  test('travels after STARTTLS, which forgets what was said before', async () => {
    const door = await remoteDoor({ ...strangers, tls: tlsOf('offered') })
    const client = await SmtpClient.greeted(door.address)
    await client.startTls()
    expect(await client.command(sender)).toMatch(/^503 /)
    expect(await client.command('EHLO client.example')).toContain('AUTH PLAIN LOGIN')
    await client.commands(right, sender, 'QUIT')
    door.close()
  })

  test('is not needed in an allowed network', async () => {
    const door = await remoteDoor({ allowedNetworks: { addresses: ['192.0.2.0/24'], principal: mailer } })
    const client = await SmtpClient.greeted(door.address)
    await client.commands(sender, 'RCPT TO:<inbox@cenote.local>', 'QUIT')
    door.close()
  })

  test('is refused even when a session should get as far as showing it', async () => {
    const verifier = verifierOf([])
    const session = { secure: false, remoteAddress: '192.0.2.7' } as Parameters<Verifier['authenticate']>[1]
    const evidence = {
      method: 'PLAIN',
      username: 'mailer',
      password: mailerSecret,
      validatePassword: () => true,
    } as const
    await expect(verifier.authenticate(evidence, session)).rejects.toMatchObject({ responseCode: 538 })
    await expect(verifier.authenticate(evidence, { ...session, secure: true })).resolves.toBe(mailer)
  })
})

test('a mail tells which application AUTH proved, and none where the network was enough', async () => {
  await using door = await openDoor()
  const client = await SmtpClient.greeted(door.address)
  await client.message('x\r\n.\r\n', 'inbox@cenote.local')
  await client.commands(right)
  await client.message('y\r\n.\r\n', 'inbox@cenote.local')
  const [byNetwork, byLogin] = door.objects()
  expect(byNetwork!.facts).not.toHaveProperty('login')
  expect(byLogin!.facts).toMatchObject({ login: 'mailer' })
})

describe('CRAM-MD5', () => {
  async function answered(client: SmtpClient, user: string, secret: string): Promise<string> {
    const challenge = Buffer.from((await client.command('AUTH CRAM-MD5')).slice(4), 'base64')
    const answer = createHmac('md5', secret).update(challenge).digest('hex')
    return client.command(btoa(`${user} ${answer}`))
  }

  test('an answer proves who has the secret, which is not shown', async () => {
    await using door = await openDoor({ ...strangers, cramMd5: true })
    const client = await SmtpClient.open(door.address)
    await client.reply()
    expect(await client.command('EHLO client.example')).toContain('AUTH PLAIN LOGIN CRAM-MD5')
    expect(await answered(client, 'mailer', 'wrong')).toMatch(/^535 5\.7\.8 /)
    expect(await answered(client, 'mailer', mailerSecret)).toMatch(/^235 /)
    await client.commands(sender)
  })

  test('is there only where it was asked for', async () => {
    await using door = await openDoor(strangers)
    const client = await SmtpClient.greeted(door.address)
    expect(await client.command('AUTH CRAM-MD5')).toMatch(/^504 /)
  })
})

describe('who fails, or comes, too often', () => {
  const wrong = `AUTH PLAIN ${plainToken('mailer', 'wrong')}`

  test('is refused unseen, by whichever connection', async () => {
    const guests = new Guests({ failuresPerAddressMax: 2 }, new ManualClock())
    await using door = await openDoor({ ...strangers, guests })
    for (let times = 0; times < 2; times++) {
      const client = await SmtpClient.greeted(door.address)
      expect(await client.command(wrong)).toMatch(/^535 /)
    }
    const client = await SmtpClient.greeted(door.address)
    expect(await client.command(right)).toBe('454 4.7.0 Too many failed logins: try again in 600 s')
  })

  test('an application has as many sessions as it may, and one that ended, or began TLS, is none', async () => {
    const held = { ...mailer, policy: { connectionsMax: 1 } }
    const verify = async () => held
    await using door = await openDoor({ ...strangers, tls: tlsOf('offered'), access: { verify, verifyAnswer: verify } })
    const first = await SmtpClient.greeted(door.address)
    await first.commands(right)
    const second = await SmtpClient.greeted(door.address)
    expect(await second.command(right)).toBe('454 4.7.0 mailer has 1 sessions, and no more may be')
    await first.startTls()
    await first.commands('EHLO client.example')
    await second.commands(right)
    await second.startTls()
    await second.commands('EHLO client.example')
    await first.commands(right, 'QUIT')
    let reply = await second.command(right)
    while (reply.startsWith('454 ')) reply = await (await SmtpClient.greeted(door.address)).command(right)
    expect(reply).toMatch(/^235 /)
  })
})

test('a session that ended while its secret was looked at is no session of the application', async () => {
  const held = { ...mailer, policy: { connectionsMax: 1 } }
  let prove: ((principal: Principal) => void) | undefined
  const verify = () =>
    new Promise<Principal>((resolve) => {
      prove = resolve
    })
  await using door = await openDoor({ ...strangers, access: { verify, verifyAnswer: verify } })
  const gone = await SmtpClient.greeted(door.address)
  gone.write(`${right}\r\n`)
  while (!prove) await turn()
  gone.reset()
  await gone.closed()
  await (await SmtpClient.greeted(door.address)).commands('QUIT')
  prove(held)
  await turn()
  const client = await SmtpClient.greeted(door.address)
  const before = prove
  const reply = client.command(right)
  while (prove === before) await turn()
  prove(held)
  expect(await reply).toMatch(/^235 /)
})

test('TLS that is required: no mail in clear, and no secret but from this machine', async () => {
  await using door = await openDoor({ tls: tlsOf('required') })
  const client = await SmtpClient.greeted(door.address)
  expect(await client.command(sender)).toBe('530 5.7.0 Must issue a STARTTLS command first')
  await client.startTls()
  await client.commands('EHLO client.example', sender)
})

test('STARTTLS on loopback: a message over TLS is marked secure', async () => {
  await using door = await openDoor({ tls: tlsOf('offered') })
  const client = await SmtpClient.open(door.address)
  await client.reply()
  expect(await client.command('EHLO client.example')).toContain('STARTTLS')
  await client.startTls()
  expect(await client.command('EHLO client.example')).not.toContain('STARTTLS')
  await client.commands(right)
  expect(await client.message(wireForm('hello\r\n'), 'inbox@cenote.local')).toMatch(/^250 /)
  const tls = { version: 'TLSv1.3', cipher: expect.stringMatching(/^TLS_/) }
  expect(door.objects()[0]).toMatchObject({ facts: { secure: true, tls }, bytes: Buffer.from('hello\r\n') })
})

test.each(['offered', 'implicit'] as const)(
  'each handshake asks for the certificate of the moment, %s',
  async (mode) => {
    const { context } = tlsOf(mode)
    let asked = 0
    const count = () => {
      asked += 1
      return context()
    }
    await using door = await openDoor({ tls: { mode, context: count } })
    for (const times of [1, 2]) {
      const client = await SmtpClient.open(door.address)
      if (mode === 'implicit') await client.wrap()
      await client.reply()
      await client.commands('EHLO client.example')
      if (mode === 'offered') await client.startTls()
      expect(asked).toBeGreaterThanOrEqual(times)
    }
  },
)

test('what is sent in clear behind STARTTLS is not taken for part of the session', async () => {
  await using door = await openDoor({ tls: tlsOf('offered') })
  const client = await SmtpClient.greeted(door.address)
  client.write(`STARTTLS\r\n${sender}\r\nRCPT TO:<archive@cenote.local>\r\n`)
  await client.secure()
  await client.commands('EHLO client.example')
  expect(await client.command('RCPT TO:<inbox@cenote.local>')).toMatch(/^503 /)
})

test.each(['10.0.0.0/33', '10.0.0', 'fd00::/129', '10.0.0.0/8/8', 'host', '', '10.0.0.0/'])(
  '%j is no network',
  (range) => {
    const construct = () => verifierOf([range])
    expect(construct).toThrow(`'${range}' is neither an address nor a range`)
  },
)

test('networks are matched by family and prefix', () => {
  const addresses = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '2001:db8::1']
  const verifier = verifierOf(addresses)
  const accepted = (remoteAddress: string) => {
    try {
      return verifier.principalOf({ remoteAddress } as Parameters<Verifier['principalOf']>[0]) === mailer
    } catch {
      return false
    }
  }
  expect(['10.1.2.3', '192.0.2.7', 'fdff::1', '2001:db8::1'].map(accepted)).toEqual([true, true, true, true])
  expect(['11.0.0.1', '192.0.2.8', 'fe00::1', '2001:db8::2', '::'].map(accepted)).toEqual(new Array(5).fill(false))
})
