import assert from 'node:assert/strict'
import type { Pool, Release, Sequence, Staging, Transaction } from './contract.ts'
import type { MappedVolume } from './volume.ts'
import { encodeVolumeRecord, type VolumeEntry } from './volume-record.ts'
import type { FoundDirectory } from './volume-restore.ts'

export const VOLUMES_MAX = 64
/** What a directory takes at the most, with a release for each of the rest of a transaction's bytes. */
const DIRECTORY_BYTES_MAX = 64 + VOLUMES_MAX * 104
const RELEASE_BYTES = 16
const RELEASES_MAX = 32_768

/** What a new directory changes. */
export interface DirectoryChange {
  /** All volumes, when it is not the same ones. */
  readonly volumes?: readonly MappedVolume[]
  readonly entries?: ReadonlyMap<MappedVolume, VolumeEntry>
  readonly releases?: readonly Release[]
}

/**
 * The directory is a record that names all volumes, and where their maps are saved. Each record of a volume names the
 * directory in force when it was drafted, so the last one leads to everything; what came after a map was saved is
 * read again when the volumes are opened.
 *
 *   absent ──create──▶ THERE ──remove──▶ REMOVED, pieces released some at a time ──▶ absent
 *
 * If power fails while one is being removed, opening goes on with it: a payload may be released twice.
 */
export class VolumeDirectory {
  readonly #pool: Pool
  /** 0 when there was none yet. */
  sequence: Sequence = 0
  volumes: readonly MappedVolume[] = []
  #nextNumber = 1

  constructor(pool: Pool) {
    this.#pool = pool
  }

  restore({ sequence, directory }: FoundDirectory, volumes: readonly MappedVolume[]): void {
    this.sequence = sequence
    this.#nextNumber = directory.nextNumber
    this.volumes = volumes
  }

  takeNumber(): number {
    return this.#nextNumber++
  }

  /** What a full pool takes is a record that lets something go: so the first one does, too. */
  async remove(volume: MappedVolume): Promise<void> {
    const removed = new Map([[volume, { ...volume.entry, removed: true }]])
    const pieces = volume.map.pieces()
    const letGo = async (): Promise<number> => {
      let releases: Release[] = []
      await this.publish(this.#pool.begin(), [], () => {
        releases = some(pieces, this.#releasesMax)
        return { entries: removed, releases }
      })
      return releases.length
    }
    // Writes that were drafted before are in the map; any later one finds that the volume is gone.
    let released = await letGo()
    await volume.pending.settled(Number.POSITIVE_INFINITY)
    while (released === this.#releasesMax) released = await letGo()
    const { map } = volume.entry
    await this.publish(this.#pool.begin(), [], () => ({
      volumes: this.volumes.filter((other) => other !== volume),
      releases: map ? [map] : [],
    }))
  }

  get #releasesMax(): number {
    const room = this.#pool.limits.transactionBytesMax - DIRECTORY_BYTES_MAX
    return Math.max(1, Math.min(RELEASES_MAX, Math.floor(room / RELEASE_BYTES)))
  }

  /**
   * Saves the maps of some volumes, and with them that the others have not changed. A map is copied page by page while
   * writes go on: a page may show more than `through` says, and what it shows is taken in again to the same end.
   */
  async save(volumes: readonly MappedVolume[]): Promise<void> {
    const transaction = this.#pool.begin()
    const saved: { volume: MappedVolume; through: Sequence; payload: Staging }[] = []
    try {
      for (const volume of volumes.filter(({ entry }) => !entry.removed)) {
        const payload = transaction.stage()
        // Whatever is durable was drafted, and what was drafted is in the map.
        saved.push({ volume, through: Math.max(volume.sequence, this.#pool.position.sequence), payload })
        for (const number of volume.map.pageNumbers()) await payload.write(volume.map.encodePage(number))
      }
    } catch (error) {
      await transaction.abort()
      throw error
    }
    const payloads = saved.map(({ payload }) => payload)
    const old = saved.flatMap(({ volume }) => volume.entry.map ?? [])
    await this.publish(transaction, payloads, (sequence) => {
      const entries = saved.map(({ volume, through }, payload): [MappedVolume, VolumeEntry] => {
        return [volume, { ...volume.entry, map: { sequence, payload }, through }]
      })
      return { entries: new Map(entries), releases: old }
    })
    for (const { volume, payload } of saved) volume.savedBytes = payload.length
  }

  /** Commits a directory, which is in force from its drafting on. */
  async publish(
    transaction: Transaction,
    payloads: readonly Staging[],
    changeFrom: (first: Sequence) => DirectoryChange,
  ): Promise<void> {
    await transaction.commit((first) => {
      const before = { sequence: this.sequence, volumes: this.volumes }
      const { volumes = before.volumes, entries = new Map(), releases = [] } = changeFrom(first)
      const changed = volumes.map((volume) => ({ volume, old: volume.entry, entry: entries.get(volume) }))
      for (const { volume, entry } of changed) volume.entry = entry ?? unchangedUntil(first, volume)
      this.volumes = volumes
      this.sequence = first
      const list = volumes.map(({ entry }) => entry)
      const content = {
        kind: 'directory',
        nextNumber: this.#nextNumber,
        previous: before.sequence,
        volumes: list,
      } as const
      const refused = () => {
        for (const { volume, old } of changed) volume.entry = old
        this.volumes = before.volumes
        this.sequence = before.sequence
      }
      return { records: [{ content: encodeVolumeRecord(content), payloads }], releases, refused }
    })
  }
}

/** A map that no write has changed is as good as saved just before `first`. */
function unchangedUntil(first: Sequence, { isDirty, entry }: MappedVolume): VolumeEntry {
  assert(entry.through < first)
  return isDirty ? entry : { ...entry, through: first - 1 }
}

function some<T>(from: Iterator<T>, max: number): T[] {
  const taken: T[] = []
  while (taken.length < max) {
    const { done, value } = from.next()
    if (done) break
    taken.push(value)
  }
  return taken
}
