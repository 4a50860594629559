import { isIP, isIPv4 } from 'node:net'
import { domainToASCII } from 'node:url'
import { POOL_BYTES_MIN } from '../pool/index.ts'
import { CachingResolver } from '../protocols/index.ts'
import { isScanPolicy, SCAN_POLICIES, type ScanPolicy } from '../streams/index.ts'
import { applicationIdWords, isApplicationId } from './applications.ts'
import { isNetwork, RATE_MIN } from './policies.ts'
import { sizeOf, sizeWords } from './size.ts'

/** What is wrong with a setting, and where it was set. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/** A setting as it was written, and the words for where that was. */
export interface Setting {
  readonly value: unknown
  readonly source: string
}

export interface ListenAddress {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
}

export interface PortRange {
  readonly min: number
  readonly max: number
}

/** A certificate and its private key, in PEM files. */
export interface CertificateFiles {
  /** The chain, the server's own certificate first. */
  readonly certificate: string
  readonly key: string
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const portMax = 65_535
export const MILLISECONDS_MAX = 24 * 3600 * 1000

export function parseText({ value }: Setting): string {
  return String(value)
}

/** The items of a list, each with the list's source. */
export function list({ value, source }: Setting): readonly Setting[] {
  return Array.isArray(value) ? value.map((item) => ({ value: item, source })) : [{ value, source }]
}

/** `host:port`, `[v6]:port`, or `off`, which is null. */
export function parseAddress(setting: Setting): ListenAddress | null {
  if (setting.value === 'off') return null
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(String(setting.value)) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(digits) > portMax || (bracketed && isIP(bracketed) !== 6)) {
    throw wrong(setting, 'host:port, [address]:port or "off"')
  }
  return { host, port: Number(digits) }
}

/** A whole number of bytes, or one with KiB, MiB, GiB or TiB; at least 1. */
export function parseSize(setting: Setting): number {
  const bytes = sizeOf(String(setting.value))
  if (bytes !== undefined) return bytes
  throw wrong(setting, sizeWords)
}

/** A size, or `off`, which is null. */
export function parseBound(setting: Setting): number | null {
  return setting.value === 'off' ? null : parseSize(setting)
}

/** Of bytes a second: a size that is no slower than what can be told from a standstill, or `off`, which is null. */
export function parseRate(setting: Setting): number | null {
  const rate = parseBound(setting)
  if (rate === null || rate >= RATE_MIN) return rate
  throw wrong(setting, `at least ${RATE_MIN} bytes a second, or "off"`)
}

/** The size of a pool, which may not be too small for one. */
export function parsePoolSize(setting: Setting): number {
  const bytes = parseSize(setting)
  if (bytes >= POOL_BYTES_MIN) return bytes
  throw wrong(setting, `at least ${POOL_BYTES_MIN / 2 ** 20}MiB`)
}

/** A domain, in lower case. */
export function parseDomain(setting: Setting): string {
  const domain = String(setting.value).toLowerCase()
  if (domainToASCII(domain) !== '') return domain
  throw wrong(setting, 'domains such as "files.example.org"')
}

/** An IPv4 address, for that is all PASV can tell; '' for none. */
export function parsePassiveHost(setting: Setting): string {
  const host = String(setting.value)
  if (host === '' || isIPv4(host)) return host
  throw wrong(setting, 'an IPv4 address such as "203.0.113.7"')
}

export function parseMilliseconds(setting: Setting): number {
  const milliseconds = Number(setting.value)
  if (Number.isInteger(milliseconds) && milliseconds >= 0 && milliseconds <= MILLISECONDS_MAX) return milliseconds
  throw wrong(setting, `a number of milliseconds from 0 to ${MILLISECONDS_MAX}`)
}

/** A whole number from 1 on. */
export function parsePositive(setting: Setting, max: number): number {
  const number = Number(setting.value)
  if (Number.isInteger(number) && number >= 1 && number <= max) return number
  throw wrong(setting, `a whole number from 1 to ${max}`)
}

