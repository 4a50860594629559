import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { DataFolder } from '../../server/data-folder.ts'
import { cenote, rootEnvironment, Server } from './server-process.ts'

/** The smallest pool there is: its space is soon used again. */
const POOL_BYTES = '24MiB'
const CHUNK_BYTES = 64 * 1024

/** The data folder in a server's working folder. */
export const dataFolder = (folder: string): DataFolder => new DataFolder(join(folder, 'cenote-data'))

/** What the folder of a pool calls its one member. */
const memberOf = (folder: string): string => join(dataFolder(folder).pool, '0000.block')

/** What opens the pool whose image was made last, by the name of its file: a pool with its key lost is refused. */
const secrets = new Map<string, Buffer>()

function keepSecrets(folder: string): void {
  const { masterKey, signingKeys } = dataFolder(folder)
  for (const path of [masterKey, signingKeys]) secrets.set(basename(path), readFileSync(path))
}

function placeSecrets(folder: string): void {
  for (const [name, content] of secrets) writeFileSync(join(dataFolder(folder).path, name), content, { mode: 0o600 })
}

/** Puts `device`, which holds a pool, where a server looks for the pool of its data folder. */
export function placeDevice(folder: string, device: string): void {
  const member = memberOf(folder)
  mkdirSync(dirname(member), { recursive: true })
  placeSecrets(folder)
  symlinkSync(device, member)
}

/** Puts an image of a pool there, as a block file. Holes stand for its zeros. */
export function placeImage(folder: string, image: Buffer): string {
  const member = memberOf(folder)
  mkdirSync(dirname(member), { recursive: true })
  placeSecrets(folder)
  const descriptor = openSync(member, 'w')
  ftruncateSync(descriptor, image.length)
  const zeros = Buffer.alloc(CHUNK_BYTES)
  for (let at = 0; at < image.length; at += CHUNK_BYTES) {
    const chunk = image.subarray(at, at + CHUNK_BYTES)
    if (!chunk.equals(zeros.subarray(0, chunk.length))) writeSync(descriptor, chunk, 0, chunk.length, at)
  }
  closeSync(descriptor)
  return member
}

/**
 * The image of a pool as the first start of a server leaves it. That it is served by way of FUSE, or as a file with
 * holes, is accepted by name: both are the tests' own, and known to do what they say.
 */
export async function newPoolImage(folder: string): Promise<Buffer> {
  const accept = ['--accept', 'R10_NO_FLUSH', 'R14_THIN']
  const made = await cenote(folder, ['pool', 'create', '--device-bytes', POOL_BYTES, ...accept])
  if (made.code !== 0) throw new Error(made.stderr)
  await using server = await startServer(folder)
  await server.stop()
  keepSecrets(folder)
  return readFileSync(memberOf(folder))
}

/** One of them, whose folder is gone afterwards. */
export async function anyPoolImage(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-image-'))
  return await newPoolImage(folder).finally(() => rmSync(folder, { recursive: true }))
}

export function startServer(folder: string, tracer: readonly string[] = []): Promise<Server> {
  return Server.start(folder, ['--pool-bytes', POOL_BYTES], rootEnvironment, tracer)
}

/** Takes the catalog of one working folder to another. */
export function keepCatalog(from: string, to: string): void {
  const [source, target] = [dataFolder(from).catalog, dataFolder(to).catalog]
  if (!existsSync(source)) return
  mkdirSync(dirname(target), { recursive: true })
  cpSync(source, target, { recursive: true })
}
