import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { type ManagedPool, PoolError, type Progress } from '../pool/index.ts'
import type { Frontend } from '../protocols/index.ts'
import {
  type Credentials,
  type OpenCustody,
  type OpenStore,
  type Origin,
  openCatalog,
  openStore,
} from '../streams/index.ts'
import { partition } from './applications.ts'
import { type Gate, openGate, serverOrigin } from './bootstrap.ts'
import { type Certificates, openCertificates } from './certificates.ts'
import { readCliFile, writeCliFile } from './cli-file.ts'
import type { Configuration } from './config.ts'
import { DataFolder } from './data-folder.ts'
import { buildDoors } from './doors.ts'
import { Expiring } from './expiring.ts'
import { Growth, growableBytes } from './growth.ts'
import { indexingLog } from './indexing-log.ts'
import { ServedRoutes } from './mail-routes.ts'
import { route } from './route.ts'
import { openScanner, type ServedScanner } from './scanner.ts'
import { Scrubbing } from './scrubbing.ts'
import { SecretSeal } from './secrets.ts'
import { openSenders, type ServedSenders } from './senders.ts'
import { changeable, openServedPool } from './served-pool.ts'
import { openSubscriptions, type ServedSubscriptions } from './served-subscriptions.ts'
import { SigningKeys } from './signing-keys.ts'
import { reachable } from './welcome.ts'

/** What a service tells the world while it starts. */
export interface Surroundings {
  readonly log: Logger
  /** Of a new pool, in bytes. */
  readonly creating: Progress
  /** Of a catalog that is made again, in records. */
  readonly replaying: Progress
}

/**
 * Everything that `cenote serve` runs, constructed in one place and passed down.
 *
 *   start: folder ─▶ pool ─▶ catalog ─▶ store ─▶ applications ─▶ custody ─▶ deliveries ─▶ doors
 *   stop:  doors drain (scans are given up a second before the bound) ─▶ doors close ─▶ deliveries ─▶ custody (a last signed checkpoint) ─▶ store ─▶ catalog
 *          ─▶ pool (a last checkpoint) ─▶ folder
 *
 * A start that fails on the way closes what it opened.
 */
export class Service {
  readonly folder: DataFolder
  readonly doors: Frontend[] = []
  readonly #configuration: Configuration
  readonly #surroundings: Surroundings
  /** Gives back what was opened; the last first. */
  readonly #closers: Array<() => Promise<void> | void> = []
  #pool: ManagedPool | undefined
  #store: OpenStore | undefined
  #scrubbing: Scrubbing | undefined
  #scanner: ServedScanner | undefined
  #senders: ServedSenders | undefined
  #root: Credentials | undefined
  #isRootNew = false

  private constructor(configuration: Configuration, surroundings: Surroundings) {
    this.#configuration = configuration
    this.#surroundings = surroundings
    this.folder = new DataFolder(configuration.data)
  }

  /** Resolves once every door is open. */
  static async start(configuration: Configuration, surroundings: Surroundings): Promise<Service> {
    const service = new Service(configuration, surroundings)
    try {
      await service.#lock()
      const pool = await service.#openPool()
      const scanner = openScanner(configuration.scanner, systemTime, surroundings.log)
      service.#scanner = scanner
      await service.#openDoors(pool, await service.#openStore(pool, scanner), scanner)
      return service
    } catch (error) {
      await service.#close().catch((failure) => surroundings.log.error({ err: failure }, 'closing failed'))
      throw error
    }
  }

  /** The root application that an earlier start generated, or this one; undefined where the environment defines it. */
  get root(): Credentials | undefined {
    return this.#root
  }

  /** True when no start before has told of `root`. */
  get isRootNew(): boolean {
    return this.#isRootNew
  }

  /** What the pool was configured for. */
  get atomicity(): 'enforced' | 'none' {
    return this.#pool?.status().atomicity ?? 'none'
  }

