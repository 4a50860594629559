import { type ChildProcess, execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FtpTarget } from './ftp-load.ts'
import { found, freePort, started } from './started.ts'

export interface FtpServer {
  readonly name: string
  readonly process: ChildProcess
  readonly target: Omit<FtpTarget, 'tls' | 'folder'>
  /** Where what is stored lies as files, which nobody flushes; absent where 226 means durable. */
  readonly folder?: string
}

export type Start = (root: string, certificate: Certificate) => Promise<FtpServer>

export interface Certificate {
  readonly certificate: string
  readonly key: string
}

const KEY = 'bench'
const SECRET = 'bench-secret-of-32-characters-00'

export const cenote: Start = async (root, pair) => {
  const port = await freePort()
  const configuration = { ftp: { tls: 'offered', connectionsPerAddressMax: 1024 }, tls: pair }
  writeFileSync(join(root, 'cenote.json'), JSON.stringify(configuration))
  const main = new URL('../server/main.js', import.meta.url).pathname
  const doors = [
    '--ftp',
    `127.0.0.1:${port}`,
    '--http',
    'off',
    '--smtp',
    'off',
    '--pool-bytes',
    process.env.BENCH_POOL_BYTES ?? '6GiB',
  ]
  const flags = process.env.BENCH_NODE_FLAGS?.split(' ') ?? []
  const args = [...flags, main, 'serve', '--config', join(root, 'cenote.json'), '--data', join(root, 'data'), ...doors]
  const env = { ...process.env, CENOTE_ROOT_KEY: KEY, CENOTE_ROOT_SECRET: SECRET }
  const child = await started(process.execPath, args, port, env)
  return { name: 'cenote', process: child, target: { port, user: KEY, password: SECRET, directory: '/inbox' } }
}

const PYFTPDLIB = `
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer
logging.basicConfig(level=logging.ERROR)
port, folder, pem = sys.argv[1:]
authorizer = DummyAuthorizer()
authorizer.add_user('bench', 'bench', folder, perm='elradfmwMT')
TLS_FTPHandler.authorizer = authorizer
TLS_FTPHandler.certfile = pem
TLS_FTPHandler.use_sendfile = True
server = FTPServer(('127.0.0.1', int(port)), TLS_FTPHandler)
server.max_cons = server.max_cons_per_ip = 512
server.serve_forever()
`

/** Debian's python3-pyftpdlib and python3-openssl. */
export const pyftpdlib: Start = async (root, pair) => {
  const python = '/usr/bin/python3'
  execFileSync(python, ['-c', 'import pyftpdlib, OpenSSL'], { stdio: 'ignore' })
  const [port, folder] = [await freePort(), folderIn(root)]
  const child = await started(python, ['-c', PYFTPDLIB, String(port), folder, joined(root, pair)], port)
  return {
    name: 'pyftpdlib',
    process: child,
    target: { port, user: 'bench', password: 'bench', directory: '/' },
    folder,
  }
}

/** Debian's vsftpd, for anonymous uploads; it must be root. */
export const vsftpd: Start = async (root, pair) => {
  const program = found('vsftpd', 'VSFTPD')
  const [port, folder, empty] = [await freePort(), folderIn(root), join(root, 'empty')]
  mkdirSync(empty)
  const lines = [
    'listen=YES',
    'listen_address=127.0.0.1',
    `listen_port=${port}`,
    'background=NO',
    'anonymous_enable=YES',
    'local_enable=NO',
    'no_anon_password=NO',
    'ftp_username=daemon',
    `anon_root=${root}`,
    'write_enable=YES',
    'anon_upload_enable=YES',
    'anon_other_write_enable=YES',
    'anon_world_readable_only=NO',
    'seccomp_sandbox=NO',
    `secure_chroot_dir=${empty}`,
    'max_per_ip=0',
    'max_clients=0',
    'ssl_enable=YES',
    'allow_anon_ssl=YES',
    'require_ssl_reuse=NO',
    'ssl_ciphers=HIGH',
    `rsa_cert_file=${pair.certificate}`,
    `rsa_private_key_file=${pair.key}`,
  ]
  writeFileSync(join(root, 'vsftpd.conf'), `${lines.join('\n')}\n`)
  const child = await started(program, [join(root, 'vsftpd.conf')], port)
  const target = { port, user: 'anonymous', password: 'bench', directory: '/files' }
  return { name: 'vsftpd', process: child, target, folder }
}

/** Debian's pure-ftpd, with a user of its own; it must be root. */
export const pureFtpd: Start = async (root, pair) => {
  const program = found('pure-ftpd', 'PURE_FTPD')
  const [port, folder] = [await freePort(), folderIn(root)]
  const [passwords, database] = [join(root, 'passwd'), join(root, 'pureftpd.pdb')]
  const user = [
    'useradd',
    'bench',
    '-f',
    passwords,
    '-F',
    database,
    '-m',
    '-u',
    'nobody',
    '-g',
    'nogroup',
    '-d',
    folder,
  ]
  execFileSync('pure-pw', user, { input: 'bench\nbench\n', stdio: ['pipe', 'ignore', 'ignore'] })
  const limits = ['-c', '512', '-C', '512', '-u', '1', '-H', '-A', '-4']
  const args = [...limits, '-S', `127.0.0.1,${port}`, '-l', `puredb:${database}`, '-Y', '1', '-2', joined(root, pair)]
  const child = await started(program, [...args, '-g', join(root, 'pid')], port)
  return {
    name: 'pure-ftpd',
    process: child,
    target: { port, user: 'bench', password: 'bench', directory: '/' },
    folder,
  }
}

/** A folder that a server may write to which gave its rights away. */
function folderIn(root: string): string {
  const folder = join(root, 'files')
  mkdirSync(folder)
  chmodSync(root, 0o755)
  chmodSync(folder, 0o777)
  return folder
}

function joined(root: string, { certificate, key }: Certificate): string {
  const path = join(root, 'pair.pem')
  writeFileSync(path, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'), { mode: 0o600 })
  return path
}
