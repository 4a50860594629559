import assert from 'node:assert/strict'
import type { Sequence } from '../pool/index.ts'
import type { StreamState } from './appending/stream-state.ts'
import type { Catalog, ObjectHead } from './catalog/catalog-port.ts'
import type { Attributes, ObjectName } from './envelope.ts'
import type { Older } from './versions/versions.ts'

/** What a name is bound to, as far as the next record needs to know. */
export interface Binding {
  readonly object: string
  /** Of the put whose payload the object has. */
  readonly version: Sequence
  readonly attributes: Attributes
  readonly kept?: true | undefined
  readonly older?: Older | undefined
  /** The digest of the last record of the object's stream. */
  readonly last: string
  /** What was appended to it; undefined while nothing was. */
  readonly stream?: StreamState | undefined
}

interface Held {
  binding: Binding | undefined
  holders: number
  isAlone: boolean
  /** Pending while the catalog is asked. */
  loading: Promise<void> | undefined
}

interface Folding {
  readonly sequence: Sequence
  readonly names: readonly ObjectName[]
}

/** Names asked of the catalog at once. */
const LOADS_MAX = 256

/**
 * What names are bound to as of the last record sequenced, which the catalog is to learn later.
 *
 *   hold ──▶ LOADING ──▶ HELD ──release, of a commit refused──────────────────▶ gone, with its last holder
 *                         └──releaseWhenFolded, of one durable──catalog past──▶ gone, with its last holder
 *
 * A commit that looks at more of a name than its binding, at the versions under it, has the name to itself: it waits until
 * nobody holds the name, then others wait for it, and what the catalog says of the name is true meanwhile. Such a commit
 * holds one name only, so that no two wait for each other.
 *
 * Invariant: a name that is not held is bound to what the catalog says. Whoever changes a binding holds its name until
 * the catalog has folded the change, so that one loaded later is never an old one.
 */
export class Bindings {
  readonly #catalog: Catalog
  readonly #held = new Map<string, Held>()
  readonly #claimed = new Set<string>()
  #waiting: (() => void)[] = []
  #folding: Folding[] = []
  #releasing = false
  #failure: unknown

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** Names held, for tests and statistics. */
  get size(): number {
    return this.#held.size
  }

  /** Whether something is underway, or not in the catalog yet, of a name that begins so. */
  holdsUnder(bucket: string, prefix: string): boolean {
    const beginning = idOf({ bucket, key: prefix })
    for (const id of this.#held.keys()) if (id.startsWith(beginning)) return true
    return false
  }

  /** Makes what the names are bound to known; a name may come twice. Each hold wants one release. */
  async hold(names: readonly ObjectName[], isAlone = false): Promise<void> {
    if (isAlone) await this.#claim(names)
    for (let index = 0; index < names.length; index += LOADS_MAX) {
      const some = names.slice(index, index + LOADS_MAX)
      // Nothing comes between the last look and the hold.
      while (!isAlone && this.#isClaimed(some)) await this.#change()
      const loading = some.map((name) => this.#hold(name, isAlone))
      try {
        await Promise.all(loading)
      } catch (error) {
        this.release(names.slice(0, index + some.length))
        throw error
      }
    }
  }

  /** What a held name is bound to; undefined for nothing. */
  get(name: ObjectName): Binding | undefined {
    return this.#at(name).binding
  }

  set(name: ObjectName, binding: Binding | undefined): void {
    this.#at(name).binding = binding
  }

  /** Nothing was changed, or all of it was taken back. */
  release(names: readonly ObjectName[]): void {
    for (const name of names) {
      const held = this.#at(name)
      held.holders -= 1
      if (held.holders > 0) continue
      this.#held.delete(idOf(name))
      if (held.isAlone) this.#claimed.delete(idOf(name))
    }
    for (const resume of this.#waiting.splice(0)) resume()
  }

  async #claim(names: readonly ObjectName[]): Promise<void> {
    assert(names.length === 1, 'whoever has names to itself has one')
    while (this.#isClaimed(names)) await this.#change()
    const id = idOf(names[0]!)
    this.#claimed.add(id)
    while (this.#held.has(id)) await this.#change()
  }

  #isClaimed(names: readonly ObjectName[]): boolean {
    return this.#claimed.size > 0 && names.some((name) => this.#claimed.has(idOf(name)))
  }

  /** Resolves when names were released; rejects when that will not be any more. */
  async #change(): Promise<void> {
    if (this.#failure === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Releases names once the catalog has folded `sequence`; sequences come in order. */
  releaseWhenFolded(names: readonly ObjectName[], sequence: Sequence): void {
    this.#folding.push({ sequence, names })
    if (!this.#releasing) void this.#releaseFolded()
  }

  #at(name: ObjectName): Held {
    const held = this.#held.get(idOf(name))
    assert(held, 'a binding is used while it is held')
    return held
  }

  #hold(name: ObjectName, isAlone: boolean): Promise<void> | undefined {
    const id = idOf(name)
    let held = this.#held.get(id)
    assert(!held?.isAlone && !(held && isAlone), 'whoever has a name to itself shares it with nobody')
    if (held === undefined) {
      held = { binding: undefined, holders: 0, isAlone, loading: undefined }
      held.loading = this.#load(name, held)
      this.#held.set(id, held)
    }
    held.holders += 1
    return held.loading
  }

  async #load(name: ObjectName, held: Held): Promise<void> {
    const head = await this.#catalog.head(name)
    held.binding = head && bindingOf(head)
    held.loading = undefined
  }

  async #releaseFolded(): Promise<void> {
    this.#releasing = true
    try {
      for (let next = this.#folding[0]; next !== undefined; next = this.#folding[0]) {
        await this.#catalog.settled(next.sequence)
        const { sequence } = this.#catalog.position
        const unfolded = this.#folding.findIndex((folding) => folding.sequence > sequence)
        for (const { names } of this.#folding.splice(0, unfolded < 0 ? this.#folding.length : unfolded))
          this.release(names)
      }
    } catch (error) {
      // The catalog failed: it takes no more commits (Catalog.ready rejects), and what is held stays right.
      this.#failure = error
      for (const resume of this.#waiting.splice(0)) resume()
    }
    this.#releasing = false
  }
}

function bindingOf({ stat: { object, sequence, attributes }, last, kept, older, stream }: ObjectHead): Binding {
  return { object, version: sequence, attributes, last: last.digest, kept, older, stream }
}

/** A bucket's name holds no slash. */
function idOf({ bucket, key }: ObjectName): string {
  return `${bucket}/${key}`
}