/** A whole number from 1 on. */
export function parseCount(setting: Setting, countMax: number): number {
  const count = Number(setting.value)
  if (Number.isInteger(count) && count >= 1 && count <= countMax) return count
  throw wrong(setting, `a whole number from 1 to ${countMax}`)
}

const hoursMax = 24 * 366

/** 0 for never. */
export function parseHours(setting: Setting): number {
  const hours = Number(setting.value)
  if (Number.isInteger(hours) && hours >= 0 && hours <= hoursMax) return hours
  throw wrong(setting, `a number of hours from 0 (never) to ${hoursMax}`)
}

/** `min-max`, both included; `any` (0 to 0) lets the system choose. */
export function parsePorts(setting: Setting): PortRange {
  if (setting.value === 'any') return { min: 0, max: 0 }
  const [, min, max] = (/^(\d{1,5})-(\d{1,5})$/.exec(String(setting.value)) ?? []).map(Number)
  if (min !== undefined && max !== undefined && min >= 1 && min <= max && max <= portMax) return { min, max }
  throw wrong(setting, 'a range of ports such as "50000-50999", or "any"')
}

/** A network in CIDR notation, or one address. */
export function parseNetwork(setting: Setting): string {
  const text = String(setting.value)
  if (!isNetwork(text)) throw wrong(setting, 'a network such as "192.168.0.0/16"')
  return text
}

export function parseResolver(setting: Setting): string {
  const text = String(setting.value)
  try {
    new CachingResolver({ servers: [text] }).close()
    return text
  } catch {
    throw wrong(setting, 'the address of a name server such as "192.0.2.53" or "[::1]:5353"')
  }
}

/** Both files or neither, which is null. */
export function parseCertificate(certificate: Setting, key: Setting): CertificateFiles | null {
  const [certificatePath, keyPath] = [certificate, key].map((setting) => parseText(setting))
  if (!certificatePath && !keyPath) return null
  if (!certificatePath) throw wrong(certificate, 'a file, where tls.key is one')
  if (!keyPath) throw wrong(key, 'a file, where tls.certificate is one')
  return { certificate: certificatePath, key: keyPath }
}

export function parseTls(setting: Setting): 'off' | 'offered' | 'required' {
  const { value } = setting
  if (value === 'off' || value === 'offered' || value === 'required') return value
  throw wrong(setting, 'off, offered or required')
}

/** Where a scanner is asked; '' for none, which is null. */
export function parseScannerUrl(setting: Setting): URL | null {
  const text = String(setting.value)
  if (text === '') return null
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && ['http:', 'https:'].includes(url.protocol)) return url
  throw wrong(setting, 'an http or https URL')
}

export function parseScanPolicy(setting: Setting): ScanPolicy {
  if (isScanPolicy(setting.value)) return setting.value
  throw wrong(setting, SCAN_POLICIES.join(', '))
}

export function parseSwitch(setting: Setting): boolean {
  if (typeof setting.value === 'boolean') return setting.value
  throw wrong(setting, 'true or false')
}

export function parseLevel(setting: Setting): LogLevel {
  const { value } = setting
  if (value === 'debug' || value === 'info' || value === 'warn' || value === 'error') return value
  throw wrong(setting, 'debug, info, warn or error')
}

/** An application's id, as the environment names the root application. */
export function parseApplicationId(setting: Setting): string {
  const id = String(setting.value)
  if (isApplicationId(id)) return id
  throw wrong(setting, `an application id (${applicationIdWords})`)
}

/** The same, or '' for none. */
export function parseApplication(setting: Setting): string {
  return setting.value === '' ? '' : parseApplicationId(setting)
}

export function parseLegacyMode(setting: Setting): 'required' | 'implicit' {
  const { value } = setting
  if (value === 'required' || value === 'implicit') return value
  throw wrong(setting, 'required or implicit')
}

function wrong({ value, source }: Setting, wanted: string): ConfigurationError {
  return new ConfigurationError(`${source} must be ${wanted}, not ${JSON.stringify(value)}`)
}
