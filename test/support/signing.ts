import { createHash, createPrivateKey } from 'node:crypto'
import { signingKeyOf } from '../../server/signing-keys.ts'
import type { KeyChest, NotaryTimers, SigningKey } from '../../streams/index.ts'

/** PKCS #8 of an Ed25519 key (RFC 8410), up to its 32 bytes. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The same key for the same name. */
export function keyNamed(name: string): SigningKey {
  const der = Buffer.concat([PKCS8_PREFIX, createHash('sha256').update(name).digest()])
  return signingKeyOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}

/** Keys in memory, the same ones in the same order. */
export class MemoryChest implements KeyChest {
  readonly keys = new Map<string, SigningKey>()
  readonly #name: string
  #made = 0

  constructor(name = 'key') {
    this.#name = name
  }

  get(id: string): SigningKey | undefined {
    return this.keys.get(id)
  }

  async create(): Promise<SigningKey> {
    this.#made += 1
    const key = keyNamed(`${this.#name} ${this.#made}`)
    this.keys.set(key.id, key)
    return key
  }

  async retain(id: string): Promise<void> {
    for (const known of this.keys.keys()) if (known !== id) this.keys.delete(known)
  }
}

/** Tasks that are due when the test says so. */
export class ManualTimers implements NotaryTimers {
  readonly #due = new Set<() => void>()

  after(_milliseconds: number, task: () => void): () => void {
    this.#due.add(task)
    return () => this.#due.delete(task)
  }

  get size(): number {
    return this.#due.size
  }

  /** Lets whatever waits be due. */
  run(): void {
    const due = [...this.#due]
    this.#due.clear()
    for (const task of due) task()
  }
}
