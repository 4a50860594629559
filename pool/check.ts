import type { StoredBatch } from './batch-walk.ts'
import type { CheckReport, Finding } from './contract.ts'
import type { Entry, Placement } from './entry.ts'
import { visitTree } from './extent-tree.ts'
import type { PoolParts } from './pool.ts'
import type { Located } from './reader.ts'
import type { Segment } from './segment.ts'
import { placed } from './segment-index.ts'

const FINDINGS_MAX = 10_000

/**
 * Reads every record and every live payload and verifies them, and compares the units that they name with those that
 * the allocator believes owned. Goes on to the end, whatever it finds.
 */
export async function checkPool(parts: PoolParts): Promise<CheckReport> {
  const check = new Check(parts)
  await check.releases()
  for (const segment of [...parts.core.segments.all]) await check.segment(segment)
  return check.report()
}

class Check {
  readonly #parts: PoolParts
  readonly #findings: Finding[] = []
  readonly #owners = new Map<number, number>()
  #records = 0
  #payloadBytes = 0

  constructor(parts: PoolParts) {
    this.#parts = parts
  }

  async releases(): Promise<void> {
    const { releases } = this.#parts
    await releases.settle().catch((error: unknown) => this.#found({ problem: (error as Error).message }))
    for (const [payload, error] of releases.stuck)
      this.#found({ problem: `the space of payload ${payload} cannot be freed: ${(error as Error).message}` })
  }

  async segment(segment: Segment): Promise<void> {
    const { core, journal } = this.#parts
    const { segments } = core
    let payloads = 0
    segments.pin(segment)
    try {
      for await (const batch of segments.batches(segment, 1, journal.lastOf(segment))) {
        for (const { entry, place } of placed(batch, payloads)) {
          await this.#entry({ segment, place, entry }, batch)
          payloads += entry.payloads.length
        }
      }
    } catch (error) {
      this.#found({ problem: (error as Error).message })
    } finally {
      segments.unpin(segment)
    }
  }

  async #entry(located: Located, batch: StoredBatch): Promise<void> {
    const { segment, place, entry } = located
    const { releases } = this.#parts
    this.#records++
    for (const [number, placement] of entry.payloads.entries()) {
      const released = segment.isReleased(place.firstPayload + number) || releases.isReleased(entry.sequence, number)
      if (released || placement.form === 'gap') continue
      releases.pin(entry.sequence)
      try {
        await this.#payload(located, placement, batch)
      } catch (error) {
        this.#found({ sequence: entry.sequence, problem: (error as Error).message })
      } finally {
        releases.unpin(entry.sequence)
      }
    }
  }

  /** The scan has just found and verified its entry: nothing needs to be looked up again, and no offset table loaded. */
  async #payload(located: Located, placement: Placement, batch: StoredBatch): Promise<void> {
    const { reader, core } = this.#parts
    const { entry } = located
    this.#payloadBytes += placement.length
    if (placement.form === 'inline') {
      await reader.readInline(located, placement, batch)
      return
    }
    if (placement.form !== 'extents') return
    let length = 0
    await visitTree(core.device, core.zones, placement, {
      manifest: (unit) => this.#owns(entry, unit),
      data: (unit, bytes) => {
        this.#owns(entry, unit)
        length += bytes
      },
    })
    if (length !== placement.length)
      this.#found({ sequence: entry.sequence, problem: `${length} bytes of ${placement.length} are named` })
    for await (const _ of reader.readExtents(entry.sequence, placement, { offset: 0, length: placement.length }));
  }

  #owns(entry: Entry, unit: number): true {
    const owner = this.#owners.get(unit)
    if (owner !== undefined)
      this.#found({ sequence: entry.sequence, problem: `unit ${unit} belongs to record ${owner} too` })
    if (!this.#parts.core.allocator.isOwned(unit))
      this.#found({ sequence: entry.sequence, problem: `unit ${unit} is not marked as owned` })
    this.#owners.set(unit, entry.sequence)
    return true
  }

  #found(finding: Finding): void {
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push(finding)
  }

  report(): CheckReport {
    const owned = this.#parts.core.allocator.committedUnits
    if (owned !== this.#owners.size) {
      this.#found({ problem: `${owned} units are marked as owned, but records name ${this.#owners.size}` })
    }
    return { records: this.#records, payloadBytes: this.#payloadBytes, findings: this.#findings }
  }
}
