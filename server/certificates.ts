import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Logger } from 'pino'
import type { CertificateFiles } from './config-values.ts'
import { makeFolder, replaceFile } from './durable-file.ts'
import type { KeyPair } from './self-signed.ts'

/** Files are looked at this often, and a new certificate serves the connections from then on. */
export const CERTIFICATE_LOOK_MS = 5_000
/** A self-signed one that ends sooner than this is made again at a start. */
const RENEW_MS = 30 * 86_400_000

/** One certificate, as it is shown to those who speak TLS of today and of before. */
interface Contexts {
  readonly modern: SecureContext
  readonly legacy: SecureContext
}

/** The certificate that the doors show: read once, and again whenever its files change. */
export class Certificates {
  readonly #files: CertificateFiles
  readonly #log: Logger
  readonly #timer: NodeJS.Timeout
  #contexts: Contexts
  /** The files as they were just before they were read: a change in between is seen at the next look. */
  #marks: string
  #looking: Promise<void> = Promise.resolve()

  private constructor(files: CertificateFiles, marks: string, contexts: Contexts, log: Logger, lookMs: number) {
    this.#files = files
    this.#marks = marks
    this.#contexts = contexts
    this.#log = log
    this.#timer = setInterval(() => this.#look(), lookMs).unref()
  }

  /** Throws, with the file at fault, for a certificate that cannot serve. */
  static async open(files: CertificateFiles, log: Logger, lookMs = CERTIFICATE_LOOK_MS): Promise<Certificates> {
    const marks = await marksOf(files)
    return new Certificates(files, marks, await load(files), log, lookMs)
  }

  context(): SecureContext {
    return this.#contexts.modern
  }

  /** For devices that know no TLS but 1.0 and 1.1: with their ciphers and digests, which OpenSSL has at level 0 alone. */
  legacyContext(): SecureContext {
    return this.#contexts.legacy
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
  }

  #look(): void {
    this.#looking = this.#looking.then(async () => {
      const marks = await marksOf(this.#files)
      if (marks === this.#marks) return
      this.#marks = marks
      await this.#readAgain()
    })
  }

  /** Two files cannot change at once: while they do not belong together the certificate of before serves on. */
  async #readAgain(): Promise<void> {
    try {
      this.#contexts = await load(this.#files)
      this.#log.info({ certificate: this.#files.certificate }, 'the certificate was read again')
    } catch (error) {
      this.#log.warn({ err: error }, 'the certificate of before serves on')
    }
  }
}

/** Changes when a file does, or another takes its place. */
async function marksOf(files: CertificateFiles): Promise<string> {
  const facts = await Promise.all(Object.values(files).map((path) => stat(path).catch(() => undefined)))
  return facts.map((file) => (file ? `${file.dev} ${file.ino} ${file.size} ${file.mtimeMs}` : 'none')).join()
}

/** Nobody else's eyes on the key; both files in PEM, and belonging together. */
async function load(files: CertificateFiles): Promise<Contexts> {
  const { mode } = await stat(files.key).catch(unreadable(files.key))
  if ((mode & 0o007) !== 0) throw new Error(`${files.key} can be read by everybody; run: chmod 640 ${files.key}`)
  const certificate = await readFile(files.certificate, 'utf8').catch(unreadable(files.certificate))
  const key = await readFile(files.key, 'utf8').catch(unreadable(files.key))
  check(files, { certificate, key })
  const pair = { cert: certificate, key }
  return {
    modern: createSecureContext({ ...pair, minVersion: 'TLSv1.2' }),
    legacy: createSecureContext({ ...pair, minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  }
}

/** OpenSSL would say much the same, without a word of which file. */
function check(files: CertificateFiles, { certificate, key }: KeyPair): void {
  const shown = inWords(`${files.certificate} holds no certificate in PEM`, () => new X509Certificate(certificate))
  const secret = inWords(`${files.key} holds no private key in PEM`, () => createPrivateKey(key))
  if (!shown.checkPrivateKey(secret)) throw new Error(`${files.key} is not the key of ${files.certificate}`)
}

function inWords<T>(words: string, attempt: () => T): T {
  try {
    return attempt()
  } catch (cause) {
    throw new Error(words, { cause })
  }
}

function unreadable(path: string): (cause: Error) => never {
  return (cause) => {
    throw new Error(`${path} cannot be read: ${cause.message}`, { cause })
  }
}

/** The self-signed certificate in a folder, made when it is not there, and again before it ends. */
export async function selfSignedFiles(folder: string, now: number): Promise<CertificateFiles> {
  const files = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') }
  if (await isGood(files, now)) return files
  const { selfSigned } = await import('./self-signed.ts')
  const { certificate, key } = await selfSigned(now)
  await makeFolder(folder)
  await replaceFile(files.key, key)
  await replaceFile(files.certificate, certificate)
  return files
}

async function isGood(files: CertificateFiles, now: number): Promise<boolean> {
  try {
    await load(files)
    return Date.parse(new X509Certificate(await readFile(files.certificate)).validTo) > now + RENEW_MS
  } catch {
    return false
  }
}

/** Opens what is configured, or the self-signed certificate of the data folder. */
export async function openCertificates(
  configured: CertificateFiles | null,
  folder: string,
  log: Logger,
): Promise<Certificates> {
  return Certificates.open(configured ?? (await selfSignedFiles(folder, Date.now())), log)
}
