import type { Entity } from './entity.ts'

/** What was odd about a message, or more than is looked at, in one word each (docs/GLOSSARY.md). */
export type MimeFinding =
  | 'too-many-entities'
  | 'too-many-parts'
  | 'parts-too-large'
  | 'nested-too-deeply'
  | 'part-header-too-long'
  | 'no-boundary'
  | 'no-final-boundary'
  | 'unknown-encoding'
  | 'bad-encoding'

export type Protection = 'signed' | 'encrypted'

/** An attachment, or anything else of a message that is no text of it. */
export interface Attachment {
  /** Its place: `2` is the second part, `2.1` the first one within that (RFC 9051 section 6.4.5.1). */
  readonly number: string
  readonly entity: Entity
}

/** Told of the attachments that are to be objects of their own, one after the other. */
export interface AttachmentEvents {
  begin(attachment: Attachment): void
  /** Decoded; to be taken, or copied, before the next step. */
  bytes(bytes: Buffer): void
  /** False when there is to be no such object: it is larger than there is room for. */
  end(isWhole: boolean): void
}

/** What a message was found to be made of. */
export interface MimeStructure {
  readonly count: number
  /** Of the first `LIST_LENGTH_MAX` attachments. */
  readonly names: readonly string[]
  readonly types: readonly string[]
  readonly sizes: readonly number[]
  readonly isTnef: boolean
  readonly protection: readonly Protection[]
  readonly findings: readonly MimeFinding[]
}
