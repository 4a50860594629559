import { type ChildProcess, execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SmtpTarget } from './smtp-load.ts'
import { found, freePort, started } from './started.ts'

export interface SmtpServer {
  readonly name: string
  readonly process: ChildProcess
  readonly target: SmtpTarget
  /** What its 250 means. */
  readonly promise: 'durable' | 'nothing'
  /** Attachments become objects of their own. */
  readonly hasParts?: boolean
}

export type Start = (root: string) => Promise<SmtpServer>

export const KEY = 'bench'
export const SECRET = 'bench-secret-of-32-characters-00'

/** Whoever comes from this machine may send, as smtp-source must: it has no AUTH. */
const cenoteWith =
  (name: string, hasParts: boolean): Start =>
  async (root) => {
    const port = await freePort()
    const smtp = { networks: ['127.0.0.0/8'], messageBytesMax: '256MiB', parts: hasParts }
    writeFileSync(join(root, 'cenote.json'), JSON.stringify({ smtp }))
    const main = new URL('../server/main.js', import.meta.url).pathname
    const flags = process.env.BENCH_NODE_FLAGS?.split(' ') ?? []
    const args = [...flags, main, 'serve', '--config', join(root, 'cenote.json'), '--data', join(root, 'data')]
    const doors = ['--smtp', `127.0.0.1:${port}`, '--http', 'off', '--ftp', 'off', '--pool-bytes', '3GiB']
    const env = { ...process.env, CENOTE_ROOT_KEY: KEY, CENOTE_ROOT_SECRET: SECRET }
    const child = await started(process.execPath, [...args, ...doors], port, env)
    return { name, process: child, target: { port, recipient: 'inbox@cenote.local' }, promise: 'durable', hasParts }
  }

export const cenote = cenoteWith('cenote', false)
export const cenoteParts = cenoteWith('cenote, smtp.parts', true)

const POSTFIX_SERVICES = `
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`

/** Debian's postfix as it comes, but for where it is: a maildir of its own takes what is sent to it. It must be root. */
export const postfix: Start = async (root) => {
  const program = found('postfix', 'POSTFIX')
  const port = await freePort()
  const [queue, data, mail] = ['queue', 'data', 'mail'].map((name) => join(root, name))
  for (const folder of [queue!, data!, mail!]) mkdirSync(folder)
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postfix'], { encoding: 'utf8' })))
  chownSync(data!, uid!, gid!)
  chownSync(mail!, uid!, gid!)
  const lines = [
    'compatibility_level = 3.7',
    `queue_directory = ${queue}`,
    `data_directory = ${data}`,
    'command_directory = /usr/sbin',
    'daemon_directory = /usr/lib/postfix/sbin',
    'mail_owner = postfix',
    'setgid_group = postdrop',
    'inet_interfaces = 127.0.0.1',
    'inet_protocols = ipv4',
    'mynetworks = 127.0.0.0/8',
    'mydestination =',
    'alias_maps =',
    'maillog_file = /dev/null',
    'maillog_file_prefixes = /dev',
    'virtual_mailbox_domains = cenote.local',
    'virtual_mailbox_maps = static:inbox/',
    `virtual_mailbox_base = ${mail}`,
    `virtual_uid_maps = static:${uid}`,
    `virtual_gid_maps = static:${gid}`,
    `virtual_minimum_uid = 1`,
    'virtual_mailbox_limit = 0',
    'message_size_limit = 268435456',
    'smtpd_relay_restrictions = permit_mynetworks, reject',
    `default_process_limit = 200`,
  ]
  writeFileSync(join(root, 'main.cf'), `${lines.join('\n')}\n`)
  writeFileSync(join(root, 'master.cf'), `127.0.0.1:${port} inet n - n - - smtpd${POSTFIX_SERVICES}`)
  execFileSync(program, ['-c', root, 'check'], { stdio: 'ignore' })
  // Not `start-fg`, whose shell would take the signal that ends it, and leave the master behind.
  const child = await started('/usr/lib/postfix/sbin/master', ['-s', '-c', root], port)
  return {
    name: 'postfix, to a maildir',
    process: child,
    target: { port, recipient: 'inbox@cenote.local' },
    promise: 'durable',
  }
}

const bare =
  (name: string, folder: string, promise: SmtpServer['promise']): Start =>
  async (root) => {
    const port = await freePort()
    const program = new URL('./smtp-bare.js', import.meta.url).pathname
    const child = await started(
      process.execPath,
      [program, String(port), ...(folder ? [join(root, folder)] : [])],
      port,
    )
    return { name, process: child, target: { port, recipient: 'inbox@cenote.local' }, promise }
  }

/** The library that the door stands on, alone. */
export const bareDurable = bare('smtp-server, a file each, flushed', 'files', 'durable')
export const bareNothing = bare('smtp-server, storing nothing', '', 'nothing')
