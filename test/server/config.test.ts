import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type FileContent, loadConfiguration, parseConfiguration } from '../../server/config.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

function written(content: unknown): string {
  const path = join(temporaryFolder(), 'cenote.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const load = (content: unknown) => loadConfiguration({ config: written(content) }, {})

describe('configuration', () => {
  test('has defaults for everything, on loopback', () => {
    const configuration = parseConfiguration({}, {})
    expect(configuration.http.listen).toEqual({ host: '127.0.0.1', port: 8480 })
    expect(configuration.ftp.listen).toEqual({ host: '127.0.0.1', port: 2121 })
    expect(configuration.smtp.listen).toEqual({ host: '127.0.0.1', port: 2525 })
    expect(configuration.smtp.domains).toEqual(['cenote.local'])
    expect(configuration.pool.bytes).toBe(2 ** 30)
    expect(configuration.limits.drainMsMax).toBe(30_000)
    expect(configuration.limits).toMatchObject({ partialKeepHours: 24, partialsMax: 1000, partialBytesMax: 2 ** 36 })
    expect(configuration.root).toBeUndefined()
  })

  test('a flag wins over the environment, which wins over the file', () => {
    const file: FileContent = { http: { listen: 'a:1' }, ftp: { listen: 'b:2' }, smtp: { listen: 'c:3' } }
    const environment = { CENOTE_HTTP: 'd:4', CENOTE_FTP: 'e:5', CENOTE_SMTP: '' }
    const configuration = parseConfiguration({ http: 'f:6' }, environment, file, 'cenote.json')
    expect(configuration.http.listen).toEqual({ host: 'f', port: 6 })
    expect(configuration.ftp.listen).toEqual({ host: 'e', port: 5 })
    expect(configuration.smtp.listen).toEqual({ host: 'c', port: 3 })
  })

  test('is frozen all the way down', () => {
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      expect(Object.isFrozen(value)).toBe(true)
      Object.values(value).forEach(visit)
    }
    visit(parseConfiguration({}, { CENOTE_ROOT_KEY: 'root', CENOTE_ROOT_SECRET: 'the secret of the root' }))
  })

  test('reads a file, whose relative data folder starts at the file', async () => {
    const path = written({ data: 'pools', smtp: { domains: ['Example.ORG'], networks: ['10.0.0.0/8', '::1'] } })
    const configuration = await loadConfiguration({ config: path }, {})
    expect(configuration.data).toBe(join(path, '../pools'))
    expect(configuration.smtp).toMatchObject({ domains: ['example.org'], networks: ['10.0.0.0/8', '::1'] })
  })

  test.each([
    ['off', null],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
  ])('listens at %s', (http, listen) => {
    expect(parseConfiguration({ http }, {}).http.listen).toEqual(listen)
  })

  test.each(['127.0.0.1', ':80', 'a b:80', '::1:80', '[::1]', '[a]:80', 'host:65536', 'host:-1', ''])(
    'refuses to listen at "%s", and names the flag',
    (http) => {
      expect(() => parseConfiguration({ http }, {})).toThrow(`--http must be host:port, [address]:port or "off", not`)
    },
  )

  test.each([
    ['24MiB', 24 * 2 ** 20],
    ['256MiB', 2 ** 28],
    ['2 GiB', 2 ** 31],
    ['67108864', 2 ** 26],
  ])('a size of %s', (poolBytes, bytes) => {
    expect(parseConfiguration({ poolBytes }, {}).pool.bytes).toBe(bytes)
  })

  test.each(['0', '-1', '1GB', '1.5GiB', '9000000TiB', 'x', ''])('refuses a size of "%s"', (poolBytes) => {
    expect(() => parseConfiguration({ poolBytes }, {})).toThrow('--pool-bytes must be a size')
  })

  test.each(['16MiB', '25165823'])('refuses %s as too small for a pool', (poolBytes) => {
    const refused = `--pool-bytes must be at least 24MiB, not "${poolBytes}"`
    expect(() => parseConfiguration({ poolBytes }, {})).toThrow(refused)
  })

  test.each<[string, { [name: string]: string }, string]>([
    ['a door', { CENOTE_FTP: 'x' }, 'CENOTE_FTP must be host:port'],
    ['a level', { CENOTE_LOG_LEVEL: 'loud' }, 'CENOTE_LOG_LEVEL must be debug, info, warn or error, not "loud"'],
    ['half a root', { CENOTE_ROOT_KEY: 'root' }, 'CENOTE_ROOT_SECRET is missing: set both, or neither'],
    ['the other half', { CENOTE_ROOT_SECRET: 's' }, 'CENOTE_ROOT_KEY is missing: set both, or neither'],
    [
      'a strange root',
      { CENOTE_ROOT_KEY: 'a:b', CENOTE_ROOT_SECRET: 's' },
      'CENOTE_ROOT_KEY must be an application id (1 to',
    ],
  ])('refuses %s in the environment', (_, environment, message) => {
    expect(() => parseConfiguration({}, environment)).toThrow(message)
  })

  test.each<[unknown, string]>([
    [{ htpp: {} }, 'cenote.json: has no key "htpp"'],
    [{ http: { port: 1 } }, 'cenote.json: http has no key "port"'],
    [{ http: { listen: 8480 } }, 'cenote.json: http.listen must be string'],
    [{ smtp: { domains: [] } }, 'cenote.json: smtp.domains must not have fewer than 1 items'],
    [{ smtp: { domains: ['a', 3] } }, 'cenote.json: smtp.domains.1 must be string'],
    [{ smtp: { domains: ['a.org', 'no domain'] } }, 'cenote.json: smtp.domains must be domains such as'],
    [{ smtp: { networks: ['10.0.0.0/33'] } }, 'cenote.json: smtp.networks must be a network'],
    [{ smtp: { networks: ['example.org'] } }, 'cenote.json: smtp.networks must be a network'],
    [{ smtp: { networks: ['10.0.0.0/'] } }, 'cenote.json: smtp.networks must be a network'],
    [{ webhooks: { networks: ['10.0.0.0/0x8'] } }, 'cenote.json: webhooks.networks must be a network'],
    [{ webhooks: { networks: ['10.0.0.0/8/24'] } }, 'cenote.json: webhooks.networks must be a network'],
    [{ ftp: { networks: ['::ffff:1.2.3.4/24'] } }, 'cenote.json: ftp.networks must be a network'],
    [{ webhooks: { networks: ['example.org'] } }, 'cenote.json: webhooks.networks must be a network'],
    [{ webhooks: { attemptsMax: 0 } }, 'cenote.json: webhooks.attemptsMax must be a whole number from 1 to 1000'],
    [{ webhooks: { backoffMsMin: 0 } }, 'cenote.json: webhooks.backoffMsMin must be a whole number from 1 to 86400000'],
    [
      { webhooks: { timeoutMsMax: 600_001 } },
      'cenote.json: webhooks.timeoutMsMax must be a whole number from 1 to 600000',
    ],
    [{ pool: { bytes: [] } }, 'cenote.json: pool.bytes must be a number or a text'],
    [{ pool: { bytes: 0 } }, 'cenote.json: pool.bytes must be a size'],
    [{ limits: { drainMsMax: 1e9 } }, 'cenote.json: limits.drainMsMax must be a number of milliseconds'],
    [{ limits: { partialKeepHours: 0 } }, 'cenote.json: limits.partialKeepHours must be a whole number from 1 to 8784'],
    [{ ftp: { passiveHost: 'ftp.example.org' } }, 'cenote.json: ftp.passiveHost must be an IPv4 address'],
    [{ ftp: { passiveHost: '::1' } }, 'cenote.json: ftp.passiveHost must be an IPv4 address'],
    [{ ftp: { passivePorts: '9-8' } }, 'cenote.json: ftp.passivePorts must be a range of ports'],
    [[], 'cenote.json: the file must be object'],
    ['{', 'cenote.json: Expected property name'],
  ])('refuses the file %j', async (content, message) => {
    await expect(load(content)).rejects.toThrow(message)
  })

  test('says which file is missing', async () => {
    await expect(loadConfiguration({ config: '/nowhere/cenote.json' }, {})).rejects.toThrow('/nowhere/cenote.json')
  })
})

describe('the scanner', () => {
  const scanner = (content: object) => parseConfiguration({}, {}, { scanner: content }, 'cenote.json').scanner

  test('is none, and asked about nothing', () => {
    expect(scanner({})).toEqual({ url: null, policy: 'off', msMax: 30_000, bytesMax: 2 ** 28, concurrentMax: 16 })
  })

  test('is set by a file', async () => {
    const written = { url: 'https://me:x@scan.example:1/a?b', policy: 'refuse', msMax: 1, concurrentMax: 2 }
    expect((await load({ scanner: { ...written, bytesMax: '1KiB' } })).scanner).toEqual({
      ...written,
      url: new URL(written.url),
      bytesMax: 1024,
    })
  })

  test.each<[string, unknown]>([
    ['url', 'scan.example'],
    ['url', 'icap://scan.example/'],
    ['policy', 'maybe'],
    ['msMax', 0],
    ['msMax', 300_001],
    ['bytesMax', 0],
    ['concurrentMax', 0],
    ['concurrentMax', 1001],
  ])('refuses %s %j, and names it', (key, value) => {
    expect(() => scanner({ [key]: value })).toThrow(`scanner.${key} must be`)
  })

  test('must be named by whoever has everything scanned', () => {
    const refused = 'scanner.url must name a scanner, where scanner.policy is accept'
    expect(() => scanner({ policy: 'accept' })).toThrow(refused)
  })
})

describe('FTP, and who comes', () => {
  const ftp = (content: object) => parseConfiguration({}, {}, { ftp: content }, 'cenote.json').ftp

  test('is open to all, bounded, without old TLS and without anonymous', () => {
    expect(ftp({})).toMatchObject({
      networks: [],
      anonymous: '',
      connectionsMax: 1024,
      connectionsPerAddressMax: 256,
      failuresPerAddressMax: 20,
      failuresPerUserMax: 100,
      failuresWindowMs: 600_000,
      loginMsMax: 60_000,
      idleMsMax: 300_000,
      dataIdleMsMax: 60_000,
      bytesPerSecond: null,
      legacy: { listen: null, mode: 'required', networks: [] },
    })
  })

  test('is set by a file', async () => {
    const written = {
      networks: ['10.0.0.0/8'],
      anonymous: 'public',
      connectionsMax: 7,
      connectionsPerAddressMax: 3,
      failuresPerAddressMax: 4,
      failuresPerUserMax: 5,
      failuresWindowMs: 6000,
      loginMsMax: 7000,
      idleMsMax: 8000,
      dataIdleMsMax: 9000,
      bytesPerSecond: '1MiB',
      legacyTls: '0.0.0.0:2991',
      legacyTlsMode: 'implicit',
      legacyNetworks: ['192.168.7.0/24'],
    }
    const { legacyTls: _, legacyTlsMode: _mode, legacyNetworks: networks, ...same } = written
    expect((await load({ ftp: written })).ftp).toMatchObject({
      ...same,
      bytesPerSecond: 2 ** 20,
      legacy: { listen: { host: '0.0.0.0', port: 2991 }, mode: 'implicit', networks },
    })
  })

  test.each<[string, unknown]>([
    ['networks', ['10.0.0.0/33']],
    ['anonymous', 'a:b'],
    ['connectionsMax', 0],
    ['connectionsPerAddressMax', 1.5],
    ['failuresPerAddressMax', 0],
    ['failuresPerUserMax', -1],
    ['failuresWindowMs', 86_400_001],
    ['loginMsMax', 0],
    ['idleMsMax', 0],
    ['dataIdleMsMax', 0],
    ['bytesPerSecond', 1023],
    ['bytesPerSecond', 'fast'],
    ['legacyTls', '2991'],
    ['legacyTlsMode', 'offered'],
    ['legacyNetworks', ['example.org']],
  ])('refuses %s %j, and names it', (key, value) => {
    expect(() => ftp({ [key]: value })).toThrow(`ftp.${key} must be`)
  })

  test('refuses old TLS for everybody', () => {
    expect(() => ftp({ legacyTls: '127.0.0.1:2991' })).toThrow(
      'ftp.legacyNetworks must name the networks of old devices',
    )
  })
})
