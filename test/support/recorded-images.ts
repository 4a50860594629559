import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Medium } from './crash-device.ts'
import { type CrashState, crashStates } from './crash-enumerator.ts'
import { seededRandom } from './random.ts'
import type { RecordedLedger, Shown } from './recorded-ledger.ts'
import type { Life } from './recorded-life.ts'
import { keepCatalog, placeImage, startServer } from './served-pool.ts'
import { cenote } from './server-process.ts'
import { shownOn, shownOver } from './shown.ts'

/**
 * All subsets of up to so many writes that no flush had covered; of more, whole and torn ones as chance will have it. A
 * batch of the journal is one write, a payload up to a dozen.
 */
const EXHAUSTIVE_MAX = 3
const TEARS = 2

interface Crash {
  readonly medium: Medium
  readonly state: CrashState
}

/** How many images were opened, by how the end of their journal was found. */
export type Verdicts = Record<string, number>

/**
 * What the disk may hold after a crash at each entry of a life's log: all that was flushed by then, and of the writes
 * after it any, whole or torn. There is one image, on which writes are done and undone again; none is copied. The same
 * seed gives the same images.
 */
export class RecordedImages {
  readonly #life: Life
  readonly #ledger: RecordedLedger
  readonly #seed: number
  readonly #count: number

  constructor(life: Life, ledger: RecordedLedger, seed: number) {
    this.#life = life
    this.#ledger = ledger
    this.#seed = seed
    this.#count = Array.from(this.#all(), () => 0).length
  }

  /** Opens at most so many images with the built modules, and holds what they show against the ledger. */
  verify(imagesMax: number): Promise<Verdicts> {
    return this.#verify(this.#some(imagesMax))
  }

  /** Opens every image of a crash after the last flush. */
  verifyEnd(): Promise<Verdicts> {
    const last = this.#life.trace.findLastIndex(({ kind }) => kind === 'flush')
    return this.#verify(this.#from(last + 1))
  }

  async #verify(crashes: Iterable<Crash>): Promise<Verdicts> {
    const verdicts: Verdicts = {}
    for (const crash of crashes) {
      await this.#judge(crash, async ({ medium, state }) => {
        const { shown, verdict } = await shownOn(medium)
        this.#holdAgainst(shown, state)
        verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
      })
    }
    return verdicts
  }

  /**
   * The same with the whole program: on every other image first `cenote pool check`, which recovers the pool and closes
   * it; then a server, over HTTP. Every other data folder has the catalog that the killed server left, which may know of
   * more than the image holds. Resolves with the number of images.
   */
  async verifyByServer(folder: string, imagesMax: number): Promise<number> {
    let images = 0
    for (const crash of this.#some(imagesMax)) {
      const working = join(folder, `image-${++images}`)
      placeImage(working, crash.medium.bytes)
      if (images % 2 === 0) keepCatalog(this.#life.folder, working)
      await this.#judge(crash, async ({ state }) => {
        if (images % 4 < 2) expect(await cenote(working, ['pool', 'check'])).toMatchObject({ code: 0 })
        await using server = await startServer(working)
        this.#holdAgainst(await shownOver(server), state)
        await server.stop()
      })
      rmSync(working, { recursive: true })
    }
    return images
  }

  /** One of the images, for a life that begins with it, and the ledger of what it shows: that must not change any more. */
  async crashed(): Promise<{ readonly image: Buffer; readonly ledger: RecordedLedger }> {
    const [image, ledger] = await this.#first(async ({ medium, state }) => {
      const copy = Buffer.from(medium.bytes)
      const { shown } = await shownOn(medium)
      this.#holdAgainst(shown, state)
      return [copy, this.#ledger.settle(shown)] as const
    })
    return { image, ledger }
  }

  async #first<T>(take: (crash: Crash) => Promise<T>): Promise<T> {
    for (const crash of this.#some(1)) return await this.#judge(crash, take)
    throw new Error('this life wrote nothing')
  }

  *#all(): Generator<Crash> {
    const { image, trace } = this.#life
    const medium = new Medium(image.length)
    image.copy(medium.bytes)
    const options = { random: seededRandom(this.#seed), exhaustiveMax: EXHAUSTIVE_MAX, tears: TEARS }
    for (const state of crashStates(medium, trace, options)) yield { medium, state }
  }

  *#from(entry: number): Generator<Crash> {
    for (const crash of this.#all()) if (crash.state.boundary >= entry) yield crash
  }

  /** Evenly over the whole log. */
  *#some(imagesMax: number): Generator<Crash> {
    const every = Math.max(1, Math.ceil(this.#count / imagesMax))
    let number = this.#seed % every
    for (const crash of this.#all()) if (number++ % every === 0) yield crash
  }

  /** What was written to the medium is undone. A recording is never the same twice, so an image that shows a fault is kept. */
  async #judge<T>(crash: Crash, judge: (crash: Crash) => Promise<T>): Promise<T> {
    const { medium, state } = crash
    const before = medium.mark()
    try {
      return await judge(crash)
    } catch (cause) {
      medium.rollback(before)
      const path = join(tmpdir(), `cenote-crashed-${this.#seed}-${Date.now()}.img`)
      writeFileSync(path, medium.bytes)
      const at = `a crash at entry ${state.boundary} (${state.name}), seed ${this.#seed}`
      throw new Error(`${at}; the image is kept: ${path}\n${(cause as Error).stack}`, { cause })
    } finally {
      medium.rollback(before)
    }
  }

  #holdAgainst(shown: Shown, { boundary }: CrashState): void {
    expect(this.#ledger.problems(shown, boundary)).toEqual([])
  }
}
