import { randomInt } from 'node:crypto'
import { isIPv4 } from 'node:net'
import type { Access, Partials, Principal, Store } from '../../streams/index.ts'
import { Guests } from '../guests.ts'
import { Networks } from '../networks.ts'
import type { FtpTls } from './protection.ts'

/** What the door writes its log with; pino's loggers fit. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Both ends inclusive; 0 to 0 lets the system choose. */
export interface PortRange {
  readonly min: number
  readonly max: number
}

/** Every bound of the door. */
export interface FtpLimits {
  /** Control connections at once; one more is answered 421. */
  readonly connectionsMax: number
  /** Refused logins on one connection; the last is followed by 421. */
  readonly loginAttemptsMax: number
  /** A command line without its end; a longer one is skipped and answered 500. */
  readonly commandBytesMax: number
  /** Commands that wait for the one underway; one more is answered 421. */
  readonly commandsQueuedMax: number
  /** For TLS to come up on a connection; then it is cut. */
  readonly handshakeMsMax: number
  /** From the greeting to a login; then 421. */
  readonly loginMsMax: number
  /** From one command to the next; then 421. */
  readonly controlIdleMsMax: number
  /** For the data connection to come up, after PASV or EPSV and again after the transfer command; then 425. */
  readonly dataConnectMsMax: number
  /** For another one, once a connection was reset before anybody could tell whose it was; then 425. */
  readonly dataReconnectMsMax: number
  /** Without a byte on the data connection while it is the client's turn; then 426. */
  readonly dataIdleMsMax: number
  /** Passive ports tried for one PASV or EPSV; then 425. */
  readonly passiveAttemptsMax: number
  /** Bytes read for one digest that the store does not have; then 552. */
  readonly digestBytesMax: number
  /** Bytes of replies that a client has not read; then its connection is cut. */
  readonly repliesBytesMax: number
  /** How long a word on the end of a file waits for others, to be written with them. */
  readonly verdictMsMax: number
  /** Such words that are written together. */
  readonly verdictsMax: number
  /** Such words that wait; then uploads wait, too. */
  readonly verdictsWaitingMax: number
  /** For a client to close after our last word; then its connection is cut. */
  readonly closeMsMax: number
}

export const ftpLimits: FtpLimits = {
  connectionsMax: 1024,
  loginAttemptsMax: 3,
  commandBytesMax: 8192,
  commandsQueuedMax: 64,
  handshakeMsMax: 10_000,
  loginMsMax: 60_000,
  controlIdleMsMax: 300_000,
  dataConnectMsMax: 30_000,
  dataReconnectMsMax: 1_000,
  dataIdleMsMax: 60_000,
  passiveAttemptsMax: 64,
  digestBytesMax: 2 ** 32,
  repliesBytesMax: 4 << 20,
  verdictMsMax: 200,
  verdictsMax: 256,
  verdictsWaitingMax: 4096,
  closeMsMax: 2_000,
}

export interface FtpOptions {
  readonly store: Store
  readonly partials: Partials
  readonly access: Access
  readonly logger: Logger
  readonly host: string
  readonly port: number
  readonly passivePorts: PortRange
  /** The IPv4 address that PASV tells; by default the one that the client connected to. */
  readonly passiveHost?: string
  /** Without it nothing here is encrypted. */
  readonly tls?: FtpTls
  readonly limits?: Partial<FtpLimits>
  /** Shared by all listeners of a server, so that bounds on who comes are bounds on all of them together. */
  readonly guests?: Guests
  /** Addresses and ranges that connections are taken from; without them from anywhere. */
  readonly networks?: readonly string[]
  /** Of one session, both ways; without it as fast as it goes. */
  readonly bytesPerSecond?: number
  /** Whom `anonymous` and `ftp` act as, with any password; undefined where nobody may. */
  readonly anonymous?: (address: string) => Principal | undefined
  /** Tells milliseconds since 1970; listings show the year of what is older than half a year. */
  readonly clock?: { now(): number }
  /** Tells an integer from `min` to `max`, both inclusive; passive ports are chosen by it. */
  readonly random?: { integer(min: number, max: number): number }
}

type Undefaulted = 'passiveHost' | 'tls' | 'limits' | 'networks' | 'bytesPerSecond'

/** Options with every default filled in. */
export interface FtpSettings extends Required<Omit<FtpOptions, Undefaulted>> {
  readonly passiveHost: string | undefined
  readonly tls: FtpTls | undefined
  readonly limits: FtpLimits
  readonly networks: Networks | undefined
  readonly bytesPerSecond: number | undefined
}

/** @throws {RangeError} for a passive range or address that no client could use */
export function settingsOf(options: FtpOptions): FtpSettings {
  const { passiveHost, passivePorts } = options
  const { min, max } = passivePorts
  if (min > max || min < 0 || max > 65535 || (min === 0 && max > 0)) {
    throw new RangeError(`The passive ports ${min} to ${max} are no range within 1 to 65535`)
  }
  if (passiveHost !== undefined && !isIPv4(passiveHost)) {
    throw new RangeError(
      `The passive host ${passiveHost} is no IPv4 address; over IPv6 clients use EPSV, which needs none`,
    )
  }
  return {
    clock: Date,
    random: { integer: (min, max) => randomInt(min, max + 1) },
    passiveHost: undefined,
    tls: undefined,
    guests: new Guests(),
    anonymous: () => undefined,
    bytesPerSecond: undefined,
    ...options,
    networks: options.networks && new Networks(options.networks),
    limits: { ...ftpLimits, ...options.limits },
  }
}
