import { resolve } from 'node:path'
import { BANNER_DELAY_MS, ftpLimits, guestLimits, smtpLimits } from '../protocols/index.ts'
import {
  CHECKPOINT_RECORDS_LIMIT,
  type Credentials,
  CUSTODY_LIMITS,
  SCANNING_LIMITS,
  type ScanPolicy,
  STORE_LIMITS,
} from '../streams/index.ts'
import {
  type CertificateFiles,
  ConfigurationError,
  type ListenAddress,
  type LogLevel,
  list,
  MILLISECONDS_MAX,
  type PortRange,
  parseAddress,
  parseApplication,
  parseApplicationId,
  parseBound,
  parseCertificate,
  parseCount,
  parseDomain,
  parseHours,
  parseLegacyMode,
  parseLevel,
  parseMilliseconds,
  parseNetwork,
  parsePassiveHost,
  parsePoolSize,
  parsePorts,
  parsePositive,
  parseRate,
  parseResolver,
  parseScannerUrl,
  parseScanPolicy,
  parseSize,
  parseSwitch,
  parseText,
  parseTls,
  type Setting,
} from './config-values.ts'

const COUNT_MAX = 1_000_000
/** Senders of mail wait ten minutes for an answer (RFC 5321 section 4.5.3.2.6), and others less. */
const SCANNER_MS_MAX = 300_000
const SCANNER_CONCURRENT_MAX = 1000
const WEBHOOK_TIMEOUT_MS_MAX = 600_000
const WEBHOOK_ATTEMPTS_MAX = 1000
const PARTIAL_KEEP_HOURS_MAX = 24 * 366
/** They are kept in memory, by name. */
const PARTIALS_MAX_MAX = 100_000

