import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { SmtpClient, wireForm } from './smtp-client.ts'
import { command, type Need, superuser } from './system-tools.ts'

const run = promisify(execFile)

/** Its master changes to the user `postfix`, and its queue wants to be owned by that. */
export const postfixNeeds: readonly Need[] = [command('postfix', 'postfix'), superuser]

const DAEMONS = '/usr/lib/postfix/sbin'
/** What `postfix check` would make. */
const QUEUES = ['active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold', 'incoming', 'maildrop', 'private']
const FOLDERS = [...QUEUES, 'public', 'saved', 'trace'].map((name) => `queue/${name}`)

const SERVICES = `
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
flush unix n - n 1000? 0 flush
showq unix n - n - - showq
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`

/** What makes it one of its own: in a folder, on loopback, with a log that can be waited for, and trying again soon. */
const settingsIn = (folder: string): readonly string[] => [
  'compatibility_level = 3.7',
  `queue_directory = ${join(folder, 'queue')}`,
  `data_directory = ${join(folder, 'data')}`,
  'command_directory = /usr/sbin',
  `daemon_directory = ${DAEMONS}`,
  'mail_owner = postfix',
  'setgid_group = postdrop',
  'myhostname = relay.example.org',
  'mydestination =',
  'alias_maps =',
  'local_recipient_maps =',
  'inet_interfaces = 127.0.0.1',
  'inet_protocols = ipv4',
  'mynetworks = 127.0.0.0/8',
  'maillog_file = /dev/stdout',
  'smtpd_peername_lookup = no',
  'smtp_host_lookup = native',
  'queue_run_delay = 1s',
  'minimal_backoff_time = 1s',
  'maximal_backoff_time = 1s',
]

/** A Postfix with its queue, which relays what it is sent; `await using` ends it. */
export class Postfix implements AsyncDisposable {
  readonly #folder: string
  readonly #port: number
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #removed = new Set<string>()
  /** What it was told in place of a yes. */
  readonly refusals: string[] = []
  readonly #log: string[] = []
  #changed = () => {}

  private constructor(folder: string, port: number) {
    this.#folder = folder
    this.#port = port
    // It opens /dev/stdout anew, which can be done to a pipe and not to the socket that is Node's.
    const line = `exec ${DAEMONS}/master -s -c "$0" > >(exec cat) 2>&1`
    this.#child = spawn('bash', ['-c', line, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#hear(line))
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', () => {
        resolve()
        this.#changed()
      })
    })
  }

  /** Resolves once it runs; `settings` are lines of main.cf besides its own. */
  static async start(folder: string, settings: readonly string[]): Promise<Postfix> {
    const [user, group] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, 'postfix'], { encoding: 'utf8' })),
    )
    chmodSync(folder, 0o755)
    mkdirSync(join(folder, 'queue/pid'), { recursive: true })
    for (const name of [...FOLDERS, 'data']) {
      mkdirSync(join(folder, name))
      chownSync(join(folder, name), user!, group!)
    }
    const port = await freePort()
    writeFileSync(join(folder, 'main.cf'), [...settingsIn(folder), ...settings, ''].join('\n'))
    utimesSync(join(folder, 'main.cf'), 0, 0) // It waits while somebody may still be writing there.
    writeFileSync(join(folder, 'master.cf'), `127.0.0.1:${port} inet n - n - - smtpd${SERVICES}`)
    const postfix = new Postfix(folder, port)
    await postfix.until(() => postfix.#log.some((line) => line.includes('daemon started')))
    return postfix
  }

  /** Mails that it has got rid of: delivered, or given up. */
  get removed(): number {
    return this.#removed.size
  }

  /** Lines of its log with this in them. */
  logged(text: string): readonly string[] {
    return this.#log.filter((line) => line.includes(text))
  }

  /** Puts messages into its queue. */
  async take(messages: readonly { readonly text: string; readonly recipient: string }[]): Promise<void> {
    const client = await SmtpClient.greeted(`127.0.0.1:${this.#port}`)
    for (const { text, recipient } of messages) {
      const reply = await client.message(wireForm(text), recipient)
      if (!reply.startsWith('250 ')) throw new Error(`Postfix does not take it: ${reply}`)
    }
    await client.command('QUIT')
    await client.closed()
  }

  /** Has it try all that is deferred, also where it has just failed. */
  async flush(): Promise<void> {
    await run('postqueue', ['-c', this.#folder, '-f'])
  }

  /** Throws with its last words when it ends before. */
  async until(happened: () => boolean): Promise<void> {
    while (!happened()) {
      if (this.#child.exitCode !== null) throw new Error(`Postfix ended: ${this.#log.slice(-5).join('\n')}`)
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#ended
  }

  #hear(line: string): void {
    this.#log.push(line)
    if (line.includes(' said: ')) this.refusals.push(line)
    const [, id] = /qmgr\[\d+\]: (\w+): removed$/.exec(line) ?? []
    if (id !== undefined) this.#removed.add(id)
    this.#changed()
  }
}
