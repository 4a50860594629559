import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Random } from './random.ts'
import type { RecordedLedger, Wish } from './recorded-ledger.ts'
import { ROOT } from './server-process.ts'
import type { Tap } from './tap.ts'
import { type Addresses, clients, content, type Door, mail, sha256 } from './upload-ledger.ts'

/** Within the journal, and beside it; up to what takes several writes to the device. */
const SIZES = [0, 1, 4096, 33_000, 200_000, 700_000]
/** So few that they are replaced and removed again and again, and their space is taken by others. */
const NAMES_EACH = 4
const run = promisify(execFile)

export interface ClientOptions {
  /** Where the files lie that are sent. */
  readonly folder: string
  readonly ledger: RecordedLedger
  readonly random: Random
  /** Where the log of writes is now. */
  readonly position: () => number
  /** Kills whatever is underway. */
  readonly signal: AbortSignal
  /** True once the disk has failed: who asks after that must not hear yes. */
  readonly faulted: () => boolean
  /** Which doors are used; HTTP always is. */
  readonly doors: readonly Door[]
}

/** One client that does one thing after the other, with the programs that people use. */
export class RecordedClient {
  readonly #id: string
  readonly #tap: Tap
  readonly #options: ClientOptions
  readonly #present = new Set<string>()
  #count = 0

  constructor(id: string, tap: Tap, options: ClientOptions) {
    this.#id = id
    this.#tap = tap
    this.#options = options
  }

  /** Stores, replaces or removes something, as chance will have it. True when the server said yes. */
  step(): Promise<boolean> {
    const { random, doors } = this.#options
    const removable = [...this.#present]
    if (removable.length > 0 && random.chance(0.3)) return this.#remove(random.pick(removable))
    return this.#put(random.chance(0.85) ? 'http' : random.pick(doors), random.pick(SIZES))
  }

  async #put(door: Door, size: number): Promise<boolean> {
    const number = ++this.#count
    const { random, folder } = this.#options
    const isMail = door === 'smtp'
    const name = isMail ? `${this.#id}-${number}@recorded.test` : `${this.#id}/${random.below(NAMES_EACH)}`
    const unlike = `${name} the ${number}th`
    const bytes = isMail ? mail(name, size) : content(unlike, size)
    const file = join(folder, `${this.#id}-upload`)
    await writeFile(file, isMail ? bytes.subarray(0, -2) : bytes) // swaks ends a message with a line end of its own.
    const done = await this.#wish(name, sha256(bytes), clients[door](this.#tap, file, name))
    if (done && !isMail) this.#present.add(name)
    return done
  }

  async #remove(name: string): Promise<boolean> {
    const done = await this.#wish(name, undefined, removal(this.#tap, name))
    if (done) this.#present.delete(name)
    return done
  }

  async #wish(name: string, digest: string | undefined, [command, ...args]: readonly string[]): Promise<boolean> {
    const { ledger, position, faulted, signal } = this.#options
    const wish: Wish = ledger.begin(name, digest, position())
    const hopeless = faulted()
    this.#tap.reset()
    try {
      await run(command!, args, { signal, killSignal: 'SIGKILL' })
    } catch {
      return false
    }
    assert(!hopeless, `${name}: acknowledged, though asked for after the disk had failed`)
    ledger.acknowledge(wish, this.#tap.acknowledged ?? position())
    return true
  }
}

function removal(server: Addresses, name: string): readonly string[] {
  const url = `${server.address('http')}/v1/objects/inbox/${name}`
  return ['curl', '-sS', '-f', '-u', `${ROOT.key}:${ROOT.secret}`, '-X', 'DELETE', url]
}