/** Every setting: its key in the configuration file, what it is when nobody sets it, and who else may set it. */
const settings = {
  data: { fallback: './cenote-data', environment: 'CENOTE_DATA', flag: 'data' },
  'http.listen': { fallback: '127.0.0.1:8480', environment: 'CENOTE_HTTP', flag: 'http' },
  'ftp.listen': { fallback: '127.0.0.1:2121', environment: 'CENOTE_FTP', flag: 'ftp' },
  'ftp.tls': { fallback: 'off' },
  'ftp.implicitListen': { fallback: 'off' },
  'ftp.tlsReuse': { fallback: false },
  'ftp.passivePorts': { fallback: 'any' },
  'ftp.passiveHost': { fallback: '' },
  'ftp.networks': { fallback: [] },
  'ftp.anonymous': { fallback: '' },
  'ftp.connectionsMax': { fallback: ftpLimits.connectionsMax },
  'ftp.connectionsPerAddressMax': { fallback: guestLimits.connectionsPerAddressMax },
  'ftp.failuresPerAddressMax': { fallback: guestLimits.failuresPerAddressMax },
  'ftp.failuresPerUserMax': { fallback: guestLimits.failuresPerUserMax },
  'ftp.failuresWindowMs': { fallback: guestLimits.failuresWindowMs },
  'ftp.loginMsMax': { fallback: ftpLimits.loginMsMax },
  'ftp.idleMsMax': { fallback: ftpLimits.controlIdleMsMax },
  'ftp.dataIdleMsMax': { fallback: ftpLimits.dataIdleMsMax },
  'ftp.bytesPerSecond': { fallback: 'off' },
  'ftp.legacyTls': { fallback: 'off' },
  'ftp.legacyTlsMode': { fallback: 'required' },
  'ftp.legacyNetworks': { fallback: [] },
  'tls.certificate': { fallback: '' },
  'tls.key': { fallback: '' },
  'smtp.listen': { fallback: '127.0.0.1:2525', environment: 'CENOTE_SMTP', flag: 'smtp' },
  'smtp.tls': { fallback: 'off' },
  'smtp.implicitListen': { fallback: 'off' },
  'smtp.lmtpListen': { fallback: 'off' },
  'smtp.domains': { fallback: ['cenote.local'] },
  'smtp.networks': { fallback: [] },
  'smtp.proxyNetworks': { fallback: [] },
  'smtp.resolvers': { fallback: [] },
  'smtp.clearAuth': { fallback: false },
  'smtp.cramMd5': { fallback: false },
  'smtp.bannerDelayMs': { fallback: BANNER_DELAY_MS },
  'smtp.messageBytesMax': { fallback: '64MiB' },
  'smtp.parts': { fallback: false },
  'smtp.recipientsMax': { fallback: smtpLimits.recipientsMax },
  'smtp.connectionsMax': { fallback: smtpLimits.connectionsMax },
  'smtp.connectionsPerAddressMax': { fallback: guestLimits.connectionsPerAddressMax },
  'smtp.failuresPerAddressMax': { fallback: guestLimits.failuresPerAddressMax },
  'smtp.failuresPerUserMax': { fallback: guestLimits.failuresPerUserMax },
  'smtp.failuresWindowMs': { fallback: guestLimits.failuresWindowMs },
  'smtp.idleMsMax': { fallback: smtpLimits.idleMsMax },
  'smtp.transactionMsMax': { fallback: smtpLimits.transactionMsMax },
  'scanner.url': { fallback: '' },
  'scanner.policy': { fallback: 'off' },
  'scanner.msMax': { fallback: SCANNING_LIMITS.msMax },
  'scanner.bytesMax': { fallback: '256MiB' },
  'scanner.concurrentMax': { fallback: SCANNING_LIMITS.concurrentMax },
  'webhooks.networks': { fallback: [] },
  'webhooks.timeoutMsMax': { fallback: 15_000 },
  'webhooks.attemptsMax': { fallback: 20 },
  'webhooks.backoffMsMin': { fallback: 1000 },
  'webhooks.backoffMsMax': { fallback: 3_600_000 },
  'webhooks.noteMsMax': { fallback: 10_000 },
  'pool.bytes': { fallback: '1GiB', environment: 'CENOTE_POOL_BYTES', flag: 'poolBytes' },
  'pool.bytesMax': { fallback: 'off', environment: 'CENOTE_POOL_MAX', flag: 'poolMax' },
  'scrub.everyHours': { fallback: 0 },
  'scrub.bytesPerSecond': { fallback: '64MiB' },
  'limits.objectBytesMax': { fallback: '1TiB' },
  'limits.drainMsMax': { fallback: 30_000 },
  'limits.checkpointRecordsMax': { fallback: CUSTODY_LIMITS.checkpointRecordsMax },
  'limits.checkpointMsMax': { fallback: CUSTODY_LIMITS.checkpointMsMax },
  'limits.longPollMsMax': { fallback: 20_000 },
  'limits.partialKeepHours': { fallback: 24 },
  'limits.partialsMax': { fallback: STORE_LIMITS.partialsMax },
  'limits.partialBytesMax': { fallback: '64GiB' },
  'log.level': { fallback: 'info', environment: 'CENOTE_LOG_LEVEL' },
} as const satisfies { readonly [key: string]: { fallback: unknown; environment?: string; flag?: keyof ServeFlags } }

