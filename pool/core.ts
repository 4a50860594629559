import type { Allocator, Run } from './allocator.ts'
import type { SharedBuffers } from './bytes.ts'
import type { Sequence } from './contract.ts'
import type { Format, Tuning } from './format.ts'
import type { HaltableDevice } from './haltable-device.ts'
import type { Members } from './members.ts'
import type { Mutations } from './mutation.ts'
import type { Reservations } from './reservations.ts'
import type { Segment } from './segment.ts'
import type { Segments } from './segments.ts'
import type { Zones } from './zones.ts'

/** What the parts of an open pool share. */
export interface Core {
  readonly device: HaltableDevice
  readonly members: Members
  readonly format: Format
  readonly tuning: Tuning
  readonly zones: Zones
  readonly mutations: Mutations
  readonly pool: Buffer
  readonly allocator: Allocator
  readonly reservations: Reservations
  readonly segments: Segments
  readonly buffers: SharedBuffers
  /** Prepared records from which an upload goes on. */
  readonly held: Set<Sequence>
  /** Asks for space that was released but is not free yet; false when there is none to be had. */
  reclaim(): Promise<boolean>
  /** Bytes by which the pool may yet grow by itself. */
  growableBytes(): number
  /** Takes units out of use, or the regions of a segment, to which a write has failed; of too many the pool halts. */
  retire(what: Run | Pick<Segment, 'regions'>, cause: unknown): void
}
