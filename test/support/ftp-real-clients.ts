import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Client } from 'basic-ftp'
import { ROOT } from './server-process.ts'
import { command, type Need } from './system-tools.ts'

/** One way to come to the door. */
export interface Cell {
  readonly security: 'clear' | 'explicit' | 'implicit'
  readonly mode: 'passive' | 'active'
  readonly family: 4 | 6
}

export interface Visit extends Cell {
  readonly port: number
  /** Holds `authority.pem`, the certificate of the door, and `up`, which goes to `inbox/NAME` and comes back to `NAME`. */
  readonly folder: string
  readonly name: string
}

export interface RealClient {
  readonly name: string
  /** What must be there. */
  readonly needs: readonly Need[]
  /** It brings `tree` to `inbox/tree of NAME` and back to `tree of NAME`, too. */
  readonly mirrors?: true
  can(cell: Cell): boolean
  /** Uploads, lists, reads back. Resolves with the listing. */
  visit(visit: Visit): Promise<string>
}

async function run(folder: string, input: string, client: string, ...args: readonly string[]): Promise<string> {
  const running = promisify(execFile)(client, args, { cwd: folder, timeout: 30_000 })
  running.child.stdin?.on('error', () => {}).end(input)
  const { stdout } = await running
  return stdout
}

/** The certificate is of both. */
const addressOf = (family: Cell['family']) => (family === 4 ? '127.0.0.1' : '::1')
const inUrl = (family: Cell['family']) => (family === 4 ? '127.0.0.1' : '[::1]')
const scheme = (security: Cell['security']) => (security === 'implicit' ? 'ftps' : 'ftp')

const curl: RealClient = {
  name: 'curl',
  needs: [command('curl', 'curl')],
  /** curl 7.88 in active mode under TLS waits for ever, with this server and with others. */
  can: ({ security, mode }) => security === 'clear' || mode === 'passive',
  async visit({ security, mode, family, port, folder, name }) {
    const url = `${scheme(security)}://${inUrl(family)}:${port}/inbox/`
    const options = ['-sSg', '-u', `${ROOT.key}:${ROOT.secret}`, '--cacert', 'authority.pem']
    if (security === 'explicit') options.push('--ssl-reqd')
    if (mode === 'active') options.push('-P', '-')
    const target = url + encodeURIComponent(name)
    const shared = ['--next', ...options]
    return run(folder, '', 'curl', ...options, '-T', 'up', target, ...shared, url, ...shared, '-o', name, target)
  },
}

const lftp: RealClient = {
  name: 'lftp',
  needs: [command('lftp', 'lftp')],
  mirrors: true,
  can: () => true,
  visit({ security, mode, family, port, folder, name }) {
    const commands = [
      'set cmd:fail-exit yes',
      'set net:max-retries 1',
      'set net:timeout 10',
      'set ssl:ca-file authority.pem',
      `set ftp:ssl-allow ${security !== 'clear'}`,
      `set ftp:ssl-force ${security !== 'clear'}`,
      'set ftp:ssl-protect-data true',
      `set ftp:passive-mode ${mode === 'passive'}`,
      `open -p ${port} -u ${ROOT.key},${ROOT.secret} ${scheme(security)}://${inUrl(family)}/inbox`,
      `put up -o '${name}'`,
      `mirror -R tree 'tree of ${name}'`,
      'ls',
      `get '${name}'`,
      `mirror 'tree of ${name}'`,
    ]
    return run(folder, '', 'lftp', '-c', commands.join('\n'))
  },
}

const ftplib: RealClient = {
  name: "Python's ftplib",
  needs: [command('python3', 'python3')],
  can: () => true,
  visit: ({ security, mode, family, port, folder, name }) =>
    run(
      folder,
      '',
      'python3',
      '-c',
      program,
      security,
      mode,
      addressOf(family),
      String(port),
      name,
      ROOT.key,
      ROOT.secret,
    ),
}

const program = `
import ftplib, ssl, sys
security, mode, host, port, name, user, password = sys.argv[1:]
context = ssl.create_default_context(cafile='authority.pem')
class Implicit(ftplib.FTP_TLS):
  @property
  def sock(self): return self._sock
  @sock.setter
  def sock(self, value):
    wrap = value is not None and not isinstance(value, ssl.SSLSocket)
    self._sock = self.context.wrap_socket(value, server_hostname=self.host) if wrap else value
makers = {
  'clear': lambda: ftplib.FTP(encoding='utf-8'),
  'explicit': lambda: ftplib.FTP_TLS(context=context),
  'implicit': lambda: Implicit(context=context)
}
ftp = makers[security]()
ftp.connect(host, int(port), timeout=10)
ftp.login(user, password)
if security != 'clear': ftp.prot_p()
ftp.set_pasv(mode == 'passive')
ftp.cwd('inbox')
ftp.storbinary('STOR ' + name, open('up', 'rb'))
ftp.retrlines('LIST')
ftp.retrbinary('RETR ' + name, open(name, 'wb').write)
ftp.quit()
`

const basicFtp: RealClient = {
  name: 'basic-ftp',
  needs: [],
  can: ({ mode }) => mode === 'passive', // It has no active mode.
  async visit({ security, family, port, folder, name }) {
    const client = new Client(10_000)
    const secureOptions = { ca: readFileSync(`${folder}/authority.pem`) }
    const login = { user: ROOT.key, password: ROOT.secret, host: addressOf(family), port }
    const secure = security === 'implicit' ? security : security === 'explicit'
    await client.access({ ...login, secure, secureOptions })
    await client.uploadFrom(`${folder}/up`, `inbox/${name}`)
    const entries = await client.list('inbox')
    await client.downloadTo(`${folder}/${name}`, `inbox/${name}`)
    client.close()
    return entries.map((entry) => `${entry.size} ${entry.name}`).join('\n')
  },
}

const tnftp: RealClient = {
  name: 'tnftp',
  needs: [command('tnftp', 'tnftp')],
  can: ({ security }) => security === 'clear', // It has no TLS.
  visit({ mode, family, port, folder, name }) {
    const commands = [
      `open ${addressOf(family)} ${port}`,
      `user ${ROOT.key} ${ROOT.secret}`,
      'binary',
      'cd inbox',
      `put up "${name}"`,
      'ls',
      `get "${name}"`,
      'bye',
    ]
    return run(folder, `${commands.join('\n')}\n`, 'tnftp', '-n', '-i', '-v', mode === 'passive' ? '-p' : '-A')
  },
}

const ncftp: RealClient = {
  name: 'ncftp',
  needs: [command('ncftpput', 'ncftp')],
  can: ({ security, family }) => security === 'clear' && family === 4, // It has neither TLS nor IPv6.
  async visit({ mode, port, folder, name }) {
    const login = [mode === 'passive' ? '-F' : '-E', '-u', ROOT.key, '-p', ROOT.secret, '-P', String(port)]
    await run(folder, '', 'ncftpput', ...login, '-C', '127.0.0.1', 'up', `inbox/${name}`)
    const listing = await run(folder, '', 'ncftpls', ...login, '-l', 'ftp://127.0.0.1/inbox/')
    await run(folder, '', 'ncftpget', ...login, '-C', '127.0.0.1', `inbox/${name}`, name)
    return listing
  },
}

export const realClients: readonly RealClient[] = [curl, lftp, ftplib, basicFtp, tnftp, ncftp]
