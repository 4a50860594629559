import assert from 'node:assert/strict'
import type { Pool, Release, Sequence, Staging, Transaction } from './contract.ts'
import { PoolError } from './errors.ts'
import { Mutex } from './io.ts'
import { systemTimers, type Timers } from './open.ts'
import { MappedVolume, type Volume, type VolumeGround } from './volume.ts'
import { mapBytesOf, type Piece } from './volume-map.ts'
import { encodeVolumeRecord, type VolumeEntry } from './volume-record.ts'
import { findDirectory, restoreVolumes } from './volume-restore.ts'
import { limitsOf, VOLUME_BLOCK_BYTES } from './volume-shape.ts'
import { Tidy } from './volume-tidy.ts'

export interface VolumesOptions {
  /** Memory that the maps of all volumes may come to take: a 512th of their sizes. */
  readonly mapBytesMax?: number
  /** Records of the pool that opening the volumes reads again; more for a map that is larger than these. */
  readonly saveRecordsMax?: number
  readonly timers?: Timers
}

export interface VolumeStatus {
  readonly name: string
  readonly size: number
  /** Bytes ever written, each counted once. */
  readonly writtenBytes: number
  /** Payload bytes in the pool: what was written, what of it was overwritten and not let go yet, and the saved map. */
  readonly storedBytes: number
  /** What it may still come to take. */
  readonly reservedBytes: number
}

/** The volumes of a pool. */
export interface Volumes {
  /** What the pool must keep free for them; others should leave it alone. */
  readonly reservedBytes: number
  /** ERR_CONFLICT when the name is taken, ERR_NO_SPACE when the pool has no room for it to be overwritten for ever. */
  create(name: string, size: number): Promise<Volume>
  /** ERR_NOT_FOUND. */
  open(name: string): Volume
  list(): readonly VolumeStatus[]
  /** Gives its space back. ERR_NOT_FOUND. */
  remove(name: string): Promise<void>
  /** Waits for writes underway and saves the maps. The pool is its owner's to close. */
  close(): Promise<void>
}

const DEFAULTS = { mapBytesMax: 256 << 20, saveRecordsMax: 16_384, timers: systemTimers }
export const VOLUMES_MAX = 64
const SIZE_MAX = 2 ** 32 * VOLUME_BLOCK_BYTES
const SAVE_MS = 10_000
/** What a directory takes at the most, with a release for each of the rest of a transaction's bytes. */
const DIRECTORY_BYTES_MAX = 64 + VOLUMES_MAX * 104
const RELEASE_BYTES = 16
const RELEASES_MAX = 32_768
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

const open = new WeakSet<Pool>()

/**
 * Opens the volumes of a pool, which others may use beside them. ERR_BUSY when they are open already, ERR_CORRUPT,
 * ERR_LIMITS when their maps are larger than `mapBytesMax`.
 */
export async function openVolumes(pool: Pool, options: VolumesOptions = {}): Promise<Volumes> {
  if (open.has(pool)) throw new PoolError('ERR_BUSY', 'the volumes of this pool are open already')
  open.add(pool)
  try {
    const volumes = new PoolVolumes(pool, { ...DEFAULTS, ...options })
    await volumes.restore()
    return volumes
  } catch (error) {
    open.delete(pool)
    throw error
  }
}

/** What a new directory changes. */
interface DirectoryChange {
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
class PoolVolumes implements Volumes, VolumeGround {
  readonly pool: Pool
  directory: Sequence = 0
  readonly #options: Required<VolumesOptions>
  readonly #tidy = new Tidy()
  /** Directories are drafted one after the other. */
  readonly #turn = new Mutex()
  #volumes: readonly MappedVolume[] = []
  #nextNumber = 1
  readonly #reclaimTurn = new Mutex()
  #reclaiming: Promise<void> | undefined
  #saving: Promise<void> | undefined
  /** A position of the pool before which saving is not tried again. */
  #saveFrom: Sequence = 0
  #isOpen = true
  #stopTimer = () => {}

  constructor(pool: Pool, options: Required<VolumesOptions>) {
    this.pool = pool
    this.#options = options
  }

  async restore(): Promise<void> {
    const found = await findDirectory(this.pool)
    if (found) {
      this.directory = found.sequence
      this.#nextNumber = found.directory.nextNumber
      this.#assertMapsFit(found.directory.volumes)
      this.#volumes = await restoreVolumes(this, found)
    }
    for (const volume of this.#volumes) {
      if (volume.entry.removed) await this.#discard(volume)
      else this.#tidy.add(volume, volume.sparsePieces())
    }
    this.#stopTimer = this.#options.timers.every(SAVE_MS, () => this.#saveWhenDue())
  }

  /** What each reserves, and once as much as the pool keeps for itself, for the segments that are being compacted. */
  get reservedBytes(): number {
    const volumes = this.list()
    if (volumes.length === 0) return 0
    return volumes.reduce((sum, { reservedBytes }) => sum + reservedBytes, this.pool.limits.reserveBytes)
  }

