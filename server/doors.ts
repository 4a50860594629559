import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import type { ManagedPool } from '../pool/index.ts'
import { type Frontend, ftpFrontend, Guests, httpFrontend, smtpFrontend } from '../protocols/index.ts'
import type { Custody, OpenStore } from '../streams/index.ts'
import { networkPrincipal, partition } from './applications.ts'
import type { Gate } from './bootstrap.ts'
import type { Certificates } from './certificates.ts'
import type { Configuration } from './config.ts'
import type { ListenAddress } from './config-values.ts'
import type { DataFolder } from './data-folder.ts'
import type { ServedRoutes } from './mail-routes.ts'
import { createMetrics } from './metrics.ts'
import { inspectionOf, managementOf } from './pool-management.ts'
import type { ServedScanner } from './scanner.ts'
import type { Scrubbing } from './scrubbing.ts'
import type { ServedSenders } from './senders.ts'
import { changeable } from './served-pool.ts'
import type { ServedSubscriptions } from './served-subscriptions.ts'

const random = { bytes: randomBytes }

export interface DoorParts {
  readonly configuration: Configuration
  readonly folder: DataFolder
  readonly pool: ManagedPool
  readonly store: OpenStore
  readonly custody: Custody
  readonly scrubbing: Scrubbing
  readonly scanner: ServedScanner
  readonly senders: ServedSenders
  readonly subscriptions: ServedSubscriptions
  readonly gate: Gate
  readonly mailRoutes: ServedRoutes
  /** There where a door speaks TLS. */
  readonly certificates: Certificates | undefined
  readonly log: Logger
}

/** The doors that are configured, not yet listening. */
export function buildDoors(parts: DoorParts): readonly Frontend[] {
  const { http, ftp, smtp } = parts.configuration
  const guests = guestsOf(ftp)
  const mailGuests = guestsOf(smtp)
  if (ftp.anonymous !== '' && !parts.gate.principalOf(ftp.anonymous))
    parts.log.warn(
      `ftp.anonymous names ${ftp.anonymous}, which is no application yet: anonymous is refused until it is`,
    )
  const doors = [
    http.listen && buildHttp(parts, http.listen),
    ftp.listen && buildFtp(parts, { listen: ftp.listen, mode: ftp.tls, guests }),
    ftp.implicitListen && buildFtp(parts, { listen: ftp.implicitListen, mode: 'implicit', guests }),
    ftp.legacy.listen && buildFtp(parts, { ...ftp.legacy, listen: ftp.legacy.listen, guests, isLegacy: true }),
    smtp.listen && buildSmtp(parts, { listen: smtp.listen, mode: smtp.tls, guests: mailGuests }),
    smtp.implicitListen && buildSmtp(parts, { listen: smtp.implicitListen, mode: 'implicit', guests: mailGuests }),
    smtp.lmtpListen && buildSmtp(parts, { listen: smtp.lmtpListen, mode: smtp.tls, guests: mailGuests, lmtp: true }),
  ]
  return doors.filter((door) => door !== null)
}

function buildHttp(parts: DoorParts, listen: ListenAddress): Frontend {
  const {
    configuration,
    folder,
    pool,
    store,
    custody,
    scrubbing,
    scanner,
    senders,
    subscriptions,
    gate,
    mailRoutes,
    log,
  } = parts
  const { drainMsMax, longPollMsMax, objectBytesMax } = configuration.limits
  const registry = createMetrics({ pool, store, scrubbing, subscriptions: subscriptions.administration })
  scanner.register(registry)
  senders.register(registry)
  return httpFrontend({
    ...listen,
    store,
    versions: store.versions,
    partials: store.partials,
    custody,
    access: gate.access,
    applications: gate.administration,
    mailRoutes,
    pool: inspectionOf(partition, pool, scrubbing),
    management: managementOf(changeable(folder, pool, log)),
    subscriptions: subscriptions.administration,
    registry,
    logger: log.child({ door: 'http' }),
    limits: { drainMsMax, longPollMsMax, objectBytesMax },
    clock: performance,
    random,
  })
}

interface Listener {
  readonly listen: ListenAddress
  readonly mode: Configuration['ftp']['tls'] | 'implicit'
  readonly guests: Guests
}

interface FtpListener extends Listener {
  /** In place of those of the door. */
  readonly networks?: readonly string[]
  /** TLS 1.0 and 1.1 are spoken, too. */
  readonly isLegacy?: boolean
}

function buildFtp(parts: DoorParts, { listen, mode, guests, networks, isLegacy = false }: FtpListener): Frontend {
  const { configuration, store, gate, certificates, log } = parts
  const { ftp } = configuration
  const { passivePorts, passiveHost, tlsReuse, bytesPerSecond, connectionsMax, loginMsMax, dataIdleMsMax } = ftp
  const from = networks ?? ftp.networks
  const context = () => (isLegacy ? certificates!.legacyContext() : certificates!.context())
  return ftpFrontend({
    ...listen,
    store,
    partials: store.partials,
    access: gate.access,
    logger: log.child({ door: 'ftp' }),
    guests,
    passivePorts,
    ...(passiveHost !== '' && { passiveHost }),
    ...(mode !== 'off' && certificates && { tls: { mode, reuseRequired: tlsReuse, context } }),
    ...(from.length > 0 && { networks: from }),
    ...(bytesPerSecond !== null && { bytesPerSecond }),
    ...(ftp.anonymous !== '' && { anonymous: (address) => gate.guestOf(ftp.anonymous, 'ftp', address) }),
    limits: { connectionsMax, loginMsMax, controlIdleMsMax: ftp.idleMsMax, dataIdleMsMax },
    clock: Date,
  })
}

/** Whoever comes is one guest, by whichever listener of a door. */
function guestsOf(door: Configuration['ftp'] | Configuration['smtp']): Guests {
  const { connectionsPerAddressMax, failuresPerAddressMax, failuresPerUserMax, failuresWindowMs } = door
  return new Guests({ connectionsPerAddressMax, failuresPerAddressMax, failuresPerUserMax, failuresWindowMs })
}

interface SmtpListener extends Listener {
  readonly lmtp?: boolean
}

function buildSmtp(parts: DoorParts, { listen, mode, guests, lmtp = false }: SmtpListener): Frontend {
  const { configuration, store, gate, mailRoutes, senders, certificates, log } = parts
  const { smtp } = configuration
  const { domains, networks, proxyNetworks, clearAuth, cramMd5, bannerDelayMs, parts: hasParts } = smtp
  const { messageBytesMax, recipientsMax, connectionsMax, idleMsMax, transactionMsMax } = smtp
  const { drainMsMax } = configuration.limits
  return smtpFrontend({
    ...listen,
    lmtp,
    store,
    access: gate.access,
    logger: log.child({ door: 'smtp' }),
    guests,
    domains,
    allowedNetworks: { addresses: networks, principal: networkPrincipal },
    ...(mode !== 'off' && certificates && { tls: { mode, context: () => certificates.context() } }),
    clearAuth,
    cramMd5,
    proxyNetworks,
    bannerDelayMs,
    parts: hasParts,
    routes: mailRoutes.table,
    senders: senders.verifier,
    limits: { drainMsMax, messageBytesMax, recipientsMax, connectionsMax, idleMsMax, transactionMsMax },
    clock: Date,
    random,
  })
}
