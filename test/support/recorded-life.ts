import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TraceEvent } from './crash-device.ts'
import { type Random, seededRandom } from './random.ts'
import { RecordedClient } from './recorded-clients.ts'
import { LoopDevice, RecordedDisk } from './recorded-disk.ts'
import type { RecordedLedger } from './recorded-ledger.ts'
import { placeDevice, startServer } from './served-pool.ts'
import type { Server } from './server-process.ts'
import { Tap } from './tap.ts'
import { DOORS } from './upload-ledger.ts'

/** Two at once: while one is acknowledged the other is on its way. */
const CLIENTS = ['ann', 'bob']

export interface LifeOptions {
  /** Empty, for this life alone. */
  readonly folder: string
  /** What the pool lies on: the recorded file itself, or a loop device on top of it. */
  readonly surface: 'file' | 'loop'
  /** The pool at its beginning. */
  readonly image: Buffer
  readonly ledger: RecordedLedger
  readonly seed: number
  /** The server is killed when it has said yes so often. */
  readonly acknowledgements: number
  /** A command that runs the server (strace). */
  readonly tracer?: (device: string) => readonly string[]
}

/** One life of a server on a recorded disk, from its start until it is killed; what was asked is in the ledger. */
export interface Life {
  readonly image: Buffer
  readonly trace: readonly TraceEvent<never>[]
  /** The server's working folder, with the catalog that it left. */
  readonly folder: string
}

export async function live(options: LifeOptions): Promise<Life> {
  const { image } = options
  const folder = join(options.folder, 'server')
  for (const name of ['disk', 'server', 'uploads']) mkdirSync(join(options.folder, name))
  await using disk = await RecordedDisk.start(join(options.folder, 'disk'), image)
  using loop = options.surface === 'loop' ? new LoopDevice(disk.path) : undefined
  const device = loop?.path ?? disk.path
  placeDevice(folder, device)
  await using server = await startServer(folder, options.tracer?.(device))
  await serveUntilKilled(server, disk, options)
  return { image, trace: disk.trace(), folder }
}

async function serveUntilKilled(server: Server, disk: RecordedDisk, options: LifeOptions): Promise<void> {
  const random = seededRandom(options.seed)
  const killed = new AbortController()
  let left = options.acknowledgements
  const client = async (id: string) => {
    using tap = await Tap.open(server, () => disk.position())
    const client = new RecordedClient(id, tap, clientOptions(options, disk, random, killed.signal))
    while (!killed.signal.aborted && !server.hasEnded) {
      if (!(await client.step()) || --left > 0) continue
      await server.kill()
      killed.abort()
    }
  }
  await Promise.all(CLIENTS.map(client))
}

function clientOptions({ folder, ledger }: LifeOptions, disk: RecordedDisk, random: Random, signal: AbortSignal) {
  return {
    folder: join(folder, 'uploads'),
    ledger,
    random,
    position: () => disk.position(),
    signal,
    doors: DOORS,
  }
}
