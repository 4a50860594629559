import type { Checkpoint } from './checkpoint.ts'
import type { Sequence } from './contract.ts'
import type { Core } from './core.ts'
import { isUnreadable } from './errors.ts'
import { visitTree } from './extent-tree.ts'
import type { Releases } from './releases.ts'
import type { ScrubRecord } from './scrub-report.ts'
import type { Suspects } from './suspects.ts'

export interface SpaceParts {
  readonly core: Core
  readonly releases: Releases
  readonly checkpoint: Checkpoint
}

/**
 * Frees units that are owned and that nothing names: a payload was let go whose manifest is damaged, and what that
 * named nobody can tell. It is certain only after a scrub that read every record, and every manifest of what lives:
 *
 * 1. `suspects` are the units owned when it began, less those that it found named, and those that came or went since.
 * 2. What was let go and could not be freed is tried once more: it may have been mended.
 * 3. Records since `goal` may have inherited units from one before. They are looked through while nothing is committed.
 */
export async function freeUnnamed(
  { core, releases, checkpoint }: SpaceParts,
  suspects: Suspects,
  goal: Sequence,
  record: ScrubRecord,
): Promise<void> {
  if (unnamed(core, suspects).length === 0) return
  await releases.retry()
  await checkpoint.exclusively(async () => {
    await releases.settle()
    const isCertain = releases.stuck.size === 0 && (await clearLater(core, releases, suspects, goal))
    const units = unnamed(core, suspects)
    if (units.length > 0 && isCertain) releases.freeUnnamed(units)
    if (units.length > 0) tellUnnamed(core, units.length, isCertain, record)
  })
}

/** Says of units that cannot be freed that they are kept. */
export function tellKept(core: Core, suspects: Suspects, record: ScrubRecord): void {
  const units = unnamed(core, suspects).length
  if (units > 0) tellUnnamed(core, units, false, record)
}

const unnamed = ({ allocator }: Core, suspects: Suspects): number[] =>
  [...suspects].filter((unit) => allocator.isOwned(unit))

function tellUnnamed({ zones }: Core, units: number, isFreed: boolean, record: ScrubRecord): void {
  record.add(isFreed ? 'repaired' : 'damaged', {
    subject: 'space',
    kind: 'unnamed',
    length: units * zones.unitBytes,
    note: isFreed
      ? 'nothing names it any more: it becomes free with the next checkpoint'
      : 'nothing that can be read names it, but damage may hide its owner: it stays taken',
  })
}

/** Takes out what records from `goal` on name; false when that cannot be told. */
async function clearLater({ device, zones, segments }: Core, releases: Releases, suspects: Suspects, goal: Sequence) {
  const take = (unit: number): true => {
    suspects.clear(unit)
    return true
  }
  try {
    for (const segment of segments.all.filter(({ nextSequence }) => nextSequence > goal)) {
      let number = 0
      for await (const { entries } of segments.batches(segment)) {
        for (const { entry } of entries) {
          for (const [payload, placement] of entry.payloads.entries()) {
            const isGone = segment.isReleased(number++) || releases.isReleased(entry.sequence, payload)
            if (isGone || placement.form !== 'extents') continue
            await visitTree(device, zones, placement, { manifest: take, data: take })
          }
        }
      }
    }
    return true
  } catch (error) {
    if (isUnreadable(error)) return false
    throw error
  }
}
