import type { Pool, PoolRecord, Sequence } from './contract.ts'
import { PoolError } from './errors.ts'
import { MappedVolume, type VolumeGround } from './volume.ts'
import { PAGE_BYTES } from './volume-map.ts'
import {
  type DirectoryRecord,
  decodeVolumeRecord,
  isVolumeRecord,
  type VolumeEntry,
  type WriteRecord,
} from './volume-record.ts'
import { GROUP_BLOCKS } from './volume-shape.ts'

export interface FoundDirectory {
  readonly sequence: Sequence
  readonly directory: DirectoryRecord
}

/** Records looked at first; then twice as many before them, and so on. */
const SEARCH_RECORDS = 1024

/** The directory in force, which the last record of any volume names; undefined in a pool without volumes. */
export async function findDirectory(pool: Pool): Promise<FoundDirectory | undefined> {
  const last = await lastVolumeRecord(pool)
  if (!last) return undefined
  const record = decodeVolumeRecord(last.content)
  if (record.kind === 'directory') return { sequence: last.sequence, directory: record }
  const { content } = await pool.record(record.directory)
  const directory = isVolumeRecord(content) ? decodeVolumeRecord(content) : undefined
  if (directory?.kind !== 'directory') {
    throw new PoolError('ERR_CORRUPT', `record ${last.sequence} names ${record.directory}, which is no directory`)
  }
  return { sequence: record.directory, directory }
}

async function lastVolumeRecord(pool: Pool): Promise<PoolRecord | undefined> {
  let count = SEARCH_RECORDS
  for (let end = pool.position.sequence; end >= 1; count *= 2) {
    const start = Math.max(1, end - count + 1)
    let found: PoolRecord | undefined
    for await (const record of pool.replay(start)) {
      if (record.sequence > end) break
      if (isVolumeRecord(record.content)) found = record
    }
    if (found) return found
    end = start - 1
  }
  return undefined
}

/** The volumes of a directory with their maps as of now: as saved, and every write since taken in again. */
export async function restoreVolumes(ground: VolumeGround, found: FoundDirectory): Promise<MappedVolume[]> {
  const { pool } = ground
  const volumes = new Map<number, MappedVolume>()
  let through = found.sequence
  for (const entry of found.directory.volumes) {
    const volume = new MappedVolume(ground, entry)
    volumes.set(entry.number, volume)
    through = Math.min(through, entry.through)
    if (entry.map) await loadMap(pool, volume, entry.map)
  }
  for await (const { sequence, content, payloads } of pool.replay(through + 1)) {
    if (!isVolumeRecord(content)) continue
    const record = decodeVolumeRecord(content)
    if (record.kind !== 'write') continue
    const volume = volumes.get(record.volume)
    if (!volume || sequence <= volume.entry.through) continue
    if (!isSound(record, payloads.length, volume))
      throw new PoolError('ERR_CORRUPT', `record ${sequence} is no write to the volume ${volume.name}`)
    volume.take(sequence, record.spans)
  }
  return [...volumes.values()]
}

async function loadMap(pool: Pool, volume: MappedVolume, map: NonNullable<VolumeEntry['map']>): Promise<void> {
  let rest = Buffer.alloc(0)
  for await (const chunk of pool.read(map.sequence, map.payload)) {
    volume.savedBytes += chunk.length
    rest = Buffer.concat([rest, chunk])
    for (; rest.length >= PAGE_BYTES; rest = rest.subarray(PAGE_BYTES)) {
      if (!volume.map.decodePage(rest.subarray(0, PAGE_BYTES))) throw damaged(volume)
    }
  }
  if (rest.length > 0) throw damaged(volume)
}

const damaged = ({ name, entry }: MappedVolume): PoolError =>
  new PoolError('ERR_CORRUPT', `the map of the volume ${name} in record ${entry.map?.sequence} is no map of it`)

function isSound({ spans }: WriteRecord, payloads: number, { limits }: MappedVolume): boolean {
  const end = limits.size / limits.blockBytes
  const fits = spans.every(
    ({ block, blocks }) => blocks >= 1 && (block % GROUP_BLOCKS) + blocks <= GROUP_BLOCKS && block + blocks <= end,
  )
  return fits && spans.length === payloads
}
