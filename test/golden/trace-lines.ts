import { decodeBatchHeader } from '../../pool/batch.ts'
import { readUint64 } from '../../pool/bytes.ts'
import { decodeSegmentHeader } from '../../pool/segment.ts'
import { decodeGuard, decodeSuperblock } from '../../pool/superblock.ts'
import type { RecordedWrite, TraceEvent } from '../support/crash-device.ts'
import type { SingleZones } from '../support/single-device.ts'
import { identity } from '../support/tiny-pool.ts'

/** What a client sees between writes and flushes: its call, or the answer, which names the record that it committed. */
export type Mark =
  | { readonly call: string; readonly answer?: never }
  | { readonly answer: { readonly record?: number }; readonly call?: never }

export type Kind = 'guard' | 'superblock' | 'segment header' | 'batch' | 'page' | 'data'

/** A write as its bytes tell it. */
interface Written {
  readonly kind: Kind
  readonly details: string
  /** Those that a batch holds. */
  readonly records: readonly number[]
}

/** Tells a trace in lines: calls stand at the margin, and what they lead to below them. */
export class TraceReader {
  readonly #zones: SingleZones
  readonly #pool: Buffer

  constructor(zones: SingleZones, pool: Buffer) {
    this.#zones = zones
    this.#pool = pool
  }

  /** A flush stands where it ended, with the number of writes that had ended when it began. */
  line(event: TraceEvent<Mark>): string {
    if (event.kind === 'flush') return `  flush        ${count(event.covered.length, 'write')}`
    if (event.kind === 'write') return this.#writeLine(event.write)
    const { call, answer } = event.mark
    return call ?? `  acknowledge${answer.record === undefined ? '' : `  record ${answer.record}`}`
  }

  #writeLine(write: RecordedWrite): string {
    const { kind, details } = this.read(write)
    const blocks = count(write.data.length / this.#zones.blockBytes, 'block')
    return `  write        ${this.#placeOf(write.offset, kind).padEnd(18)}${blocks.padEnd(10)}${kind}${details}`
  }

  read({ offset, data }: RecordedWrite): Written {
    if (decodeGuard(data)) return { kind: 'guard', details: '', records: [] }
    const superblock = decodeSuperblock(data, this.#pool)
    if (superblock) {
      const { serial, epoch, checkpointLsn, cleanEndLsn } = superblock
      const end = cleanEndLsn === 0 ? '' : ', clean'
      const details = ` ${serial}: epoch ${epoch}, checkpoint at lsn ${checkpointLsn}${end}`
      return { kind: 'superblock', details, records: [] }
    }
    const segment = decodeSegmentHeader(data, this.#pool)
    if (segment) return { kind: 'segment header', details: `: ordinal ${segment.ordinal}`, records: [] }
    const batch = decodeBatchHeader(data, readUint64(data, 72), identity().pool)
    if (batch) {
      const records = Array.from({ length: batch.entries }, (_, i) => batch.firstSequence + i)
      return { kind: 'batch', details: ` at lsn ${batch.lsn}: record ${records.join(', ')}`, records }
    }
    return { kind: offset >= this.#zones.metadata.start ? 'page' : 'data', details: '', records: [] }
  }

  #placeOf(offset: number, kind: Kind): string {
    const { guards, rings, blockBytes } = this.#zones
    const { segmentBytes, unitBytes } = this.#zones.data
    const start = this.#zones.regionOffset(0)
    if (kind === 'guard') return `guard ${'FR'[guards.indexOf(offset)]}`
    if (kind === 'page') return `metadata block ${(offset - this.#zones.metadata.start) / blockBytes}`
    if (kind === 'superblock') {
      const ring = offset < start ? 0 : 1
      return `ring ${'FR'[ring]} slot ${(offset - rings[ring]) / blockBytes}`
    }
    const inRegions = offset - start
    const region = `region ${Math.floor(inRegions / segmentBytes)}`
    if (kind === 'data') return `${region} unit ${inRegions / unitBytes}`
    return `${region} block ${(inRegions % segmentBytes) / blockBytes}`
  }
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`
