import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CliFile } from '../../server/cli-file.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const main = join(root, 'dist/server/main.js')

/** These tests run what users run: the built program. `npm test` builds it before; else it is built here, once. */
export function requireBuild(): void {
  if (existsSync(main)) return
  const built = spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(built.stdout + built.stderr)
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export type Environment = { readonly [name: string]: string }

/** A root application that the environment defines. */
export const ROOT = { key: 'root', secret: 'a-secret-that-only-tests-know' }
export const rootEnvironment: Environment = { CENOTE_ROOT_KEY: ROOT.key, CENOTE_ROOT_SECRET: ROOT.secret }
export const rootAuthorization = `Bearer ${ROOT.key}:${ROOT.secret}`

/** Nothing of the machine's own settings reaches the program. */
function environmentOf(own: Environment): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('CENOTE_'))
  return { ...Object.fromEntries(inherited), ...own }
}

/** Runs a command of `cenote` to its end. */
export function cenote(folder: string, args: readonly string[], environment: Environment = {}): Promise<Ended> {
  return run(process.execPath, [main, ...args], folder, environment)
}

/** Starts a command of `cenote` that goes on until it is told to end. */
export function startCenote(folder: string, args: readonly string[], environment: Environment = {}): ChildProcess {
  return spawn(process.execPath, [main, ...args], { cwd: folder, env: environmentOf(environment) })
}

/** Runs the built file itself, as `npx cenote` does. */
export function runDirectly(folder: string, args: readonly string[]): Promise<Ended> {
  return run(main, args, folder, {})
}

/** Runs a line of shell, in which `cenote` is the command. */
export function shell(folder: string, line: string): Promise<Ended> {
  return run('/bin/bash', ['-c', `cenote() { '${process.execPath}' '${main}' "$@"; }; ${line}`], folder, {})
}

function run(file: string, args: readonly string[], cwd: string, environment: Environment): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, env: environmentOf(environment), maxBuffer: 64 * 1024 * 1024 }
    const child = execFile(file, args, options, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    )
    child.stdin?.end()
  })
}

/** A running `cenote serve`; `await using` kills it. */
export class Server {
  readonly folder: string
  readonly #child: ChildProcess
  readonly #ended: Promise<Ended>
  #stdout = ''
  #stderr = ''
  #changed = () => {}

  private constructor(folder: string, args: readonly string[], environment: Environment, tracer: readonly string[]) {
    this.folder = folder
    const ports = ['http', 'ftp', 'smtp'].flatMap((door) => [`--${door}`, '127.0.0.1:0'])
    const server = [process.execPath, main, 'serve', '--pool-bytes', '64MiB', ...ports, ...args]
    const [command, ...flags] = [...tracer, ...server]
    this.#child = spawn(command!, flags, { cwd: folder, env: environmentOf(environment) })
    this.#child.stdout?.on('data', (text) => this.#hear(String(text), ''))
    this.#child.stderr?.on('data', (text) => this.#hear('', String(text)))
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code) => {
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr })
        this.#changed()
      })
    })
  }

  /**
   * Resolves once the server has said where its doors are. `tracer` is a command that runs it and lets it keep its
   * process id, or nothing.
   */
  static async start(
    folder: string,
    args: readonly string[] = [],
    environment: Environment = {},
    tracer: readonly string[] = [],
  ): Promise<Server> {
    const server = new Server(folder, args, environment, tracer)
    await server.until(() => server.#stdout.endsWith('\n\n'))
    return server
  }

  /** Resolves when a start that fails has failed. */
  static async fail(folder: string, args: readonly string[] = [], environment: Environment = {}): Promise<Ended> {
    return new Server(folder, args, environment, []).#ended
  }

  get stdout(): string {
    return this.#stdout
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get cli(): { [Name in keyof CliFile]-?: string } {
    return JSON.parse(readFileSync(join(this.folder, 'cenote-data/cli.json'), 'utf8'))
  }

  /** `http://127.0.0.1:1234` of a door. */
  address(protocol: 'http' | 'ftp' | 'ftps' | 'smtp' | 'smtps' | 'lmtp'): string {
    return new RegExp(`^ +${protocol} +(\\S+)$`, 'm').exec(this.#stdout)?.[1] ?? ''
  }

  /** `127.0.0.1:1234` of a door. */
  host(protocol: 'http' | 'ftp' | 'ftps' | 'smtp' | 'smtps' | 'lmtp'): string {
    return new URL(this.address(protocol)).host
  }

  /** Resolves once the log has a line with this message. */
  logged(message: string): Promise<void> {
    return this.until(() => this.#stderr.includes(message))
  }

  /** Throws with what the server said when it ends before. */
  async until(happened: () => boolean): Promise<void> {
    while (!happened()) {
      if (this.hasEnded) throw new Error(`the server ended: ${this.#stderr}`)
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }

  /** By itself, or by a signal. */
  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  ended(): Promise<Ended> {
    return this.#ended
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.signal(signal)
    return this.#ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }

  /** Sends a signal again and again, as somebody does who cannot wait. */
  async insist(signal: NodeJS.Signals): Promise<Ended> {
    const again = setInterval(() => this.signal(signal), 50)
    return this.#ended.finally(() => clearInterval(again))
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #hear(stdout: string, stderr: string): void {
    this.#stdout += stdout
    this.#stderr += stderr
    this.#changed()
  }
}