/** Everything that can be set, parsed once and frozen. An address of null is a door that stays shut. */
export interface Configuration {
  /** The data folder, absolute. */
  readonly data: string
  readonly http: { readonly listen: ListenAddress | null }
  readonly ftp: {
    readonly listen: ListenAddress | null
    /** Whether AUTH TLS may be said, or must. */
    readonly tls: 'off' | 'offered' | 'required'
    /** Where TLS is spoken from the first byte on. */
    readonly implicitListen: ListenAddress | null
    /** A data connection must go on with a TLS session of before. */
    readonly tlsReuse: boolean
    readonly passivePorts: PortRange
    /** The address told to clients for passive connections; '' for the one they came to. */
    readonly passiveHost: string
    /** Networks that connections are taken from; none for any. */
    readonly networks: readonly string[]
    /** The application that `anonymous` acts as; '' for none. */
    readonly anonymous: string
    readonly connectionsMax: number
    readonly connectionsPerAddressMax: number
    readonly failuresPerAddressMax: number
    readonly failuresPerUserMax: number
    readonly failuresWindowMs: number
    readonly loginMsMax: number
    readonly idleMsMax: number
    readonly dataIdleMsMax: number
    /** Of one session; null for as fast as it goes. */
    readonly bytesPerSecond: number | null
    /** Where TLS 1.0 and 1.1 are spoken, too, for devices that know no other, from `networks` alone. */
    readonly legacy: {
      readonly listen: ListenAddress | null
      readonly mode: 'required' | 'implicit'
      readonly networks: readonly string[]
    }
  }
  /** PEM files; null for the self-signed certificate of the data folder. */
  readonly tls: CertificateFiles | null
  readonly smtp: {
    readonly listen: ListenAddress | null
    /** Whether STARTTLS may be said, or must. */
    readonly tls: 'off' | 'offered' | 'required'
    /** Where TLS is spoken from the first byte on. */
    readonly implicitListen: ListenAddress | null
    /** Where LMTP is spoken, with TLS as where SMTP is. */
    readonly lmtpListen: ListenAddress | null
    readonly domains: readonly string[]
    /** Networks (CIDR) whose hosts may deliver without a login. */
    readonly networks: readonly string[]
    /** Networks of proxies, whose connections begin with a PROXY header. */
    readonly proxyNetworks: readonly string[]
    /** Name servers that are asked about senders; none for those of the system. */
    readonly resolvers: readonly string[]
    /** AUTH may be said in clear from everywhere. */
    readonly clearAuth: boolean
    readonly cramMd5: boolean
    readonly bannerDelayMs: number
    readonly messageBytesMax: number
    /** Attachments become objects of their own. */
    readonly parts: boolean
    readonly recipientsMax: number
    readonly connectionsMax: number
    readonly connectionsPerAddressMax: number
    readonly failuresPerAddressMax: number
    readonly failuresPerUserMax: number
    readonly failuresWindowMs: number
    readonly idleMsMax: number
    readonly transactionMsMax: number
  }
  readonly scanner: {
    /** null for none. */
    readonly url: URL | null
    /** Of applications whose own policy does not say, and of hosts that deliver mail without a login. */
    readonly policy: ScanPolicy
    readonly msMax: number
    readonly bytesMax: number
    readonly concurrentMax: number
  }
  readonly webhooks: {
    /** Addresses and networks beyond the public internet that webhooks may go to. */
    readonly networks: readonly string[]
    readonly timeoutMsMax: number
    readonly attemptsMax: number
    readonly backoffMsMin: number
    readonly backoffMsMax: number
    /** How long what was delivered may stay unnoted. */
    readonly noteMsMax: number
  }
  readonly pool: {
    readonly bytes: number
    /** Up to which the pool grows by itself; null for not at all. */
    readonly bytesMax: number | null
    /** Opens without members that are missing, where others stand in for them. */
    readonly degraded: boolean
  }
  readonly scrub: {
    /** 0 for never of itself. */
    readonly everyHours: number
    readonly bytesPerSecond: number
  }
  readonly limits: {
    readonly objectBytesMax: number
    readonly drainMsMax: number
    readonly checkpointRecordsMax: number
    readonly checkpointMsMax: number
    readonly longPollMsMax: number
    /** How long an upload that was cut off waits for somebody who goes on with it. */
    readonly partialKeepHours: number
    /** Of one application. */
    readonly partialsMax: number
    readonly partialBytesMax: number
  }
  readonly log: { readonly level: LogLevel }
  /** Begins a new succession of keys when the one that signs is lost. */
  readonly replaceSigningKey: boolean
  /** CENOTE_MASTER_KEY, when set. */
  readonly masterKey: string | undefined
  /** CENOTE_ROOT_KEY and CENOTE_ROOT_SECRET, when set. */
  readonly root: Credentials | undefined
}

/** The flags of `cenote serve`, as typed. */
export interface ServeFlags {
  readonly data?: string
  readonly http?: string
  readonly ftp?: string
  readonly smtp?: string
  readonly config?: string
  readonly poolBytes?: string
  readonly poolMax?: string
  readonly degraded?: boolean
  readonly replaceSigningKey?: boolean
}

export type Environment = { readonly [name: string]: string | undefined }

/** The content of a configuration file that was found valid: sections of keys. */
export type FileContent = { readonly [key: string]: unknown }

/** Throws ConfigurationError, which names the setting at fault and where it was set. */
export async function loadConfiguration(flags: ServeFlags, environment: Environment): Promise<Configuration> {
  const path = flags.config ?? (environment.CENOTE_CONFIG || undefined)
  if (path === undefined) return parseConfiguration(flags, environment)
  const { readConfigurationFile } = await import('./config-file.ts')
  return parseConfiguration(flags, environment, readConfigurationFile(resolve(path)), path)
}

