import type { Pool, Sequence } from './contract.ts'
import { PoolError } from './errors.ts'
import { Mutex } from './io.ts'
import { systemTimers, type Timers } from './open.ts'
import { MappedVolume, type Volume, type VolumeGround } from './volume.ts'
import { VOLUMES_MAX, VolumeDirectory } from './volume-directory.ts'
import { mapBytesOf, type Piece } from './volume-map.ts'
import type { VolumeEntry } from './volume-record.ts'
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
const SIZE_MAX = 2 ** 32 * VOLUME_BLOCK_BYTES
const SAVE_MS = 10_000
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

class PoolVolumes implements Volumes, VolumeGround {
  readonly pool: Pool
  readonly #options: Required<VolumesOptions>
  readonly #tidy = new Tidy()
  /** Directories are drafted one after the other. */
  readonly #turn = new Mutex()
  readonly #directory: VolumeDirectory
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
    this.#directory = new VolumeDirectory(pool)
  }

  get directory(): Sequence {
    return this.#directory.sequence
  }

  get #volumes(): readonly MappedVolume[] {
    return this.#directory.volumes
  }

  async restore(): Promise<void> {
    const found = await findDirectory(this.pool)
    if (found) {
      this.#assertMapsFit(found.directory.volumes)
      this.#directory.restore(found, await restoreVolumes(this, found))
    }
    for (const volume of this.#volumes) {
      if (volume.entry.removed) await this.#directory.remove(volume)
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
    const number = this.#directory.takeNumber()
    const entry = { number, name, size, removed: false, map: undefined, through: 0 }
    this.#admit(entry)
    if (!this.#hasRoomFor(size)) await this.reclaim()
    if (!this.#hasRoomFor(size)) {
      const wanted = `a volume of ${size} bytes reserves ${reserveOf(size)}`
      throw new PoolError('ERR_NO_SPACE', `${wanted}, and the pool has ${this.#room} to give`)
    }
    const volume = new MappedVolume(this, entry)
    await this.#directory.publish(this.pool.begin(), [], (first) => ({
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
      return this.#directory.remove(this.#require(name))
    })
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
      .run(() => this.#directory.save(due))
      .catch((error: unknown) => {
        if (!(error instanceof PoolError)) throw error
        this.#saveFrom = this.pool.position.sequence + saveRecordsMax // It is only the next opening that takes longer.
      })
      .finally(() => {
        this.#saving = undefined
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
        if (dirty.length > 0) await this.#directory.save(dirty)
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

/** Twice its size, for pieces may be half dead, and segments half empty; and two saved maps. */
const reserveOf = (size: number): number => 2 * (size + mapBytesOf(size / VOLUME_BLOCK_BYTES))

function statusOf({ name, limits, map, storedBytes }: MappedVolume): VolumeStatus {
  const reservedBytes = Math.max(0, reserveOf(limits.size) - storedBytes)
  return { name, size: limits.size, writtenBytes: map.written * VOLUME_BLOCK_BYTES, storedBytes, reservedBytes }
}
