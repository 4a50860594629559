import { createSecureContext } from 'node:tls'
import tlsOptions from 'smtp-server/lib/tls-options.js'
import type { Frontend } from '../../protocols/index.ts'
import { smtpFrontend } from '../../protocols/index.ts'
import type { SmtpOptions, SmtpTls } from '../../protocols/smtp/options.ts'
import { type ChallengeAccess, type EmailFacts, type Principal, StoreError } from '../../streams/index.ts'
import { FakeStore } from './fake-store.ts'

export const mailer: Principal = { application: 'mailer', partition: 'main', permissions: ['object:write'] }
export const mailerSecret = 'correct horse'

/** Knows `mailer`, and `browser`, which may not use e-mail. */
export const access: ChallengeAccess = {
  async verify({ key, secret }) {
    if (secret !== mailerSecret) throw new StoreError('ERR_UNAUTHENTICATED', 'Unknown key or wrong secret')
    if (key === 'browser') throw new StoreError('ERR_FORBIDDEN', 'browser may not use email')
    if (key !== 'mailer') throw new StoreError('ERR_UNAUTHENTICATED', 'Unknown key or wrong secret')
    return mailer
  },
  async verifyAnswer(key, isAnswerOf) {
    if (key === 'mailer' && isAnswerOf(mailerSecret)) return mailer
    throw new StoreError('ERR_UNAUTHENTICATED', 'Unknown key or wrong secret')
  },
}

/** smtp-server's own certificate, which is for tests. */
const { key, cert } = tlsOptions({}) as { key: string; cert: string }
const context = createSecureContext({ key, cert })
export const tlsOf = (mode: SmtpTls['mode']): SmtpTls => ({ mode, context: () => context })

export interface MailObject {
  readonly bucket: string
  readonly key: string
  readonly bytes: Buffer
  readonly facts: EmailFacts
  readonly origin: object
}

export interface Door extends AsyncDisposable {
  readonly frontend: Frontend
  readonly address: string
  readonly port: number
  readonly store: FakeStore
  /** Every object stored, in order. */
  objects(): MailObject[]
  /** What was logged at level error. */
  readonly errors: object[]
}

/** 2025-03-01T12:00:00Z. */
export const noon = Date.UTC(2025, 2, 1, 12)

/** A FakeStore with the buckets inbox and archive, which keeps what the door said of each message as attributes. */
function mailStore(): FakeStore {
  return new FakeStore({
    buckets: ['inbox', 'archive'],
    describe: ({ facts, origin: { peer, request, protocol } }) => ({
      facts: JSON.stringify(facts),
      origin: JSON.stringify({ peer, request, protocol }),
    }),
  })
}

/** Loopback may send without AUTH. */
export function doorOptions(options: Partial<SmtpOptions> = {}): SmtpOptions {
  return {
    store: mailStore(),
    access,
    logger: { debug: () => {}, info: () => {}, error: () => {} },
    clock: { now: () => noon },
    random: { bytes: (count) => new Uint8Array(count) },
    host: '127.0.0.1',
    port: 0,
    allowedNetworks: { addresses: ['127.0.0.0/8'], principal: mailer },
    ...options,
  }
}

export async function openDoor(options: Partial<SmtpOptions> = {}): Promise<Door> {
  const store = mailStore()
  const errors: object[] = []
  const logger = { debug: () => {}, info: () => {}, error: (details: object) => errors.push(details) }
  const frontend = smtpFrontend(doorOptions({ store, logger, ...options }))
  await frontend.listen()
  return {
    frontend,
    address: frontend.address,
    port: Number(frontend.address.slice(frontend.address.lastIndexOf(':') + 1)),
    store,
    errors,
    objects: () => objectsOf(store),
    [Symbol.asyncDispose]: () => frontend.close(),
  }
}

function objectsOf(store: FakeStore): MailObject[] {
  return store.records.flatMap((record) => {
    if (record.operation !== 'put') return []
    const { bucket, key, attributes } = record
    const bytes = Buffer.from(store.bytesOf(bucket, key)!)
    const [facts, origin] = [JSON.parse(String(attributes.facts)), JSON.parse(String(attributes.origin))]
    return [{ bucket, key, bytes, facts, origin }]
  })
}
