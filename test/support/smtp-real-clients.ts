import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { createTransport } from 'nodemailer'
import { ROOT } from './server-process.ts'
import { command, type Need } from './system-tools.ts'

/** One way to come to the door. */
export interface Cell {
  readonly security: 'clear' | 'starttls' | 'implicit' | 'lmtp'
  readonly login: 'PLAIN' | 'LOGIN' | 'CRAM-MD5' | 'none'
}

export interface Visit extends Cell {
  readonly port: number
  /** Holds `authority.pem`, the certificate of the door, and `mail`. */
  readonly folder: string
  readonly recipient: string
}

export interface RealClient {
  readonly name: string
  /** What must be there. */
  readonly needs: readonly Need[]
  can(cell: Cell): boolean
  /** Sends what `mail` holds, or something of its own that ends with its last lines. */
  visit(visit: Visit): Promise<unknown>
}

const sender = 'ada@example.org'
export const LAST_LINES = '.\r\n..x\r\nGr\u00fc\u00dfe\r\n'

function run(folder: string, client: string, ...args: readonly string[]): Promise<{ stdout: string }> {
  const running = promisify(execFile)(client, args, { cwd: folder, timeout: 30_000 })
  running.child.stdin?.on('error', () => {}).end()
  return running
}

function perlModule(name: string, debianPackage: string): Need {
  return () =>
    spawnSync('perl', [`-M${name}`, '-e', '1']).status === 0
      ? undefined
      : `Perl's ${name} is not installed (Debian package ${debianPackage})`
}

const isSmtp = ({ security }: Cell) => security !== 'lmtp'
const logsIn = ({ login }: Cell) => login !== 'none'

const curl: RealClient = {
  name: 'curl',
  needs: [command('curl', 'curl')],
  can: (cell) => isSmtp(cell) && logsIn(cell),
  visit({ security, login, port, folder, recipient }) {
    const scheme = security === 'implicit' ? 'smtps' : 'smtp'
    const options = ['-sS', '-u', `${ROOT.key}:${ROOT.secret}`, '--login-options', `AUTH=${login}`, '-T', 'mail']
    if (security === 'starttls') options.push('--ssl-reqd')
    options.push('--cacert', 'authority.pem', '--mail-from', sender, '--mail-rcpt', recipient)
    return run(folder, 'curl', ...options, `${scheme}://localhost:${port}/client.example`)
  },
}

const swaks: RealClient = {
  name: 'swaks',
  needs: [
    command('swaks', 'swaks'),
    perlModule('Net::SSLeay', 'libnet-ssleay-perl'),
    perlModule('Digest::HMAC_MD5', 'libdigest-hmac-perl'),
  ],
  can: (cell) => cell.security === 'lmtp' || logsIn(cell),
  visit({ security, login, port, folder, recipient }) {
    const options = ['--server', 'localhost', '--port', String(port), '--data', '@mail', '-f', sender, '-t', recipient]
    if (login !== 'none') options.push('--auth', login, '--auth-user', ROOT.key, '--auth-password', ROOT.secret)
    if (security === 'starttls') options.push('--tls', '--tls-verify', '--tls-ca-path', 'authority.pem')
    if (security === 'implicit') options.push('--tls-on-connect', '--tls-verify', '--tls-ca-path', 'authority.pem')
    if (security === 'lmtp') options.push('--protocol', 'LMTP')
    return run(folder, 'swaks', ...options)
  },
}

const script = `
import smtplib, ssl, sys
security, login, port, recipient, key, secret = sys.argv[1:]
context = ssl.create_default_context(cafile='authority.pem')
kinds = {'implicit': lambda: smtplib.SMTP_SSL('localhost', int(port), context=context), 'lmtp': lambda: smtplib.LMTP('localhost', int(port))}
with kinds.get(security, lambda: smtplib.SMTP('localhost', int(port)))() as client:
    if security == 'starttls':
        client.starttls(context=context)
    client.ehlo_or_helo_if_needed()
    if login != 'none':
        client.user, client.password = key, secret
        client.auth(login, getattr(client, 'auth_' + login.lower().replace('-', '_')))
    client.sendmail('${sender}', [recipient], open('mail', 'rb').read())
`

const python: RealClient = {
  name: 'smtplib',
  needs: [command('python3', 'python3')],
  can: (cell) => cell.security === 'lmtp' || logsIn(cell),
  visit({ security, login, port, folder, recipient }) {
    const { key, secret } = ROOT
    return run(folder, 'python3', '-c', script, security, login, String(port), recipient, key, secret)
  },
}

/** A library that applications use. */
const nodemailer: RealClient = {
  name: 'nodemailer',
  needs: [],
  can: (cell) => isSmtp(cell) && logsIn(cell),
  async visit({ security, login, port, recipient }) {
    const transport = createTransport({
      host: 'localhost',
      port,
      secure: security === 'implicit',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'clear',
      tls: { rejectUnauthorized: false },
      auth: { user: ROOT.key, pass: ROOT.secret },
      authMethod: login,
    })
    const raw = Buffer.from(`Subject: nodemailer\r\n\r\n${LAST_LINES}`)
    await transport.sendMail({ envelope: { from: sender, to: recipient }, raw })
    transport.close()
  },
}

/** Postfix's, which logs in nowhere and writes a mail of its own. */
const smtpSource: RealClient = {
  name: 'smtp-source',
  needs: [command('smtp-source', 'postfix')],
  can: ({ security, login }) => login === 'none' && (security === 'clear' || security === 'lmtp'),
  visit({ security, port, folder, recipient }) {
    const protocol = security === 'lmtp' ? ['-L'] : []
    return run(folder, 'smtp-source', ...protocol, '-c', '-f', sender, '-t', recipient, `inet:127.0.0.1:${port}`)
  },
}

export const realClients: readonly RealClient[] = [curl, swaks, python, nodemailer, smtpSource]