/** A flag wins over the environment, which wins over the file, which wins over the default. */
export function parseConfiguration(
  flags: ServeFlags,
  environment: Environment,
  file: FileContent = {},
  path = '',
): Configuration {
  const setting = (key: keyof typeof settings): Setting => pick(key, flags, environment, file, path)
  return deepFreeze({
    data: resolve(parseText(setting('data'))),
    http: { listen: parseAddress(setting('http.listen')) },
    ftp: {
      listen: parseAddress(setting('ftp.listen')),
      tls: parseTls(setting('ftp.tls')),
      implicitListen: parseAddress(setting('ftp.implicitListen')),
      tlsReuse: parseSwitch(setting('ftp.tlsReuse')),
      passivePorts: parsePorts(setting('ftp.passivePorts')),
      passiveHost: parsePassiveHost(setting('ftp.passiveHost')),
      networks: list(setting('ftp.networks')).map(parseNetwork),
      anonymous: parseApplication(setting('ftp.anonymous')),
      connectionsMax: parsePositive(setting('ftp.connectionsMax'), COUNT_MAX),
      connectionsPerAddressMax: parsePositive(setting('ftp.connectionsPerAddressMax'), COUNT_MAX),
      failuresPerAddressMax: parsePositive(setting('ftp.failuresPerAddressMax'), COUNT_MAX),
      failuresPerUserMax: parsePositive(setting('ftp.failuresPerUserMax'), COUNT_MAX),
      failuresWindowMs: parsePositive(setting('ftp.failuresWindowMs'), MILLISECONDS_MAX),
      loginMsMax: parsePositive(setting('ftp.loginMsMax'), MILLISECONDS_MAX),
      idleMsMax: parsePositive(setting('ftp.idleMsMax'), MILLISECONDS_MAX),
      dataIdleMsMax: parsePositive(setting('ftp.dataIdleMsMax'), MILLISECONDS_MAX),
      bytesPerSecond: parseRate(setting('ftp.bytesPerSecond')),
      legacy: parseLegacy(setting),
    },
    tls: parseCertificate(setting('tls.certificate'), setting('tls.key')),
    smtp: {
      listen: parseAddress(setting('smtp.listen')),
      tls: parseTls(setting('smtp.tls')),
      implicitListen: parseAddress(setting('smtp.implicitListen')),
      lmtpListen: parseAddress(setting('smtp.lmtpListen')),
      domains: list(setting('smtp.domains')).map(parseDomain),
      networks: list(setting('smtp.networks')).map(parseNetwork),
      proxyNetworks: list(setting('smtp.proxyNetworks')).map(parseNetwork),
      resolvers: list(setting('smtp.resolvers')).map(parseResolver),
      clearAuth: parseSwitch(setting('smtp.clearAuth')),
      cramMd5: parseSwitch(setting('smtp.cramMd5')),
      bannerDelayMs: parseMilliseconds(setting('smtp.bannerDelayMs')),
      messageBytesMax: parseSize(setting('smtp.messageBytesMax')),
      parts: parseSwitch(setting('smtp.parts')),
      recipientsMax: parsePositive(setting('smtp.recipientsMax'), COUNT_MAX),
      connectionsMax: parsePositive(setting('smtp.connectionsMax'), COUNT_MAX),
      connectionsPerAddressMax: parsePositive(setting('smtp.connectionsPerAddressMax'), COUNT_MAX),
      failuresPerAddressMax: parsePositive(setting('smtp.failuresPerAddressMax'), COUNT_MAX),
      failuresPerUserMax: parsePositive(setting('smtp.failuresPerUserMax'), COUNT_MAX),
      failuresWindowMs: parsePositive(setting('smtp.failuresWindowMs'), MILLISECONDS_MAX),
      idleMsMax: parsePositive(setting('smtp.idleMsMax'), MILLISECONDS_MAX),
      transactionMsMax: parsePositive(setting('smtp.transactionMsMax'), MILLISECONDS_MAX),
    },
    scanner: parseScanner(setting),
    webhooks: {
      networks: list(setting('webhooks.networks')).map(parseNetwork),
      timeoutMsMax: parsePositive(setting('webhooks.timeoutMsMax'), WEBHOOK_TIMEOUT_MS_MAX),
      attemptsMax: parsePositive(setting('webhooks.attemptsMax'), WEBHOOK_ATTEMPTS_MAX),
      backoffMsMin: parsePositive(setting('webhooks.backoffMsMin'), MILLISECONDS_MAX),
      backoffMsMax: parsePositive(setting('webhooks.backoffMsMax'), MILLISECONDS_MAX),
      noteMsMax: parsePositive(setting('webhooks.noteMsMax'), MILLISECONDS_MAX),
    },
    pool: {
      bytes: parsePoolSize(setting('pool.bytes')),
      bytesMax: parseBound(setting('pool.bytesMax')),
      degraded: flags.degraded === true,
    },
    scrub: {
      everyHours: parseHours(setting('scrub.everyHours')),
      bytesPerSecond: parseSize(setting('scrub.bytesPerSecond')),
    },
    limits: {
      objectBytesMax: parseSize(setting('limits.objectBytesMax')),
      drainMsMax: parseMilliseconds(setting('limits.drainMsMax')),
      checkpointRecordsMax: parseCount(setting('limits.checkpointRecordsMax'), CHECKPOINT_RECORDS_LIMIT),
      checkpointMsMax: parseMilliseconds(setting('limits.checkpointMsMax')),
      longPollMsMax: parseMilliseconds(setting('limits.longPollMsMax')),
      partialKeepHours: parsePositive(setting('limits.partialKeepHours'), PARTIAL_KEEP_HOURS_MAX),
      partialsMax: parsePositive(setting('limits.partialsMax'), PARTIALS_MAX_MAX),
      partialBytesMax: parseSize(setting('limits.partialBytesMax')),
    },
    log: { level: parseLevel(setting('log.level')) },
    replaceSigningKey: flags.replaceSigningKey === true,
    masterKey: environment.CENOTE_MASTER_KEY || undefined,
    root: parseRoot(environment),
  })
}