  /** Why only a new start helps; undefined while all is well. */
  get failure(): string | undefined {
    if (this.#pool?.status().state === 'halted')
      return 'the pool has halted: nothing more is stored; start again to recover what was acknowledged'
    const reason = this.#store?.status.catalogFailure
    return reason && `the catalog has failed (${reason}): start again to have it mended from the pool; nothing is lost`
  }

  /** Lets uploads in flight come to their end, for `drainMsMax` at most, and closes everything. */
  async stop(): Promise<void> {
    const { drainMsMax } = this.#configuration.limits
    const { log } = this.#surroundings
    const givingUp = setTimeout(() => this.#giveUp(), Math.max(0, drainMsMax - lastWordsMs))
    const scrubbed = this.#scrubbing?.close() // Whoever waits for a scrub is answered, and drained.
    const drained = Promise.all(
      this.#drainable.map((door) =>
        door.drain().catch((error) => log.error({ err: error, door: door.protocol }, 'draining failed')),
      ),
    )
    if (!(await within(drained, drainMsMax))) log.warn({ drainMsMax }, 'uploads were cut off')
    clearTimeout(givingUp)
    await scrubbed
    await this.#close()
  }

  /** Whoever waits for a verdict hears that there will be none. */
  #giveUp(): void {
    this.#scanner?.scanning.close()
    void this.#senders?.close()
  }

