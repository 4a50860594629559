import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TraceEvent } from './crash-device.ts'
import { LoopDevice } from './loop-devices.ts'
import { type Random, seededRandom } from './random.ts'
import { RecordedClient } from './recorded-clients.ts'
import { type Disk, PlainDisk, RecordedDisk } from './recorded-disk.ts'
import type { RecordedLedger } from './recorded-ledger.ts'
import { placeDevice, startServer } from './served-pool.ts'
import { rootAuthorization, type Server } from './server-process.ts'
import { Tap } from './tap.ts'
import { DOORS, type Door } from './upload-ledger.ts'

/** Two at once: while one is acknowledged the other is on its way. */
const CLIENTS = ['ann', 'bob']
/** How many acknowledgements a server may go on to give after a trouble, before it is killed. */
const ACKNOWLEDGEMENTS_SINCE = 3

/** What goes wrong in a life, beside its end. */
export interface Trouble {
  /** A command that runs the server on `device`, and lets it keep its process id. */
  readonly tracer?: (device: string) => readonly string[]
  /** Called once the server has started. */
  readonly started?: (server: Server) => void
  /** Whether it has come. */
  readonly happened: () => boolean
  /** What a server says that it keeps from starting. */
  readonly refusal: RegExp
  /** True when nothing may be acknowledged after it. */
  readonly isFinal: boolean
}

export interface LifeOptions {
  /** Empty, for this life alone. */
  readonly folder: string
  /** What the pool lies on: a recorded file, a loop device on top of one, or a file that is not recorded. */
  readonly surface: 'file' | 'loop' | 'plain'
  /** The pool at its beginning. */
  readonly image: Buffer
  readonly ledger: RecordedLedger
  readonly seed: number
  /** The server is killed when it has said yes so often. */
  readonly acknowledgements: number
  readonly doors?: readonly Door[]
  readonly trouble?: Trouble
  readonly onAcknowledged?: (server: Server) => Promise<void>
  /** Called when the pool has halted; then the server is killed. */
  readonly onHalted?: (server: Server) => Promise<void>
}

export type End = 'not started' | 'killed' | 'halted' | 'ended'

/** One life of a server on a disk, from its start until it is killed; what was asked is in the ledger. */
export interface Life {
  readonly image: Buffer
  /** Of a recorded disk; empty otherwise. */
  readonly trace: readonly TraceEvent<never>[]
  /** The file that has what lies on the disk in the end. */
  readonly disk: string
  /** The server's working folder, with the catalog that it left. */
  readonly folder: string
  /** Killed because its time had come, halted by itself and then killed, or gone by the hand of `trouble`. */
  readonly end: End
  /** How often a client heard no, or nothing, while the server was not meant to die. */
  readonly refusals: number
  /** Whether the trouble came in time to show. */
  readonly happened: boolean
}

export async function live(options: LifeOptions): Promise<Life> {
  const { image, surface, trouble } = options
  const [folder, uploads] = [join(options.folder, 'server'), join(options.folder, 'uploads')]
  for (const made of [folder, uploads, join(options.folder, 'disk')]) mkdirSync(made)
  await using disk = await openDisk(join(options.folder, 'disk'), surface, image)
  using loop = surface === 'loop' ? new LoopDevice(disk.path) : undefined
  const device = loop?.path ?? disk.path
  placeDevice(folder, device)
  const living = new LivingServer(options, disk, uploads)
  const end = await living.live(() => startServer(folder, trouble?.tracer?.(device)))
  return {
    image,
    trace: untilClosed(disk.trace()),
    disk: disk.base,
    folder,
    end,
    refusals: living.refusals,
    happened: living.happened,
  }
}

/**
 * The export flushes when a file on it is closed, as no disk does when its user dies; so a flush that ends the log is left
 * out. Were it the server's own after all, what it acknowledged by it would not be asked for: no crash reaches so far.
 */
function untilClosed(trace: Life['trace']): Life['trace'] {
  return trace.at(-1)?.kind === 'flush' ? trace.slice(0, -1) : trace
}

async function openDisk(folder: string, surface: LifeOptions['surface'], image: Buffer): Promise<Disk> {
  return surface === 'plain' ? new PlainDisk(folder, image) : RecordedDisk.start(folder, image)
}

class LivingServer {
  readonly #options: LifeOptions
  readonly #disk: Disk
  readonly #uploads: string
  readonly #random: Random
  readonly #gone = new AbortController()
  #left: number
  /** Acknowledgements after the trouble. */
  #since = 0
  #refusals = 0
  #happened: boolean | undefined
  #end: End = 'ended'
  #halting: Promise<void> | undefined

  constructor(options: LifeOptions, disk: Disk, uploads: string) {
    this.#options = options
    this.#disk = disk
    this.#uploads = uploads
    this.#random = seededRandom(options.seed)
    this.#left = options.acknowledgements
  }

  get refusals(): number {
    return this.#refusals
  }

  /** Whether the trouble came before it was decided to kill the server: what comes after that shows no more. */
  get happened(): boolean {
    const { trouble } = this.#options
    return this.#end === 'killed' ? this.#happened === true : trouble?.happened() === true
  }

  async live(start: () => Promise<Server>): Promise<End> {
    const { trouble } = this.#options
    const started = await start().catch((error: Error) => {
      if (!trouble?.happened()) throw error
      assert.match(error.message, trouble.refusal)
    })
    if (started === undefined) return 'not started'
    await using server = started
    trouble?.started?.(server)
    await Promise.all(CLIENTS.map((id) => this.#client(id, server)))
    return this.#end
  }

  async #client(id: string, server: Server): Promise<void> {
    const { ledger, trouble, doors = DOORS } = this.#options
    const [random, folder, signal] = [this.#random, this.#uploads, this.#gone.signal]
    const position = () => this.#disk.position()
    const faulted = () => trouble?.isFinal === true && trouble.happened()
    using tap = await Tap.open(server, position)
    const client = new RecordedClient(id, tap, { ledger, random, folder, signal, position, faulted, doors })
    while (!signal.aborted && !server.hasEnded) {
      if (await client.step()) await this.#acknowledged(server)
      else if (!signal.aborted) await this.#refused(server)
    }
  }

  async #acknowledged(server: Server): Promise<void> {
    await this.#options.onAcknowledged?.(server)
    if (this.#gone.signal.aborted) return // What comes after the decision does not change what it was made on.
    if (--this.#left <= 0 && this.#isDecided()) await this.#kill(server, 'killed')
  }

  /** A trouble that came must be able to show: in a client that is refused, or in a pool that halts. */
  #isDecided(): boolean {
    this.#happened = this.#options.trouble?.happened() ?? false
    return !this.#happened || ++this.#since > ACKNOWLEDGEMENTS_SINCE
  }

  async #refused(server: Server): Promise<void> {
    this.#refusals += 1
    if (await isHalted(server)) await this.#halted(server)
  }

  /** Whichever client sees it first. */
  #halted(server: Server): Promise<void> {
    this.#halting ??= (async () => {
      await this.#options.onHalted?.(server)
      await this.#kill(server, 'halted')
    })()
    return this.#halting
  }

  async #kill(server: Server, end: End): Promise<void> {
    if (this.#gone.signal.aborted) return
    this.#end = end
    this.#gone.abort()
    await server.kill()
  }
}

async function isHalted(server: Server): Promise<boolean> {
  const headers = { authorization: rootAuthorization }
  const response = await fetch(`${server.address('http')}/v1/pools/main`, { headers }).catch(() => undefined)
  return response?.ok === true && ((await response.json()) as { state: string }).state === 'halted'
}