/** Whoever has uploads scanned names who scans them. */
function parseScanner(setting: (key: keyof typeof settings) => Setting): Configuration['scanner'] {
  const url = parseScannerUrl(setting('scanner.url'))
  const policy = parseScanPolicy(setting('scanner.policy'))
  if (url === null && policy !== 'off')
    throw new ConfigurationError(`scanner.url must name a scanner, where scanner.policy is ${policy}`)
  return {
    url,
    policy,
    msMax: parsePositive(setting('scanner.msMax'), SCANNER_MS_MAX),
    bytesMax: parseSize(setting('scanner.bytesMax')),
    concurrentMax: parsePositive(setting('scanner.concurrentMax'), SCANNER_CONCURRENT_MAX),
  }
}

/** Old TLS is spoken from networks that are named, and from nowhere else. */
function parseLegacy(setting: (key: keyof typeof settings) => Setting): Configuration['ftp']['legacy'] {
  const listen = parseAddress(setting('ftp.legacyTls'))
  const networks = list(setting('ftp.legacyNetworks')).map(parseNetwork)
  if (listen !== null && networks.length === 0)
    throw new ConfigurationError('ftp.legacyNetworks must name the networks of old devices, where ftp.legacyTls is on')
  return { listen, mode: parseLegacyMode(setting('ftp.legacyTlsMode')), networks }
}

function pick(
  key: keyof typeof settings,
  flags: ServeFlags,
  environment: Environment,
  file: FileContent,
  path: string,
): Setting {
  const row: { fallback: unknown; environment?: string; flag?: keyof ServeFlags } = settings[key]
  const flagged = row.flag && flags[row.flag]
  if (row.flag && flagged !== undefined) return { value: flagged, source: `--${dashed(row.flag)}` }
  const variable = row.environment && environment[row.environment]
  if (row.environment && variable) return { value: variable, source: row.environment }
  const filed = key.split('.').reduce<unknown>((value, name) => (value as FileContent | undefined)?.[name], file)
  return filed === undefined ? { value: row.fallback, source: key } : { value: filed, source: `${path}: ${key}` }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze)
  return Object.freeze(value)
}

/** `poolBytes` as it is typed: `pool-bytes`. */
function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function parseRoot({ CENOTE_ROOT_KEY: key, CENOTE_ROOT_SECRET: secret }: Environment): Credentials | undefined {
  if (!key && !secret) return undefined
  if (!key || !secret) {
    throw new ConfigurationError(`${key ? 'CENOTE_ROOT_SECRET' : 'CENOTE_ROOT_KEY'} is missing: set both, or neither`)
  }
  return { key: parseApplicationId({ value: key, source: 'CENOTE_ROOT_KEY' }), secret }
}
