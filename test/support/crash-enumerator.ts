import { type Medium, type RecordedWrite, SECTOR_BYTES, type TraceEvent } from './crash-device.ts'
import type { Random } from './random.ts'

/** The medium as one crash may leave it; it lies on the medium until the next state is asked for. */
export interface CrashState {
  /** Events of the trace that happened before power failed. */
  readonly boundary: number
  /** Writes from this number on left no trace. */
  readonly writes: number
  /** Writes before it that are not there, or not whole. */
  readonly lost: ReadonlySet<number>
  /** Equal names, equal images within one trace. */
  readonly name: string
}

export interface EnumerationOptions {
  readonly random: Random
  /** All subsets of the pending writes are tried up to this many of them. */
  readonly exhaustiveMax: number
  /** Sector-level tears tried at each boundary that has something pending. */
  readonly tears: number
}

/** What became of a pending write: whole, not at all, or sector by sector. */
type Fate = 'new' | 'old' | readonly SectorFate[]
type SectorFate = 'new' | 'old' | 'half' | 'garbage'

/**
 * The states in which a crash during the run `trace` may leave the medium, which is as it was before the run, and is
 * so again afterwards. A write that no flush has covered may be there whole, in part, as garbage, or not at all.
 */
export function* crashStates<Mark>(
  medium: Medium,
  trace: readonly TraceEvent<Mark>[],
  options: EnumerationOptions,
): Generator<CrashState> {
  const start = medium.mark()
  let pending: readonly RecordedWrite[] = []
  let writes = 0
  for (const [index, event] of trace.entries()) {
    if (event.kind === 'mark') continue
    if (event.kind === 'write') {
      pending = [...pending, event.write]
      writes++
    } else {
      // Another flush, which began later, may have ended before: what that one covered lies there already.
      const covered = pending.filter((write) => event.covered.includes(write))
      for (const { offset, data } of covered) medium.write(offset, data)
      pending = pending.filter((write) => !covered.includes(write))
    }
    for (const fates of fatesOf(pending, event.kind, options)) {
      const before = medium.mark()
      for (const [i, write] of pending.entries()) apply(medium, write, fates[i]!, options.random)
      yield describe(index + 1, writes, pending, fates)
      medium.rollback(before)
    }
  }
  medium.rollback(start)
}

/**
 * After a write, the states in which it has left a trace: those without it came before. After a flush, what is still
 * pending is thrown anew.
 */
function* fatesOf(
  pending: readonly RecordedWrite[],
  kind: 'write' | 'flush',
  { random, exhaustiveMax, tears }: EnumerationOptions,
): Generator<readonly Fate[]> {
  const newest = kind === 'write' ? pending.length - 1 : pending.length
  if (pending.length <= exhaustiveMax) {
    for (let subset = 0; subset < 1 << newest; subset++) {
      yield pending.map((_, i) => (i === newest || (subset >>> i) & 1 ? 'new' : 'old'))
    }
  } else {
    yield pending.map(() => 'new')
    yield pending.map((_, i) => (i === newest ? 'new' : 'old'))
  }
  if (pending.length === 0) return
  // Where the newest write is all garbage, anything alive that it touched is gone.
  if (kind === 'write') yield pending.map((write, i) => (i === newest ? torn(write, () => 'garbage') : 'old'))
  for (let i = 0; i < tears; i++) yield pending.map((write) => torn(write, () => sectorFate(random)))
}

function torn({ data }: RecordedWrite, fate: () => SectorFate): Fate {
  const sectors = Array.from({ length: data.length / SECTOR_BYTES }, fate)
  if (sectors.every((sector) => sector === 'new')) return 'new'
  return sectors.every((sector) => sector === 'old') ? 'old' : sectors
}

function sectorFate(random: Random): SectorFate {
  const chance = random.next()
  if (chance < 0.45) return 'new'
  if (chance < 0.53) return 'half'
  return chance < 0.58 ? 'garbage' : 'old'
}

function apply(medium: Medium, { offset, data }: RecordedWrite, fate: Fate, random: Random): void {
  if (fate === 'old') return
  medium.write(offset, fate === 'new' ? data : tornImage(medium.bytes.subarray(offset), data, fate, random))
}

function tornImage(old: Buffer, data: Buffer, fate: readonly SectorFate[], random: Random): Buffer {
  const result = Buffer.from(old.subarray(0, data.length))
  for (const [i, sector] of fate.entries()) {
    const from = i * SECTOR_BYTES
    if (sector === 'new') data.copy(result, from, from, from + SECTOR_BYTES)
    else if (sector === 'half') data.copy(result, from, from, from + SECTOR_BYTES / 2)
    else if (sector === 'garbage') random.bytes(SECTOR_BYTES).copy(result, from)
  }
  return result
}

/** An image is named by its newest write and by what is missing before that one, so that no flush renames it. */
function describe(
  boundary: number,
  issued: number,
  pending: readonly RecordedWrite[],
  fates: readonly Fate[],
): CrashState {
  let writes = issued
  for (let i = pending.length - 1; fates[i] === 'old' && pending[i]!.number === writes - 1; i--) writes--
  const lost = new Set<number>()
  let name = `${writes} writes`
  for (const [i, { number }] of pending.entries()) {
    const fate = fates[i]!
    if (number >= writes || fate === 'new') continue
    lost.add(number)
    name += fate === 'old' ? ` -${number}` : ` ${number}:${fate.map((sector) => sector[0]).join('')}`
  }
  return { boundary, writes, lost, name }
}
