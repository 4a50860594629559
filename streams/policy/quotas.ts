import type { Sequence } from '../../pool/index.ts'
import type { Catalog, ObjectHead } from '../catalog/catalog-port.ts'
import type { Envelope, ObjectName, Origin } from '../envelope.ts'
import type { PartialTable } from '../partials/partial-table.ts'
import { type BucketSettings, versioningIn } from '../versions/bucket-settings.ts'
import { supersede } from '../versions/versions.ts'
import { Allowance, type Ledger, type Own, type Replaced } from './allowance.ts'

export interface QuotasOptions {
  readonly catalog: Pick<Catalog, 'usage' | 'head' | 'settled'>
  readonly buckets: ReadonlyMap<string, BucketSettings>
  readonly partials: Pick<PartialTable, 'counted'>
  /** Resolves once everything acknowledged is in the catalog. */
  readonly settled: () => Promise<void>
}

/** What is to be stored, as far as that is known. */
export interface QuotaRequest {
  readonly origin: Origin
  readonly name: ObjectName
  readonly bytes: number
  /** What is prepared of it, or was before. */
  readonly own?: Own | undefined
}

const UNBOUNDED = Number.POSITIVE_INFINITY

/**
 * Holds applications to their quotas. What they have stored is the catalog's to know, exactly, as of its position; what
 * comes meanwhile is held here: each upload holds room from its first byte until the catalog counts it. What is prepared is
 * counted from its record on, by the allowance of its upload or, when that has none or is cut off, among the partial uploads. So no quota is
 * passed, however many uploads come at once; what was removed gives room once it is folded, which a refusal waits for.
 */
export class Quotas {
  readonly #options: QuotasOptions
  readonly #ledgers = new Map<string, Ledger>()

  constructor(options: QuotasOptions) {
    this.#options = options
  }

  /** Room for what is to be stored; undefined where no quota bounds it. ERR_QUOTA when there is none. */
  async allow(request: QuotaRequest): Promise<Allowance | undefined> {
    const { quotaBytes, quotaObjects } = request.origin.principal.policy ?? {}
    if (quotaBytes === undefined && quotaObjects === undefined) return undefined
    const { settled } = this.#options
    const bounds = { bytesMax: quotaBytes ?? UNBOUNDED, objectsMax: quotaObjects ?? UNBOUNDED }
    const sources = { settled, replaced: () => this.#replacedBy(request), own: request.own }
    const allowance = new Allowance(this.#ledgerOf(request.origin), bounds, sources)
    await allowance.grow(request.bytes)
    return allowance
  }

  /** Room for an upload of which `bytes` are there: who is full is told so before the first one comes. */
  allowUpload(
    { origin, name, expected, announced = 1 }: Envelope,
    bytes = 0,
    own?: Own,
  ): Promise<Allowance | undefined> {
    return this.allow({ origin, name, bytes: Math.max(expected.size ?? announced, bytes), own })
  }

  /** Bytes that an application may store yet; Infinity where no quota says. */
  left(origin: Origin): number {
    const { quotaBytes, quotaObjects } = origin.principal.policy ?? {}
    const ledger = this.#ledgerOf(origin)
    const { bytes, objects } = ledger.usage()
    if (objects + ledger.held.objects >= (quotaObjects ?? UNBOUNDED)) return 0
    return Math.max(0, (quotaBytes ?? UNBOUNDED) - bytes - ledger.held.bytes)
  }

  /** Gives back the room of an upload that has come to nothing or, with the sequence of its record, once that is counted. */
  async release(allowance: Allowance, sequence?: Sequence): Promise<void> {
    // A catalog that failed counts nothing any more, and takes nothing in, either.
    if (sequence !== undefined) await this.#options.catalog.settled(sequence).catch(() => undefined)
    allowance.end()
  }

  #ledgerOf({ principal: { application } }: Origin): Ledger {
    const known = this.#ledgers.get(application)
    if (known) return known
    const { catalog, partials } = this.#options
    const usage = () => {
      const { bytes, objects } = catalog.usage(application)
      return { bytes: bytes + partials.counted(application), objects }
    }
    const ledger = { application, held: { bytes: 0, objects: 0 }, usage }
    this.#ledgers.set(application, ledger)
    return ledger
  }

  /** The version of the application's own that a put would let go of. */
  async #replacedBy({ origin, name }: QuotaRequest): Promise<Replaced | undefined> {
    const { catalog, buckets } = this.#options
    const settings = buckets.get(name.bucket)
    const head = settings && (await catalog.head(name))
    return head && settings && head.application === origin.principal.application
      ? letGoBy(head, versioningIn(settings))
      : undefined
  }
}

function letGoBy({ stat, kept, older }: ObjectHead, versioning: ReturnType<typeof versioningIn>): Replaced | undefined {
  const { sequence: version, attributes, size: bytes } = stat
  return supersede({ version, attributes, kept, older }, versioning).keeps ? undefined : { version, bytes }
}