  /** Once nothing is stored any more, no upload comes to its end. */
  get #drainable(): readonly Frontend[] {
    return this.failure === undefined ? this.doors : []
  }

  async #lock(): Promise<void> {
    await this.folder.create()
    const release = this.folder.lock()
    if (release === undefined) throw new PoolError('ERR_LOCKED', `${this.folder.path} is served by another process`)
    this.#closers.push(release)
  }

  async #openPool(): Promise<ManagedPool> {
    const { log, creating } = this.#surroundings
    const { bytes, bytesMax, degraded } = this.#configuration.pool
    const growable = () => growableBytes(pool.status(), bytesMax ?? 0)
    const made = { bytes, creating, degraded, growableBytes: growable }
    const pool: ManagedPool = await openServedPool({ folder: this.folder, log, ...made })
    this.#pool = pool
    this.#closers.push(() => pool.close())
    if (bytesMax !== null) this.#letGrow(pool, bytesMax)
    return pool
  }

  #letGrow(pool: ManagedPool, bytesMax: number): void {
    const { log } = this.#surroundings
    const { every, now } = systemTime
    const growth = new Growth({ pool: changeable(this.folder, pool, log), bytesMax, log, every, now })
    this.#closers.push(() => growth.close())
  }

  async #openStore(pool: ManagedPool, { scanning }: ServedScanner): Promise<OpenStore> {
    const { log, replaying } = this.#surroundings
    const catalog = await openCatalog({
      directory: this.folder.catalog,
      onDamaged: (reason) => log.warn({ reason }, 'the catalog is made again'),
      onIndexed: indexingLog(log),
    })
    this.#closers.push(() => catalog.close())
    const { objectBytesMax, partialsMax, partialBytesMax, partialKeepHours } = this.#configuration.limits
    const store = await openStore({
      pool,
      catalog,
      partition,
      stages: ({ facts }) => route[facts.type],
      clock: Date,
      timers: systemTime,
      limits: { objectBytesMax, partialsMax, partialBytesMax },
      scanning,
      onProgress: ({ records, recordsTotal }) => {
        replaying(records, recordsTotal)
        if (records === recordsTotal) log.info({ records }, 'the catalog has caught up')
      },
    })
    this.#store = store
    this.#closers.push(() => store.close())
    const partials = { expire: (origin: Origin) => store.expirePartials(origin, partialKeepHours * hourMs) }
    const dropping = new Expiring({
      store: partials,
      origin: serverOrigin,
      log,
      everyMs: partialsEveryMs,
      ...systemTime,
    })
    this.#closers.push(() => dropping.close())
    const expiring = new Expiring({ store, origin: serverOrigin, log, everyMs: expiryEveryMs, ...systemTime })
    this.#closers.push(() => expiring.close())
    if (await store.createBucket(serverOrigin, 'inbox')) log.info('bucket inbox is made')
    return store
  }

  async #openDoors(pool: ManagedPool, store: OpenStore, scanner: ServedScanner): Promise<void> {
    const configuration = this.#configuration
    const { folder } = this
    const { log } = this.#surroundings
    const now = () => performance.now()
    const gate = await openGate({ configuration, folder, store, now, random: randomBytes, log })
    const custody = await this.#openCustody(store, gate)
    const scrubbing = this.#openScrubbing(pool, store)
    const subscriptions = await this.#openSubscriptions(pool, store, gate)
    const mailRoutes = await ServedRoutes.open({
      store,
      origin: serverOrigin,
      actor: (application, address) => gate.guestOf(application, 'email', address),
      knows: (application) => gate.principalOf(application) !== undefined,
    })
    const senders = openSenders(configuration.smtp.resolvers)
    this.#senders = senders
    const certificates = await this.#openCertificates()
    const parts = {
      configuration,
      pool,
      store,
      custody,
      scrubbing,
      subscriptions,
      gate,
      mailRoutes,
      log,
      folder,
      certificates,
      scanner,
      senders,
    }
    for (const door of buildDoors(parts)) {
      await door.listen()
      this.doors.push(door)
      this.#closers.push(() => door.close())
    }
    // The first: doors close once their uploads have ended.
    this.#closers.push(() => this.#giveUp())
    this.#closers.push(() => senders.close())
    await this.#tellCommandLine(gate.root)
  }

  /** Deliveries go on from where the last start left them. */
  async #openSubscriptions(pool: ManagedPool, store: OpenStore, gate: Gate): Promise<ServedSubscriptions> {
    const { log } = this.#surroundings
    const { webhooks } = this.#configuration
    const parts = { pool, store, gate, log }
    const subscriptions = await openSubscriptions({ ...parts, webhooks, timers: systemTime })
    this.#closers.push(() => subscriptions.close())
    return subscriptions
  }

  /** Undefined where no door speaks TLS. */
  async #openCertificates(): Promise<Certificates | undefined> {
    const { ftp, smtp, tls } = this.#configuration
    const isClear = [ftp, smtp].every((door) => door.tls === 'off' && door.implicitListen === null)
    if (isClear && ftp.legacy.listen === null) return undefined
    const certificates = await openCertificates(tls, this.folder.tls, this.#surroundings.log)
    this.#closers.push(() => certificates.close())
    return certificates
  }

  async #openCustody(store: OpenStore, { master }: Gate): Promise<OpenCustody> {
    const { log } = this.#surroundings
    const { checkpointRecordsMax, checkpointMsMax } = this.#configuration.limits
    const seal = new SecretSeal(master, randomBytes, 'signing key')
    const custody = await store.custody({
      chest: await SigningKeys.open(this.folder.signingKeys, seal),
      origin: serverOrigin,
      timers: systemTime,
      limits: { checkpointRecordsMax, checkpointMsMax },
      replaceLostKey: this.#configuration.replaceSigningKey,
      onFailure: (error) => log.warn({ err: error }, 'a checkpoint could not be signed: it is tried again'),
    })
    this.#closers.push(() => custody.close())
    return custody
  }

  #openScrubbing(pool: ManagedPool, store: OpenStore): Scrubbing {
    const { log } = this.#surroundings
    const { everyHours, bytesPerSecond } = this.#configuration.scrub
    const scrubbing = new Scrubbing({ pool, store, file: this.folder.scrub, log })
    this.#scrubbing = scrubbing
    this.#closers.push(() => scrubbing.close())
    scrubbing.every(everyHours, bytesPerSecond)
    return scrubbing
  }

  /** cli.json comes last, so that a start that failed before, on a port that was taken, has not told of `root`. */
  async #tellCommandLine(root: Credentials | undefined): Promise<void> {
    const told = await readCliFile(this.folder.cli).catch(() => undefined)
    const http = this.doors.find(({ protocol }) => protocol === 'http')
    await writeCliFile(this.folder.cli, { url: http && `http://${reachable(http.address)}`, ...root })
    this.#root = root
    this.#isRootNew = root !== undefined && told?.key !== root.key
  }

  /** One that fails to close keeps no other open; the first failure is thrown at the end. */
  async #close(): Promise<void> {
    const failures: unknown[] = []
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}

/** Whoever waits for a scanner, or for what is found out of a sender, hears so long before the end of a drain that nothing will be. */
const lastWordsMs = 1000

/** A pass of the expiry, and between two of its rounds: each looks at 1,000 versions. */
const hourMs = 3_600_000
const expiryEveryMs = hourMs
/** Uploads that were cut off are few, and in memory. */
const partialsEveryMs = 60_000
const expiryPauseMs = 100

const systemTime = {
  every(milliseconds: number, task: () => void): () => void {
    const timer = setInterval(task, milliseconds)
    return () => clearInterval(timer)
  },
  after(milliseconds: number, task: () => void): () => void {
    const timer = setTimeout(task, milliseconds)
    return () => clearTimeout(timer)
  },
  now: () => performance.now(),
  /** Between two rounds of the expiry. */
  pause: () => new Promise<void>((resolve) => setTimeout(resolve, expiryPauseMs)),
}

/** Whether it came to its end in time. */
async function within(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  return Promise.race([work.then(() => true), late]).finally(() => clearTimeout(timer))
}