  create(name: string, size: number): Promise<Volume> {
    return this.#turn.run(() => this.#create(name, size))
  }

  async #create(name: string, size: number): Promise<Volume> {
    this.#assertOpen()
    const entry = { number: this.#nextNumber, name, size, removed: false, map: undefined, through: 0 }
    this.#admit(entry)
    if (!this.#hasRoomFor(size)) await this.reclaim()
    if (!this.#hasRoomFor(size)) {
      const wanted = `a volume of ${size} bytes reserves ${reserveOf(size)}`
      throw new PoolError('ERR_NO_SPACE', `${wanted}, and the pool has ${this.#room} to give`)
    }
    const volume = new MappedVolume(this, entry)
    this.#nextNumber++
    await this.#publish(this.pool.begin(), [], (first) => ({
      volumes: [...this.#volumes, volume],
      entries: new Map([[volume, { ...entry, through: first }]]),
    }))
    return volume
  }

  #admit({ name, size }: VolumeEntry): void {
    if (!NAME.test(name)) throw new PoolError('ERR_LIMITS', `the name of a volume is ${NAME.source}`)
    if (!(size > 0 && size <= SIZE_MAX && size % VOLUME_BLOCK_BYTES === 0)) {
      throw new PoolError('ERR_LIMITS', `a volume has whole blocks of ${VOLUME_BLOCK_BYTES} bytes, and not ${size}`)
    }
    const { transactionBytesMax } = this.pool.limits
    if (limitsOf(size, transactionBytesMax).transactionBytesMax < VOLUME_BLOCK_BYTES) {
      throw new PoolError('ERR_LIMITS', `a block is too large for transactions of ${transactionBytesMax} bytes`)
    }
    if (this.#find(name)) throw new PoolError('ERR_CONFLICT', `there is a volume ${name} already`)
    if (this.#volumes.length >= VOLUMES_MAX) throw new PoolError('ERR_LIMITS', `of ${VOLUMES_MAX} volumes at the most`)
    this.#assertMapsFit([...this.#volumes.map(({ entry }) => entry), { size }])
  }

  #hasRoomFor(size: number): boolean {
    return reserveOf(size) <= this.#room
  }

