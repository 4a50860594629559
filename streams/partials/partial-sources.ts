import type { Pool } from '../../pool/index.ts'
import type { Catalog, DurableRecord } from '../catalog/catalog-port.ts'
import type { Change } from '../changes.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { permit } from '../permission.ts'
import { requireReleased } from '../quarantine/quarantine.ts'
import { decodeRecord } from '../records/record-codec.ts'
import type { Sequencer } from '../sequencer.ts'
import { abandon } from './partial-changes.ts'
import type { PartialUpload } from './partial-port.ts'
import type { PartialTable } from './partial-table.ts'

export interface SourcesParts {
  readonly pool: Pick<Pool, 'record'>
  readonly catalog: Pick<Catalog, 'head'>
  readonly sequencer: Pick<Sequencer, 'bound' | 'settled' | 'last'>
  readonly partials: PartialTable
  readonly commit: (change: Change) => Promise<readonly DurableRecord[]>
}

/** What an upload may go on from: what is under its name. */
export interface Source {
  readonly size: number
  /** Undefined where it is the current object. */
  readonly partial?: PartialUpload
  /** The record that owns the bytes. */
  readonly sequence: number
}

/** What there is to go on from. */
export class Sources {
  readonly #parts: SourcesParts

  constructor(parts: SourcesParts) {
    this.#parts = parts
  }

  /**
   * Undefined where there is nothing. What is quarantined goes on by whom it came from: that it was not whole is what is put right
   * by this.
   */
  async at(origin: Origin, name: ObjectName): Promise<Source | undefined> {
    const { partials, catalog, sequencer, pool } = this.#parts
    const partial = partials.get({ ...name, application: origin.principal.application })
    const standing = partial && (await this.#standing(partial))
    if (partial && standing === 'current') return { size: partial.size, sequence: partial.prepared, partial }
    if (partial && standing === 'baseless') await this.#refuseBaseless(origin, partial)
    await sequencer.settled(sequencer.last) // What took the place of a partial upload may be on its way to the disk.
    const head = await catalog.head(name)
    if (!head) return undefined
    permit(origin, 'object:read')
    const { sequence, size } = head.stat
    const { application } = decodeRecord((await pool.record(sequence)).content)
    if (application !== origin.principal.application) requireReleased(origin, head.stat)
    return { size, sequence }
  }

  /** Its client is told once that it has to look again, so that the rest of a file is never taken for all of one. */
  async #refuseBaseless(origin: Origin, partial: PartialUpload): Promise<never> {
    const { bucket, key } = partial
    await this.#parts.commit(abandon(origin, partial, 'what it went on from is gone'))
    throw new StoreError('ERR_CONFLICT', `${bucket}/${key} was replaced or removed since this upload was cut off`)
  }

  /** Whether it is its client's to go on with still. */
  async isCurrent(partial: PartialUpload): Promise<boolean> {
    return (await this.#standing(partial)) === 'current'
  }

  /** A version that was put later is what its name stands for; attributes that were set later say nothing of the bytes. */
  async #standing(partial: PartialUpload): Promise<'current' | 'overtaken' | 'baseless'> {
    const version = (await this.#parts.sequencer.bound(partial))?.version
    if (version !== undefined && version > partial.prepared) return 'overtaken'
    return partial.base === undefined || partial.base === version ? 'current' : 'baseless'
  }
}
