import assert from 'node:assert/strict'
import type { Transaction } from '../../pool/index.ts'
import type { AttributeChange } from '../attributes.ts'
import type { Catalog } from '../catalog/catalog-port.ts'
import type { Change } from '../changes.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import type { Quotas } from '../policy/quotas.ts'
import type { Producer } from '../records/record.ts'
import type { Sequencer } from '../sequencer.ts'
import { inStoreWords } from '../store-errors.ts'
import type { Underway } from '../underway.ts'
import { type Append, type AppendOutcome, append, appendChanges } from './appending.ts'
import { type CreateOutcome, createStream, type StreamRequest } from './stream-creation.ts'

export interface StreamWriterParts {
  readonly catalog: Catalog
  readonly sequencer: Sequencer
  readonly underway: Underway
  readonly quotas: Quotas
}

/** What applications append. */
export class StreamWriter {
  readonly #parts: StreamWriterParts

  constructor(parts: StreamWriterParts) {
    this.#parts = parts
  }

  async create(
    transaction: Transaction,
    origin: Origin,
    name: ObjectName,
    request: StreamRequest,
  ): Promise<CreateOutcome> {
    const { quotas, sequencer } = this.#parts
    const allowance = await inStoreWords(() => quotas.allow({ origin, name, bytes: 0 }))
    try {
      return await this.#commit<CreateOutcome>(transaction, (tell) =>
        createStream(origin, name, request, { staging: transaction.stage(), allowance }, tell),
      )
    } finally {
      if (allowance) void quotas.release(allowance, sequencer.applied)
    }
  }

  async append(transaction: Transaction, origin: Origin, name: ObjectName, content: Append): Promise<AppendOutcome> {
    const outcome = await this.#commit<AppendOutcome>(transaction, (tell) => append(origin, name, content, tell))
    return this.#durable(name, outcome, content.producer)
  }

  async appendChanges(
    transaction: Transaction,
    origin: Origin,
    name: ObjectName,
    changes: readonly AttributeChange[],
    producer: Producer | undefined,
  ): Promise<AppendOutcome> {
    const outcome = await this.#commit<AppendOutcome>(transaction, (tell) =>
      appendChanges(origin, name, changes, producer, tell),
    )
    return this.#durable(name, outcome, producer)
  }

  #commit<T>(transaction: Transaction, make: (tell: (outcome: T) => void) => Change): Promise<T> {
    const { sequencer, underway } = this.#parts
    return inStoreWords(() =>
      underway.during(async () => {
        const told: { outcome?: T } = {}
        const change = make((outcome) => {
          told.outcome = outcome
        })
        try {
          const records = await sequencer.commit(transaction, [change])
          if (records.length === 0) await transaction.abort()
        } catch (error) {
          await transaction.abort()
          throw error
        }
        assert(told.outcome !== undefined, 'a change tells what became of it')
        return told.outcome
      }),
    )
  }

  /**
   * A duplicate, or a close of what is closed, is known from the moment that what it repeats was sequenced; it is told to be there once that is durable.
   * If the pool has failed in between, nobody knows.
   */
  async #durable(name: ObjectName, outcome: AppendOutcome, producer: Producer | undefined): Promise<AppendOutcome> {
    if (outcome.kind !== 'duplicate' && outcome.kind !== 'closed-before') return outcome
    const { catalog, sequencer } = this.#parts
    const record = outcome.kind === 'duplicate' ? outcome.producer.record : outcome.next
    await inStoreWords(() => sequencer.settled(record))
    if (catalog.position.sequence >= record && sequencer.applied >= record) return outcome
    const who = producer?.id ?? 'a client'
    throw new StoreError('ERR_OUTCOME_UNKNOWN', `what ${who} sent first to ${name.key} may not be durable`)
  }
}
