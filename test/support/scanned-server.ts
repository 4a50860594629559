import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { Server } from './server-process.ts'

const example = fileURLToPath(new URL('../../docs/examples/scanner.py', import.meta.url))

/** docs/examples/scanner.py. */
export interface ExampleScanner {
  readonly url: string
  stop(): Promise<void>
}

export async function openExample(): Promise<ExampleScanner> {
  const scanner = spawn('python3', [example, '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(scanner, 'close')
  const stop = async () => {
    scanner.kill('SIGKILL')
    await ended
  }
  onTestFinished(stop)
  const [url] = await once(createInterface(scanner.stdout), 'line')
  return { url, stop }
}

/** Resolves `asked` once so many questions have come to their end, which are never answered. */
export async function openThinker(count = 1): Promise<{ readonly url: string; readonly asked: Promise<void> }> {
  let questions = 0
  let ask = (): void => {}
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const server = createServer((request) => request.resume().on('end', () => ++questions === count && ask()))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked }
}

export function startWith(folder: string, scanner: object, limits: object = {}): Promise<Server> {
  writeFileSync(join(folder, 'cenote.json'), JSON.stringify({ scanner, limits }))
  return Server.start(folder, ['--config', 'cenote.json'])
}

/** What curl says of an exchange, with the lines that the server sent. */
function talk(server: Server, ...args: string[]): Promise<string> {
  const { key, secret } = server.cli
  const file = join(server.folder, 'sent')
  return new Promise((resolve) => {
    execFile('curl', ['-sv', '-u', `${key}:${secret}`, '-T', file, ...args], (_error, stdout, stderr) =>
      resolve(stderr + stdout),
    )
  })
}

const mail = ['--mail-from', 'a@example.org', '--mail-rcpt', 'inbox@cenote.local']

const doors = {
  http: (server: Server) => talk(server, `${server.address('http')}/v1/objects/inbox/http`),
  ftp: (server: Server) => talk(server, `${server.address('ftp')}/inbox/ftp`),
  smtp: (server: Server) => talk(server, server.address('smtp'), ...mail),
}

/** Sends a letter through every door, and tells what each said. */
export async function sendEverywhere(server: Server, content: string): Promise<{ readonly [door: string]: string }> {
  write(server.folder, content)
  const { http, ftp, smtp } = doors
  const [byHttp, byFtp, byMail] = await Promise.all([http(server), ftp(server), smtp(server)])
  return { http: byHttp, ftp: byFtp, smtp: byMail }
}

/** Sends a letter over HTTP, and tells what was said. */
export function sendByHttp(server: Server, content: string): Promise<string> {
  write(server.folder, content)
  return doors.http(server)
}

function write(folder: string, content: string): void {
  writeFileSync(join(folder, 'sent'), `Subject: what came\r\n\r\n${content}\r\n`)
}
