import { generateKeyPairSync } from 'node:crypto'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

interface Signing {
  readonly signingDomain: string
  readonly selector: string
  readonly privateKey: string
  readonly algorithm?: string
  readonly canonicalization?: string
  readonly signTime?: Date
  readonly expires?: Date
  readonly maxBodyLength?: number
}
const { dkimSign } = require('mailauth/lib/dkim/sign.js') as {
  dkimSign(message: string, options: object): Promise<{ signatures: string; errors: readonly object[] }>
}
const { sealMessage } = require('mailauth/lib/arc/index.js') as {
  sealMessage(message: string, seal: object): Promise<Buffer>
}

export interface Key {
  readonly privateKey: string
  /** What its domain publishes. */
  readonly record: string
}

export function rsaKey(modulusLength = 2048): Key {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })
  const spki = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    record: `v=DKIM1; k=rsa; p=${spki}`,
  }
}

export function ed25519Key(): Key {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64')
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    record: `v=DKIM1; k=ed25519; p=${raw}`,
  }
}

/** The message with a DKIM signature before it. */
export async function signed(
  message: string,
  signing: Signing & { readonly headerList?: readonly string[] },
): Promise<string> {
  const { canonicalization = 'relaxed/relaxed', headerList, ...signature } = signing
  const options = {
    canonicalization,
    signatureData: [{ ...signature, canonicalization }],
    ...signing,
    ...(headerList && { headerList: headerList.join(':') }),
  }
  const { signatures, errors } = await dkimSign(message, options)
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  return signatures + message
}

/** The message with an ARC set before it. */
export async function sealed(
  message: string,
  seal: Signing & { readonly cv: string; readonly authResults: string },
): Promise<string> {
  return (await sealMessage(message, { ...seal, algorithm: 'rsa-sha256' })).toString('latin1') + message
}
