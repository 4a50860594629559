import { encodeTuple } from '../catalog/catalog-keys.ts'
import type { ObjectName } from '../envelope.ts'
import type { PartialUpload } from './partial-port.ts'

/** Where a partial upload is, or can be: of an application there is one under a name. */
export interface PartialPlace extends ObjectName {
  readonly application: string
}

/**
 * Partial uploads as of the last record sequenced, who goes on with which, one at a time, and what they take of their
 * applications' quotas: what is not counted by an allowance is counted here.
 */
export class PartialTable {
  /** By name, and then by application. */
  readonly #names = new Map<string, Map<string, PartialUpload>>()
  readonly #claims = new Map<string, Claim>()
  readonly #counted = new Map<string, number>()

  constructor(partials: Iterable<PartialUpload> = []) {
    for (const partial of partials) this.set(partial, partial)
  }

  get({ application, bucket, key }: PartialPlace): PartialUpload | undefined {
    return this.#names.get(encodeTuple(bucket, key))?.get(application)
  }

  set(place: PartialPlace, partial: PartialUpload | undefined): void {
    const { application, bucket, key } = place
    const isCovered = this.#claims.get(idOf(place))?.isCovered
    if (!isCovered) this.#count(application, (partial?.size ?? 0) - (this.get(place)?.size ?? 0))
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

  bytesOf(application: string): number {
    return this.all().reduce((sum, partial) => sum + (partial.application === application ? partial.size : 0), 0)
  }

  isClaimed(place: PartialPlace): boolean {
    return this.#claims.has(idOf(place))
  }

  /** Undefined while somebody else has it. */
  claim(place: PartialPlace): Claim | undefined {
    const id = idOf(place)
    if (this.#claims.has(id)) return undefined
    const claim = new Claim(
      () => this.get(place)?.size ?? 0,
      (bytes) => this.#count(place.application, bytes),
      () => this.#claims.delete(id),
    )
    this.#claims.set(id, claim)
    return claim
  }

  /** Bytes of an application's that no allowance covers. */
  counted(application: string): number {
    return this.#counted.get(application) ?? 0
  }

  #count(application: string, bytes: number): void {
    const counted = this.counted(application) + bytes
    if (counted === 0) this.#counted.delete(application)
    else this.#counted.set(application, counted)
  }
}

/** Of a place: nobody else goes on with what is there, and nobody lets it go. */
export class Claim {
  readonly #size: () => number
  readonly #count: (bytes: number) => void
  readonly #end: () => void
  #isCovered = false

  constructor(size: () => number, count: (bytes: number) => void, end: () => void) {
    this.#size = size
    this.#count = count
    this.#end = end
  }

  /** What is durable there. */
  get bytes(): number {
    return this.#size()
  }

  /** Whether the allowance of the upload that has it counts what is there. */
  get isCovered(): boolean {
    return this.#isCovered
  }

  cover(isCovered: boolean): void {
    if (isCovered === this.#isCovered) return
    this.#isCovered = isCovered
    this.#count(isCovered ? -this.bytes : this.bytes)
  }

  release(): void {
    this.cover(false)
    this.#end()
  }
}

const idOf = ({ application, bucket, key }: PartialPlace): string => encodeTuple(application, bucket, key)
