import { encodeTuple } from '../catalog/catalog-keys.ts'
import type { ObjectName } from '../envelope.ts'
import type { PartialUpload } from './partial-port.ts'

/** Where a partial upload is, or can be: of an application there is one under a name. */
export interface PartialPlace extends ObjectName {
  readonly application: string
}

/** Partial uploads as of the last record sequenced, and who goes on with which: one at a time. */
export class PartialTable {
  /** By name, and then by application. */
  readonly #names = new Map<string, Map<string, PartialUpload>>()
  readonly #claimed = new Set<string>()

  constructor(partials: Iterable<PartialUpload> = []) {
    for (const partial of partials) this.set(partial, partial)
  }

  get({ application, bucket, key }: PartialPlace): PartialUpload | undefined {
    return this.#names.get(encodeTuple(bucket, key))?.get(application)
  }

  set({ application, bucket, key }: PartialPlace, partial: PartialUpload | undefined): void {
    const name = encodeTuple(bucket, key)
    const under = this.#names.get(name) ?? new Map<string, PartialUpload>()
    if (partial) under.set(application, partial)
    else under.delete(application)
    if (under.size > 0) this.#names.set(name, under)
    else this.#names.delete(name)
  }

  /** Every application's under a name. */
  under({ bucket, key }: ObjectName): readonly PartialUpload[] {
    if (this.#names.size === 0) return []
    return [...(this.#names.get(encodeTuple(bucket, key))?.values() ?? [])]
  }

  all(): readonly PartialUpload[] {
    return [...this.#names.values()].flatMap((under) => [...under.values()])
  }

  isClaimed(place: PartialPlace): boolean {
    return this.#claimed.has(idOf(place))
  }

  /** Undefined while somebody else has it. */
  claim(place: PartialPlace): Claim | undefined {
    const id = idOf(place)
    if (this.#claimed.has(id)) return undefined
    this.#claimed.add(id)
    return { release: () => void this.#claimed.delete(id) }
  }
}

/** Of a place: nobody else goes on with what is there, and nobody lets it go. */
export interface Claim {
  release(): void
}

const idOf = ({ application, bucket, key }: PartialPlace): string => encodeTuple(application, bucket, key)
