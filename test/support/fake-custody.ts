import {
  type Custody,
  type EvidenceVersions,
  type ObjectName,
  type Origin,
  type Permission,
  type PublicKey,
  StoreError,
  type VerifyEvent,
  type VerifyRequest,
} from '../../streams/index.ts'

const key: PublicKey = {
  id: 'ab'.repeat(32),
  algorithm: 'ed25519',
  publicKey: Buffer.alloc(32, 7).toString('base64'),
  sequence: 3,
  time: 1_700_000_000_000,
  signer: 'ab'.repeat(32),
  state: 'active',
}

/** What was asked of the custody of a store, with answers that say nothing. */
export class FakeCustody implements Custody {
  readonly asked: unknown[] = []
  /** What a verification finds, or throws. */
  events: readonly (VerifyEvent | Error)[] = []

  async keys(): Promise<readonly PublicKey[]> {
    return [key]
  }

  async rotate(origin: Origin): Promise<PublicKey> {
    require(origin, 'application:manage')
    this.asked.push('rotate')
    return key
  }

  async verify(origin: Origin, request: VerifyRequest): Promise<AsyncIterable<VerifyEvent>> {
    require(origin, 'object:read')
    this.asked.push(request)
    return this.#events()
  }

  async evidence(
    origin: Origin,
    { bucket, key }: ObjectName,
    versions: EvidenceVersions,
  ): Promise<AsyncIterable<Uint8Array>> {
    require(origin, 'object:read')
    if (key === 'missing') throw new StoreError('ERR_NOT_FOUND', `there is no object ${bucket}/${key}`)
    this.asked.push({ bucket, key, versions })
    return toBytes(`evidence of ${bucket}/${key}`)
  }

  async *#events(): AsyncGenerator<VerifyEvent> {
    for (const event of this.events) {
      if (event instanceof Error) throw event
      yield event
    }
  }
}

async function* toBytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

function require(origin: Origin, permission: Permission): void {
  if (origin.principal.permissions.includes(permission)) return
  throw new StoreError('ERR_FORBIDDEN', `${origin.principal.application} lacks ${permission}`)
}
