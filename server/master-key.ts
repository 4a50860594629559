import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StoreError } from '../streams/index.ts'
import { syncFolder, writeFile } from './durable-file.ts'

const keyBytes = 32

/** Random bytes; `node:crypto`'s randomBytes everywhere but in tests. */
export type RandomBytes = (length: number) => Buffer

/**
 * Reads a master key of 32 bytes, written as 64 hexadecimal digits or as base64. `source` names where it came from.
 * Throws ERR_INVALID, which never repeats the text.
 */
export function parseMasterKey(text: string, source: string): KeyObject {
  const trimmed = text.trim()
  const bytes = Buffer.from(trimmed, /^[0-9a-f]{64}$/i.test(trimmed) ? 'hex' : 'base64')
  if (bytes.length !== keyBytes || !/^[\w+/-]+={0,2}$/.test(trimmed)) {
    throw new StoreError('ERR_INVALID', `${source} is not a key of 32 bytes in hexadecimal or base64`)
  }
  return createSecretKey(bytes)
}

/** The key of one use of the master key (HKDF, RFC 5869), so that no two uses share one. */
export function deriveKey(master: KeyObject, use: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', master, new Uint8Array(), use, keyBytes)))
}

/** Reads the key file, which nobody but its owner may read; undefined when there is none. */
export async function readMasterKey(path: string): Promise<KeyObject | undefined> {
  const found = await stat(path).catch(absent)
  if (found === undefined) return undefined
  if ((found.mode & 0o077) !== 0) {
    throw new StoreError('ERR_INVALID', `${path} can be read by others than its owner; run: chmod 600 ${path}`)
  }
  return parseMasterKey(await readFile(path, 'utf8'), path)
}

/** Writes a new key file, durable before it is used: a secret sealed with a key that is lost is lost, too. */
export async function createMasterKey(path: string, random: RandomBytes): Promise<KeyObject> {
  const text = random(keyBytes).toString('hex')
  await writeFile(path, `${text}\n`, 'wx')
  await syncFolder(dirname(path))
  return parseMasterKey(text, path)
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
