import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'

/** The path of a program: what the environment says, or the first of that name. */
export function found(name: string, variable: string): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  const paths = [process.env[variable] ?? '', ...folders.map((folder) => join(folder, name))]
  const path = paths.find((each) => each !== '' && isExecutable(each))
  if (path === undefined) throw new Error(`${name} is not installed`)
  return path
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves once `port` is listened on. */
export async function started(
  program: string,
  args: readonly string[],
  port: number,
  env = process.env,
): Promise<ChildProcess> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  while (child.exitCode === null && child.signalCode === null) if (await isListening(port)) return child
  throw new Error(`${program} ended at once`)
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => setTimeout(resolve, 50, false))
  })
}
