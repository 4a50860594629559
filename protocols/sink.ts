import { Writable } from 'node:stream'
import type { Attributes, Receipt, Upload } from '../streams/index.ts'
import { giveMemory, takeMemory } from '../system/index.ts'

/** Asked after the last byte and before the commit: what only the end can tell. Throws to refuse the upload. */
export type Confirm = () => Promise<Attributes>

/** What becomes of an upload whose source broke. */
export type Cut = (reason: Error) => Promise<void>

export interface SinkOptions {
  readonly confirm?: Confirm
  /** One whose source broke is aborted, unless this is there to do better. */
  readonly cut?: Cut | undefined
}

/**
 * The Node end of an Upload. 'finish' fires only once the upload is durable, with `receipt` in hand. It gives the memory of
 * what it has taken back: nobody else may look at it still.
 */
export class UploadSink extends Writable {
  readonly #upload: Upload
  readonly #confirm: Confirm
  readonly #cut: Cut
  /** The upload itself said no: it was not cut. */
  #isRefused = false
  /** Bytes of the source may have come. */
  isFed = false
  #receipt: Receipt | undefined

  constructor(upload: Upload, { confirm = async () => ({}), cut }: SinkOptions = {}) {
    super({ highWaterMark: 256 * 1024 })
    this.#upload = upload
    this.#confirm = confirm
    this.#cut = cut ?? ((reason) => upload.abort(reason))
  }

  get receipt(): Receipt | undefined {
    return this.#receipt
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#take(chunk, [chunk]).then(() => done(), done)
  }

  /** Small chunks that came while another was written, as those of TLS are, go together. */
  override _writev(waiting: readonly { readonly chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    const chunks = waiting.map(({ chunk }) => chunk)
    const bytes = joined(chunks)
    this.#take(bytes, [...chunks, bytes]).then(() => done(), done)
  }

  // A library may call end() and destroy(error) in one breath (ftp-srv does, on a reset), so the commit waits a turn:
  // an upload whose source broke is aborted and never committed.
  override _final(done: (error?: Error | null) => void): void {
    setImmediate(() => {
      const committed = this.destroyed ? Promise.resolve() : this.#commit()
      committed.then(() => done(), done)
    })
  }

  async #take(bytes: Uint8Array, chunks: readonly Uint8Array[]): Promise<void> {
    await this.#orRefuse(this.#upload.write(bytes))
    for (const chunk of chunks) giveMemory(chunk)
  }

  async #commit(): Promise<void> {
    const evidence = await this.#confirm()
    this.#receipt = await this.#orRefuse(this.#upload.commit(evidence))
  }

  async #orRefuse<T>(step: Promise<T>): Promise<T> {
    try {
      return await step
    } catch (error) {
      this.#isRefused = true
      throw error
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#end(error ?? new Error('upload ended early')).then(() => done(error), done)
  }

  async #end(reason: Error): Promise<void> {
    if (this.#receipt) return
    await (this.#isRefused || !this.isFed ? this.#upload.abort(reason) : this.#cut(reason))
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = takeMemory(chunks.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
