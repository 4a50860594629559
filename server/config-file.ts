import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { ConfigurationError } from './config-values.ts'

/** A number of bytes, or one with a unit: 1073741824 or "1GiB". */
const Size = Type.Union([Type.Integer(), Type.String()])

function section<T extends Type.TProperties>(properties: T) {
  return Type.Optional(Type.Object(properties, { additionalProperties: false }))
}

/** The configuration file, as docs/OPERATING.md describes it. Every key is optional, and no other key is allowed. */
export const ConfigurationFile = Type.Object(
  {
    data: Type.Optional(Type.String({ minLength: 1 })),
    http: section({ listen: Type.Optional(Type.String()) }),
    ftp: section({
      listen: Type.Optional(Type.String()),
      tls: Type.Optional(Type.String()),
      implicitListen: Type.Optional(Type.String()),
      tlsReuse: Type.Optional(Type.Boolean()),
      passivePorts: Type.Optional(Type.String()),
      passiveHost: Type.Optional(Type.String({ minLength: 1 })),
      networks: Type.Optional(Type.Array(Type.String(), { maxItems: 1000 })),
      anonymous: Type.Optional(Type.String()),
      connectionsMax: Type.Optional(Type.Integer()),
      connectionsPerAddressMax: Type.Optional(Type.Integer()),
      failuresPerAddressMax: Type.Optional(Type.Integer()),
      failuresPerUserMax: Type.Optional(Type.Integer()),
      failuresWindowMs: Type.Optional(Type.Integer()),
      loginMsMax: Type.Optional(Type.Integer()),
      idleMsMax: Type.Optional(Type.Integer()),
      dataIdleMsMax: Type.Optional(Type.Integer()),
      bytesPerSecond: Type.Optional(Size),
      legacyTls: Type.Optional(Type.String()),
      legacyTlsMode: Type.Optional(Type.String()),
      legacyNetworks: Type.Optional(Type.Array(Type.String(), { maxItems: 1000 })),
    }),
    tls: section({
      certificate: Type.Optional(Type.String({ minLength: 1 })),
      key: Type.Optional(Type.String({ minLength: 1 })),
    }),
    smtp: section({
      listen: Type.Optional(Type.String()),
      tls: Type.Optional(Type.String()),
      implicitListen: Type.Optional(Type.String()),
      lmtpListen: Type.Optional(Type.String()),
      domains: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 1000 })),
      networks: Type.Optional(Type.Array(Type.String(), { maxItems: 1000 })),
      proxyNetworks: Type.Optional(Type.Array(Type.String(), { maxItems: 1000 })),
      resolvers: Type.Optional(Type.Array(Type.String(), { maxItems: 16 })),
      clearAuth: Type.Optional(Type.Boolean()),
      cramMd5: Type.Optional(Type.Boolean()),
      bannerDelayMs: Type.Optional(Type.Integer()),
      messageBytesMax: Type.Optional(Size),
      parts: Type.Optional(Type.Boolean()),
      recipientsMax: Type.Optional(Type.Integer()),
      connectionsMax: Type.Optional(Type.Integer()),
      connectionsPerAddressMax: Type.Optional(Type.Integer()),
      failuresPerAddressMax: Type.Optional(Type.Integer()),
      failuresPerUserMax: Type.Optional(Type.Integer()),
      failuresWindowMs: Type.Optional(Type.Integer()),
      idleMsMax: Type.Optional(Type.Integer()),
      transactionMsMax: Type.Optional(Type.Integer()),
    }),
    scanner: section({
      url: Type.Optional(Type.String()),
      policy: Type.Optional(Type.String()),
      msMax: Type.Optional(Type.Integer()),
      bytesMax: Type.Optional(Size),
      concurrentMax: Type.Optional(Type.Integer()),
    }),
    webhooks: section({
      networks: Type.Optional(Type.Array(Type.String(), { maxItems: 1000 })),
      timeoutMsMax: Type.Optional(Type.Integer()),
      attemptsMax: Type.Optional(Type.Integer()),
      backoffMsMin: Type.Optional(Type.Integer()),
      backoffMsMax: Type.Optional(Type.Integer()),
      noteMsMax: Type.Optional(Type.Integer()),
    }),
    pool: section({ bytes: Type.Optional(Size), bytesMax: Type.Optional(Size) }),
    scrub: section({ everyHours: Type.Optional(Type.Integer()), bytesPerSecond: Type.Optional(Size) }),
    limits: section({
      objectBytesMax: Type.Optional(Size),
      drainMsMax: Type.Optional(Type.Integer()),
      checkpointRecordsMax: Type.Optional(Type.Integer()),
      checkpointMsMax: Type.Optional(Type.Integer()),
      longPollMsMax: Type.Optional(Type.Integer()),
      partialKeepHours: Type.Optional(Type.Integer()),
      partialsMax: Type.Optional(Type.Integer()),
      partialBytesMax: Type.Optional(Size),
    }),
    log: section({ level: Type.Optional(Type.String()) }),
  },
  { additionalProperties: false },
)
export type ConfigurationFile = Static<typeof ConfigurationFile>

/** Reads and validates a configuration file; a relative `data` in it starts at the file's own folder. */
export function readConfigurationFile(path: string): ConfigurationFile {
  const content = parse(path)
  if (!Value.Check(ConfigurationFile, content)) throw new ConfigurationError(`${path}: ${explain(content)}`)
  return content.data === undefined ? content : { ...content, data: resolve(dirname(path), content.data) }
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ConfigurationError(`${path}: ${error instanceof Error ? error.message : error}`)
  }
}

/**
 * Names the first wrong key. A choice of types fails once for each; the last error, of the choice itself, has the
 * words.
 */
function explain(content: unknown): string {
  const errors = Value.Errors(ConfigurationFile, content)
  const error = errors.find(({ keyword }) => keyword === 'additionalProperties' || keyword === 'anyOf') ?? errors[0]
  if (error === undefined) return 'is not a configuration'
  const key = error.instancePath.slice(1).replaceAll('/', '.')
  if (error.keyword === 'anyOf') return `${key} must be a number or a text`
  if (error.keyword !== 'additionalProperties') return `${key || 'the file'} ${error.message}`
  const unknown = error.params.additionalProperties.map((name) => `"${name}"`).join(', ')
  return `${key ? `${key} has` : 'has'} no key ${unknown}`
}
