import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino, { type Logger } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Certificates, selfSignedFiles } from '../../server/certificates.ts'
import { parseConfiguration } from '../../server/config.ts'
import type { CertificateFiles } from '../../server/config-values.ts'
import { selfSigned } from '../../server/self-signed.ts'

const now = Date.now()
const DAY_MS = 86_400_000
let folder: string
let files: CertificateFiles

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cenote-tls-'))
  files = await selfSignedFiles(join(folder, 'tls'), now)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Resolves with the next line of the log. */
function told(): { readonly log: Logger; readonly line: Promise<string> } {
  let tell = (_: string) => {}
  const line = new Promise<string>((resolve) => {
    tell = resolve
  })
  return { log: pino({}, { write: (text: string) => tell(JSON.parse(text).msg) }), line }
}

describe('the self-signed certificate', () => {
  test('is made once, for its owner alone, and kept', async () => {
    const before = readFileSync(files.certificate, 'utf8')
    expect(statSync(files.key).mode & 0o777).toBe(0o600)
    expect(await selfSignedFiles(join(folder, 'tls'), now)).toEqual(files)
    expect(readFileSync(files.certificate, 'utf8')).toBe(before)
  })

  test.each([
    ['it ends within a month', () => now + 380 * DAY_MS, () => {}],
    ['it is damaged', () => now, () => writeFileSync(files.certificate, 'no certificate')],
  ])('is made again when %s', async (_, time, spoil) => {
    const before = readFileSync(files.key, 'utf8')
    spoil()
    await selfSignedFiles(join(folder, 'tls'), time())
    expect(readFileSync(files.key, 'utf8')).not.toBe(before)
    await using certificates = await opened(files)
    expect(certificates.context()).toBeDefined()
  })
})

describe('a certificate that cannot serve is refused with the file at fault', () => {
  test.each<readonly [words: string, spoil: () => void | Promise<void>]>([
    ['key.pem can be read by everybody; run: chmod 640', () => chmodSync(files.key, 0o604)],
    ['certificate.pem holds no certificate in PEM', () => writeFileSync(files.certificate, 'x')],
    ['key.pem holds no private key in PEM', () => writeFileSync(files.key, 'x')],
    ['certificate.pem cannot be read: ENOENT', () => rmSync(files.certificate)],
    ['key.pem cannot be read: ENOENT', () => rmSync(files.key)],
    ['key.pem is not the key of', async () => writeFileSync(files.key, (await selfSigned(now)).key)],
  ])('%s', async (words, spoil) => {
    await spoil()
    await expect(opened(files)).rejects.toThrow(words)
  })
})

async function opened(paths: CertificateFiles, log = pino({ enabled: false })) {
  const certificates = await Certificates.open(paths, log, 5)
  return Object.assign(certificates, { [Symbol.asyncDispose]: () => certificates.close() })
}

test('a new certificate is read when its files change; until both have, the one of before serves on', async () => {
  const fresh = await selfSigned(now)
  const first = told()
  const second = told()
  const logs = [first.log, second.log]
  type Words = [object, string]
  const log = { info: (...words: Words) => logs[0]!.info(...words), warn: (...words: Words) => logs[0]!.warn(...words) }
  await using certificates = await opened(files, log as unknown as Logger)
  const before = certificates.context()
  writeFileSync(files.key, fresh.key)
  expect(await first.line).toBe('the certificate of before serves on')
  expect(certificates.context()).toBe(before)
  logs.shift()
  writeFileSync(files.certificate, fresh.certificate)
  expect(await second.line).toBe('the certificate was read again')
  expect(certificates.context()).not.toBe(before)
})

describe('the configuration', () => {
  test('has TLS off, and says which file is missing', () => {
    expect(parseConfiguration({}, {})).toMatchObject({ tls: null, ftp: { tls: 'off', implicitListen: null } })
    const file = (tls: object) => () => parseConfiguration({}, {}, { tls }, 'cenote.json')
    expect(file({ certificate: 'a.pem', key: 'b.pem' })().tls).toEqual({ certificate: 'a.pem', key: 'b.pem' })
    expect(file({ certificate: 'a.pem' })).toThrow('tls.key must be a file, where tls.certificate is one')
    expect(file({ key: 'b.pem' })).toThrow('tls.certificate must be a file, where tls.key is one')
  })

  test.each([
    [{ tls: 'on' }, 'ftp.tls must be off, offered or required, not "on"'],
    [{ tlsReuse: 'yes' }, 'ftp.tlsReuse must be true or false, not "yes"'],
    [{ implicitListen: '2990' }, 'ftp.implicitListen must be host:port'],
  ])('refuses %j', (ftp, words) => {
    expect(() => parseConfiguration({}, {}, { ftp }, 'cenote.json')).toThrow(words)
  })
})
