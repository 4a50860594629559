import { createHmac } from 'node:crypto'

/*
 * Standard Webhooks 1.0.0, symmetric: a secret is `whsec_` and the base64 of its bytes, and what is signed is
 *
 *   webhook-id "." webhook-timestamp "." body
 */
const SECRET_PREFIX = 'whsec_'
/** "between 24 bytes (192 bits) and 64 bytes (512 bits)" */
const SECRET_BYTES = 32

export function generateWebhookSecret(random: (length: number) => Buffer): string {
  return `${SECRET_PREFIX}${random(SECRET_BYTES).toString('base64')}`
}

export interface Signed {
  readonly id: string
  /** Seconds since 1970, of this attempt. */
  readonly timestamp: number
  readonly body: string
}

/**
 * The headers that prove who sent a message, and when. An id has no full stop, which is what parts them. While a secret
 * is being replaced, the message is signed with both: "a list of signatures … separated by spaces".
 */
export function signatureHeaders(signed: Signed, secrets: readonly string[]): { readonly [name: string]: string } {
  const signatures = secrets.map((secret) => `v1,${signatureOf(signed, secret)}`).join(' ')
  return { 'webhook-id': signed.id, 'webhook-timestamp': String(signed.timestamp), 'webhook-signature': signatures }
}

function signatureOf({ id, timestamp, body }: Signed, secret: string): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
  return createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
}
