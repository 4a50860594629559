import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { ROOT, rootAuthorization, type Server } from './server-process.ts'

const run = promisify(execFile)
const AUTHORIZATION = { authorization: rootAuthorization }

export type Door = 'http' | 'ftp' | 'smtp'
export const DOORS: readonly Door[] = ['http', 'ftp', 'smtp']

/** One upload: what was sent under which name. */
export interface Sent {
  readonly door: Door
  /** Key of the object; for mail the Message-ID. */
  readonly name: string
  readonly bytes: Buffer
}

/** What a client was told yes to, held against what a server shows. */
export class Ledger {
  readonly #folder: string
  readonly #sent = new Map<string, Sent>()
  readonly #acknowledged = new Set<string>()
  #count = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** Uploads with a real client, which `signal` kills; true when it was told yes. */
  async upload(server: Server, door: Door, size: number, signal: AbortSignal): Promise<boolean> {
    const number = ++this.#count
    const name = door === 'smtp' ? `message-${number}@ledger.test` : `ledger/${door}/${number}`
    const bytes = door === 'smtp' ? mail(name, size) : content(name, size)
    this.#sent.set(name, { door, name, bytes })
    const file = join(this.#folder, `upload-${number}`)
    await writeFile(file, door === 'smtp' ? bytes.subarray(0, -2) : bytes) // swaks ends a message with a line end of its own.
    try {
      const [command, ...args] = clients[door](server, file, name)
      await run(command!, args, { signal, killSignal: 'SIGKILL' })
    } catch {
      return false
    }
    this.#acknowledged.add(name)
    return true
  }

  /** Every acknowledged upload is there, whole, and found by an attribute; whatever else is there is whole, too. */
  async verify(server: Server): Promise<void> {
    const shown = new Set<string>()
    for (const object of await this.#list(server)) {
      const stat = (await this.#query(server, `object.key = "${object.key}"`))[0]
      expect(stat, `${object.key} is found by its name`).toBeDefined()
      const name = (stat!.attributes['email.message-id'] as string | undefined) ?? object.key
      const sent = this.#sent.get(name)
      expect(sent, `${name} was sent by somebody`).toBeDefined()
      expect(object.size, `${name} has its length`).toBe(sent!.bytes.length)
      expect(await this.#digest(server, object.key), `${name} is whole`).toBe(sha256(sent!.bytes))
      expect(stat!.attributes['checksum.sha256'], `${name} has its digest`).toBe(sha256(sent!.bytes))
      expect(stat!.attributes[EVIDENCE[sent!.door]], `${name} went through its filter`).toBeDefined()
      shown.add(name)
    }
    const lost = [...this.#acknowledged].filter((name) => !shown.has(name))
    expect(lost, 'acknowledged, but not there').toEqual([])
  }

  async #list(server: Server): Promise<{ key: string; size: number }[]> {
    const all: { key: string; size: number }[] = []
    for (let after = ''; ; ) {
      const url = `${server.address('http')}/v1/objects/inbox?limit=1000&after=${encodeURIComponent(after)}`
      const page = (await json(url)) as { objects: { key: string; size: number }[]; next?: string }
      all.push(...page.objects)
      if (page.next === undefined) return all
      after = page.next
    }
  }

  async #query(server: Server, text: string): Promise<{ key: string; attributes: Record<string, unknown> }[]> {
    const answer = await json(`${server.address('http')}/v1/query?q=${encodeURIComponent(text)}`)
    return (answer as { objects: { key: string; attributes: Record<string, unknown> }[] }).objects
  }

  async #digest(server: Server, key: string): Promise<string> {
    const response = await fetch(`${server.address('http')}/v1/objects/inbox/${encodeURI(key)}`, {
      headers: AUTHORIZATION,
    })
    expect(response.status).toBe(200)
    return sha256(Buffer.from(await response.arrayBuffer()))
  }
}

/** An attribute that only the door's own filter writes. */
const EVIDENCE: Record<Door, string> = { http: 'http.method', ftp: 'ftp.user', smtp: 'email.subject' }

/** Where the doors of a server are, or of what stands before it. */
export type Addresses = Pick<Server, 'address' | 'host'>

/** The command that uploads `file`. */
export const clients: Record<Door, (server: Addresses, file: string, name: string) => readonly string[]> = {
  http: (server, file, name) => {
    const url = `${server.address('http')}/v1/objects/inbox/${name}`
    return ['curl', '-sS', '-f', '-u', `${ROOT.key}:${ROOT.secret}`, '-T', file, url]
  },
  ftp: (server, file, name) => {
    const script = `set cmd:fail-exit yes; set net:max-retries 1; put ${file} -o /inbox/${name}; bye`
    return ['lftp', '-u', `${ROOT.key},${ROOT.secret}`, '-e', script, server.address('ftp')]
  },
  smtp: (server, file) => {
    const [host = '', port = ''] = server.host('smtp').split(':')
    const login = ['--auth', 'PLAIN', '--auth-user', ROOT.key, '--auth-password', ROOT.secret]
    const envelope = ['--from', 'scan@ledger.test', '--to', 'inbox@cenote.local']
    return ['swaks', '--server', host, '--port', port, ...login, ...envelope, '--data', `@${file}`, '--timeout', '10']
  },
}

/** Bytes that only this name has. */
export function content(name: string, size: number): Buffer {
  const seed = createHash('sha256').update(name).digest()
  return Buffer.alloc(size, seed)
}

/** A message that only this id has. */
export function mail(id: string, size: number): Buffer {
  const head = `From: Scanner <scan@ledger.test>\r\nTo: inbox@cenote.local\r\nSubject: ${id}\r\nMessage-ID: <${id}>\r\n\r\n`
  const line = `${sha256(Buffer.from(id))}\r\n`
  return Buffer.from(head + line.repeat(1 + Math.ceil(size / line.length)))
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function json(url: string): Promise<unknown> {
  const response = await fetch(url, { headers: AUTHORIZATION })
  expect(response.status, url).toBe(200)
  return await response.json()
}
