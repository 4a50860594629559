import { webcrypto } from 'node:crypto'
import { hostname } from 'node:os'

/** A certificate and its private key, in PEM. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

/** Browsers and TLS libraries refuse server certificates that are valid for longer (CA/Browser Forum, 6.3.2). */
const VALID_DAYS = 397
const DAY_MS = 86_400_000
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** A certificate that this machine vouches for itself, for its own names: for trying things out. */
export async function selfSigned(now: number): Promise<KeyPair> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const names = ['localhost', hostname()].map((value) => ({ type: 'dns', value }) as const)
  const addresses = ['127.0.0.1', '::1'].map((value) => ({ type: 'ip', value }) as const)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${hostname()}, O=Cenote`,
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + VALID_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([...names, ...addresses]),
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ],
  })
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  return { certificate: `${certificate.toString('pem')}\n`, key: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n` }
}
