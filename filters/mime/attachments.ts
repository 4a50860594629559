import type { PartBounds, Plain } from '../../streams/index.ts'
import { bounded, LIST_LENGTH_MAX } from '../bounds.ts'
import type { Attachment, AttachmentEvents, MimeFinding, MimeStructure, Protection } from './attachment.ts'
import { type Decoder, decoderOf, isEncoding } from './decoder.ts'
import { Room } from './room.ts'
import { NAME_BYTES_MAX, safeName } from './safe-name.ts'

const TNEF = new Set(['application/ms-tnef', 'application/vnd.ms-tnef'])

interface Known {
  count: number
  names: string[]
  types: string[]
  sizes: number[]
  isTnef: boolean
  protection: Protection[]
  findings: MimeFinding[]
  /** Attachments that were told, and their bytes. */
  parts: number
  partBytes: number
}

/** The attachment that is coming in. */
interface Current {
  readonly encoding: string
  /** Among those that are listed; -1 when it is not. */
  readonly index: number
  isTold: boolean
}

interface FrozenAttachments {
  readonly known: Known
  readonly current: Current | null
  readonly decoder: Plain
}

/** What is known of the attachments of a message, which are decoded as they come and told to whoever wants them. */
export class Attachments {
  readonly #events: AttachmentEvents
  readonly #limits: PartBounds
  readonly #known: Known = {
    ...{ count: 0, names: [], types: [], sizes: [], isTnef: false },
    ...{ protection: [], findings: [], parts: 0, partBytes: 0 },
  }
  #current: Current | undefined
  #decoder: Decoder | undefined
  readonly #room = new Room()

  constructor(events: AttachmentEvents, limits: PartBounds, frozen?: Plain) {
    this.#events = events
    this.#limits = limits
    if (!frozen) return
    const { known, current, decoder } = structuredClone(frozen) as unknown as FrozenAttachments
    this.#known = known
    if (!current) return
    this.#current = current
    this.#decoder = decoderOf(current.encoding, decoder)
  }

  get structure(): MimeStructure {
    return this.#known
  }

  /** One begins. Of those that are to stay whole with their message nobody is told. */
  begin(attachment: Attachment, staysWhole: boolean): void {
    const { name, type, encoding } = attachment.entity
    const known = this.#known
    known.count++
    if (TNEF.has(type)) known.isTnef = true
    if (!isEncoding(encoding)) this.find('unknown-encoding')
    const isListed = known.names.length < LIST_LENGTH_MAX
    if (isListed) {
      known.names.push(bounded(name || safeName(name, type), NAME_BYTES_MAX))
      known.types.push(bounded(type, NAME_BYTES_MAX))
      known.sizes.push(0)
    }
    const isTold = !staysWhole && this.#hasRoom()
    if (!isTold && !isListed) return
    this.#current = { encoding, index: isListed ? known.names.length - 1 : -1, isTold }
    this.#decoder = decoderOf(encoding)
    if (!isTold) return
    known.parts++
    this.#events.begin(attachment)
  }

  #hasRoom(): boolean {
    const { countMax } = this.#limits
    if (countMax === 0 || this.#known.findings.includes('parts-too-large')) return false
    if (this.#known.parts < countMax) return true
    this.find('too-many-parts')
    return false
  }

  /** What was told is taken by now. */
  reset(): void {
    this.#room.reset()
  }

  /** Bytes of the one that has begun, encoded as they came; of anything else when none has. */
  bytes(bytes: Buffer): void {
    if (this.#decoder) this.#decoded(this.#decoder.step(bytes, this.#room))
  }

  #decoded(bytes: Buffer): void {
    const known = this.#known
    const current = this.#current!
    if (current.index >= 0) known.sizes[current.index]! += bytes.length
    if (!current.isTold || bytes.length === 0) return
    known.partBytes += bytes.length
    if (known.partBytes <= this.#limits.bytesMax) {
      this.#events.bytes(bytes)
      return
    }
    this.find('parts-too-large')
    current.isTold = false
    this.#events.end(false)
  }

  /** The one that has begun ends, if one has. */
  end(): void {
    if (!this.#decoder) return
    this.#decoded(this.#decoder.end())
    if (!this.#decoder.isClean) this.find('bad-encoding')
    if (this.#current!.isTold) this.#events.end(true)
    this.#current = undefined
    this.#decoder = undefined
  }

  protect(protection: Protection): void {
    if (!this.#known.protection.includes(protection)) this.#known.protection.push(protection)
  }

  find(finding: MimeFinding): void {
    if (!this.#known.findings.includes(finding)) this.#known.findings.push(finding)
  }

  freeze(): Plain {
    const current = this.#current ?? null
    const decoder = this.#decoder?.freeze() ?? null
    return structuredClone({ known: this.#known, current, decoder }) as unknown as Plain
  }
}