  /** Free bytes that neither the pool keeps for itself nor another volume needs. */
  get #room(): number {
    const { reserveBytes } = this.pool.limits
    const reserved = Math.max(this.reservedBytes, reserveBytes)
    return Math.max(0, this.pool.status().freeBytes - reserveBytes - reserved)
  }

  #assertMapsFit(volumes: readonly Pick<VolumeEntry, 'size'>[]): void {
    const bytes = volumes.reduce((sum, { size }) => sum + mapBytesOf(size / VOLUME_BLOCK_BYTES), 0)
    const { mapBytesMax } = this.#options
    if (bytes > mapBytesMax) throw new PoolError('ERR_LIMITS', `maps of ${bytes} bytes, of ${mapBytesMax} at the most`)
  }

  open(name: string): Volume {
    return this.#require(name)
  }

  list(): readonly VolumeStatus[] {
    return this.#volumes.filter(({ entry }) => !entry.removed).map(statusOf)
  }

  remove(name: string): Promise<void> {
    return this.#turn.run(() => {
      this.#assertOpen()
      return this.#discard(this.#require(name))
    })
  }

  /** What a full pool takes is a record that lets something go: so the first one does, too. */
  async #discard(volume: MappedVolume): Promise<void> {
    const removed = new Map([[volume, { ...volume.entry, removed: true }]])
    let pieces: Iterator<Piece> = volume.map.pieces()
    const letGo = async (): Promise<number> => {
      let releases: Release[] = []
      await this.#publish(this.pool.begin(), [], () => {
        releases = some(pieces, this.#releasesMax)
        return { entries: removed, releases }
      })
      return releases.length
    }
    // Writes that were drafted before are in the map; any later one finds that the volume is gone.
    let released = await letGo()
    await volume.pending.settled(Number.POSITIVE_INFINITY)
    while (released === this.#releasesMax) released = await letGo()
    pieces = [].values()
    const { map } = volume.entry
    await this.#publish(this.pool.begin(), [], () => ({
      volumes: this.#volumes.filter((other) => other !== volume),
      releases: map ? [map] : [],
    }))
  }

  get #releasesMax(): number {
    const room = this.pool.limits.transactionBytesMax - DIRECTORY_BYTES_MAX
    return Math.max(1, Math.min(RELEASES_MAX, Math.floor(room / RELEASE_BYTES)))
  }

  ready(): Promise<void> {
    this.#assertOpen()
    return this.#tidy.ready()
  }

  /** One checkpoint serves all who ask before it begins. */
  reclaim(): Promise<void> {
    this.#reclaiming ??= this.#reclaimTurn.run(() => {
      this.#reclaiming = undefined
      return this.pool.checkpoint()
    })
    return this.#reclaiming
  }

  written(volume: MappedVolume, sparse: readonly Piece[]): void {
    if (sparse.length > 0) this.#tidy.add(volume, sparse)
    this.#saveWhenDue()
  }

  /** Saves maps that have changed so much that reading that again would take longer than reading them. */
  #saveWhenDue(): void {
    const { sequence } = this.pool.position
    if (!this.#isOpen || this.#saving || sequence < this.#saveFrom) return
    const { saveRecordsMax } = this.#options
    const due = this.#volumes.filter(({ isDirty, entry, map }) => {
      return isDirty && sequence - entry.through >= Math.max(saveRecordsMax, map.written / 8)
    })
    if (due.length === 0 && sequence - this.directory < saveRecordsMax) return
    this.#saving = this.#turn
      .run(() => this.#save(due))
      .catch((error: unknown) => {
        if (!(error instanceof PoolError)) throw error
        this.#saveFrom = this.pool.position.sequence + saveRecordsMax // It is only the next opening that takes longer.
      })
      .finally(() => {
        this.#saving = undefined
      })
  }

  /**
   * Saves the maps of some volumes, and with them that the others have not changed. A map is copied page by page while
   * writes go on: a page may show more than `through` says, and what it shows is taken in again to the same end.
   */
  async #save(volumes: readonly MappedVolume[]): Promise<void> {
    const transaction = this.pool.begin()
    const saved: { volume: MappedVolume; through: Sequence; payload: Staging }[] = []
    try {
      for (const volume of volumes.filter(({ entry }) => !entry.removed)) {
        const payload = transaction.stage()
        // Whatever is durable was drafted, and what was drafted is in the map.
        saved.push({ volume, through: Math.max(volume.sequence, this.pool.position.sequence), payload })
        for (const number of volume.map.pageNumbers()) await payload.write(volume.map.encodePage(number))
      }
    } catch (error) {
      await transaction.abort()
      throw error
    }
    const payloads = saved.map(({ payload }) => payload)
    const old = saved.flatMap(({ volume }) => volume.entry.map ?? [])
    await this.#publish(transaction, payloads, (sequence) => {
      const entries = saved.map(({ volume, through }, payload): [MappedVolume, VolumeEntry] => {
        return [volume, { ...volume.entry, map: { sequence, payload }, through }]
      })
      return { entries: new Map(entries), releases: old }
    })
    for (const { volume, payload } of saved) volume.savedBytes = payload.length
  }

  /** Commits a directory, which is in force from its drafting on. */
  async #publish(
    transaction: Transaction,
    payloads: readonly Staging[],
    changeFrom: (first: Sequence) => DirectoryChange,
  ): Promise<void> {
    await transaction.commit((first) => {
      const { directory, ...before } = { directory: this.directory, volumes: this.#volumes }
      const { volumes = before.volumes, entries = new Map(), releases = [] } = changeFrom(first)
      const changed = volumes.map((volume) => ({ volume, old: volume.entry, entry: entries.get(volume) }))
      for (const { volume, entry } of changed) volume.entry = entry ?? unchangedUntil(first, volume)
      this.#volumes = volumes
      this.directory = first
      const list = volumes.map(({ entry }) => entry)
      const content = { kind: 'directory', nextNumber: this.#nextNumber, previous: directory, volumes: list } as const
      const refused = () => {
        for (const { volume, old } of changed) volume.entry = old
        this.#volumes = before.volumes
        this.directory = directory
      }
      return { records: [{ content: encodeVolumeRecord(content), payloads }], releases, refused }
    })
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#stopTimer()
    await Promise.all(this.#volumes.map((volume) => volume.flush()))
    await this.#tidy.idle()
    await this.#saving
    try {
      await this.#turn.run(async () => {
        const dirty = this.#volumes.filter(({ isDirty }) => isDirty)
        if (dirty.length > 0) await this.#save(dirty)
      })
    } catch (error) {
      if (!(error instanceof PoolError)) throw error // It is only the next opening that takes longer.
    } finally {
      open.delete(this.pool)
    }
  }

  #find(name: string): MappedVolume | undefined {
    return this.#volumes.find(({ entry }) => entry.name === name && !entry.removed)
  }

  #require(name: string): MappedVolume {
    this.#assertOpen()
    const volume = this.#find(name)
    if (!volume) throw new PoolError('ERR_NOT_FOUND', `there is no volume ${name}`)
    return volume
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new PoolError('ERR_CLOSED', 'the volumes are closed')
  }
}

/** A map that no write has changed is as good as saved just before `first`. */
function unchangedUntil(first: Sequence, { isDirty, entry }: MappedVolume): VolumeEntry {
  assert(entry.through < first)
  return isDirty ? entry : { ...entry, through: first - 1 }
}

/** Twice its size, for pieces may be half dead, and segments half empty; and two saved maps. */
const reserveOf = (size: number): number => 2 * (size + mapBytesOf(size / VOLUME_BLOCK_BYTES))

function statusOf({ name, limits, map, storedBytes }: MappedVolume): VolumeStatus {
  const reservedBytes = Math.max(0, reserveOf(limits.size) - storedBytes)
  return { name, size: limits.size, writtenBytes: map.written * VOLUME_BLOCK_BYTES, storedBytes, reservedBytes }
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
