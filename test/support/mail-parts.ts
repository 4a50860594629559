import { createHash } from 'node:crypto'
import type { Attachment, AttachmentEvents } from '../../filters/mime/attachment.ts'
import { MimeReader } from '../../filters/mime/mime-reader.ts'

/** An attachment that was told to its end. */
export interface ToldPart {
  readonly number: string
  readonly name: string
  readonly type: string
  readonly bytes: Buffer
  readonly isWhole: boolean
}

/** Keeps what it is told, and that it is told in order. */
export class PartLog implements AttachmentEvents {
  readonly parts: ToldPart[] = []
  #open: { attachment: Attachment; chunks: Buffer[] } | undefined

  begin(attachment: Attachment): void {
    if (this.#open) throw new Error('the one before has not ended')
    this.#open = { attachment, chunks: [] }
  }

  bytes(bytes: Buffer): void {
    this.#open!.chunks.push(Buffer.from(bytes))
  }

  end(isWhole: boolean): void {
    const { attachment, chunks } = this.#open!
    const { number, entity } = attachment
    this.parts.push({ number, name: entity.name, type: entity.type, bytes: Buffer.concat(chunks), isWhole })
    this.#open = undefined
  }
}

export const SOME_PARTS = { countMax: 20, bytesMax: 1 << 20 }

/** What a message in chunks is told to be made of. */
export function readParts(chunks: Iterable<Uint8Array>, limits = SOME_PARTS) {
  const log = new PartLog()
  const reader = new MimeReader(log, limits)
  for (const chunk of chunks) reader.step(chunk)
  const structure = reader.end()
  return { structure, parts: log.parts, header: reader.headerSection }
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
