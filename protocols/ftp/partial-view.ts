import type { Origin, Partials, PartialUpload } from '../../streams/index.ts'
import { type Entry, partialEntry } from './entry.ts'
import { isSegment, objectAt, type Path, prefixAt } from './path.ts'

/**
 * The tree as it is to whoever uploads: a file that it sent and that was cut off has the size of what is durable, for clients
 * ask for that before they go on. Nobody else sees that there is one.
 */
export class PartialView {
  readonly #partials: Partials
  readonly #origin: Origin

  constructor(partials: Partials, origin: Origin) {
    this.#partials = partials
    this.#origin = origin
  }

  async find(path: Path): Promise<PartialUpload | undefined> {
    return this.#mayUpload && path.length > 1 ? this.#partials.find(this.#origin, objectAt(path)) : undefined
  }

  /** The entries of a directory; those that only here are files come last. */
  async *pages(path: Path, pages: AsyncIterable<readonly Entry[]>): AsyncGenerator<readonly Entry[]> {
    const partials = await this.#within(path)
    for await (const page of pages) yield page.map((entry) => overlaid(entry, partials))
    if (partials.size > 0) yield Array.from(partials, ([name, partial]) => partialEntry(name, partial))
  }

  async #within(path: Path): Promise<Map<string, PartialUpload>> {
    const [bucket] = path
    if (bucket === undefined || !this.#mayUpload) return new Map()
    const prefix = prefixAt(path)
    const all = await this.#partials.findAll(this.#origin, bucket, prefix)
    const named = all.map((partial) => [partial.key.slice(prefix.length), partial] as const)
    return new Map(named.filter(([name]) => isSegment(name) && !name.includes('/')))
  }

  get #mayUpload(): boolean {
    return this.#origin.principal.permissions.includes('object:write')
  }
}

/** Takes the partial upload that it shows from those that are left. */
function overlaid(entry: Entry, partials: Map<string, PartialUpload>): Entry {
  const partial = partials.get(entry.name)
  if (!partial) return entry
  partials.delete(entry.name)
  return entry.type === 'file' ? partialEntry(entry.name, partial) : entry
}
