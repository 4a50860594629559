import { type ObjectStat, type Origin, type Store, StoreError } from '../../streams/index.ts'
import { directoryEntry, type Entry, fileEntry } from './entry.ts'
import { isSegment, markerAt, objectAt, type Path, prefixAt } from './path.ts'

const listPageMax = 1000

/**
 * The store seen as a tree: `/` holds the buckets, `/bucket/a/b` is the key `a/b`. A directory is a prefix that keys
 * share; an empty one is kept by a marker, an object of no bytes whose key ends in `/`.
 */
export class Tree {
  /**
   * Who may write and may not look. Its word is taken that a directory below a bucket exists, or is made, for clients
   * step into one before they upload: every well-formed path gets the same yes, which tells of no name, and the upload
   * itself is refused where there is no bucket.
   */
  readonly isWriteOnly: boolean
  /** Of the application: its root is there (policy `home`). */
  readonly #home: Path
  readonly #store: Store
  readonly #origin: Origin

  constructor(store: Store, origin: Origin) {
    const { permissions, policy } = origin.principal
    this.#home = policy?.home?.split('/') ?? []
    this.isWriteOnly = permissions.includes('object:write') && !permissions.includes('object:read')
    this.#store = store
    this.#origin = origin
  }

  absolute(path: Path): Path {
    return [...this.#home, ...path]
  }

  async fileAt(path: Path): Promise<ObjectStat | undefined> {
    const absolute = this.absolute(path)
    if (absolute.length < 2) return undefined
    try {
      return await this.#store.stat(this.#origin, objectAt(absolute))
    } catch (error) {
      if (error instanceof StoreError && error.code === 'ERR_NOT_FOUND') return undefined
      throw error
    }
  }

  async isDirectory(path: Path): Promise<boolean> {
    if (path.length === 0) return true
    const absolute = this.absolute(path)
    const bucket = absolute[0]!
    if (!(await this.#store.buckets(this.#origin)).includes(bucket)) return false
    if (absolute.length === 1) return true
    const { objects } = await this.#store.list(this.#origin, bucket, { prefix: prefixAt(absolute), limit: 1 })
    return objects.length > 0
  }

  /** Whether keys lie below this one; whoever may not look is told of none. */
  async hasBelow(path: Path): Promise<boolean> {
    const absolute = this.absolute(path)
    if (this.isWriteOnly || absolute.length < 2) return false
    const { objects } = await this.#store.list(this.#origin, absolute[0]!, { prefix: prefixAt(absolute), limit: 1 })
    return objects.length > 0
  }

  /** Whether a directory below a bucket holds its marker at most; keys that have no path here count, too. */
  async isEmpty(path: Path): Promise<boolean> {
    const { bucket, key: prefix } = markerAt(this.absolute(path))
    const { objects, next } = await this.#store.list(this.#origin, bucket, { prefix, limit: 2 })
    return next === undefined && objects.every(({ key }) => key === prefix)
  }

  /** The entries of a directory, page by page. */
  async *pages(path: Path): AsyncGenerator<readonly Entry[]> {
    const absolute = this.absolute(path)
    const [bucket] = absolute
    if (bucket === undefined) yield (await this.#store.buckets(this.#origin)).map((name) => directoryEntry(name))
    else yield* this.#keyPages(bucket, prefixAt(absolute))
  }

  async *#keyPages(bucket: string, prefix: string): AsyncGenerator<readonly Entry[]> {
    let after: string | undefined
    do {
      const options = { prefix, delimiter: '/', limit: listPageMax, ...(after !== undefined && { after }) }
      const page = await this.#store.list(this.#origin, bucket, options)
      const entries = [
        ...page.prefixes.map((key) => directoryEntry(key.slice(prefix.length, -1))),
        ...page.objects.map((stat) => fileEntry(stat.key.slice(prefix.length), stat)),
      ]
      yield entries.filter(({ name }) => isSegment(name))
      after = page.next
    } while (after !== undefined)
  }
}
