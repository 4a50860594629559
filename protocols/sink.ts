import { Writable } from 'node:stream'
import type { Attributes, Receipt, Upload } from '../streams/index.ts'

/** Asked after the last byte and before the commit: what only the end can tell. Throws to refuse the upload. */
export type Confirm = () => Promise<Attributes>

/** What becomes of an upload whose source broke. */
export type Cut = (reason: Error) => Promise<void>

/** The Node end of an Upload. 'finish' fires only once the upload is durable, with `receipt` in hand. */
export class UploadSink extends Writable {
  readonly #upload: Upload
  readonly #confirm: Confirm
  readonly #cut: Cut
  /** The upload itself said no: it was not cut. */
  #isRefused = false
  /** Bytes of the source may have come. */
  isFed = false
  #receipt: Receipt | undefined

  /** One whose source broke is aborted, unless `cut` is there to do better. */
  constructor(upload: Upload, confirm: Confirm = async () => ({}), cut: Cut = (reason) => upload.abort(reason)) {
    super({ highWaterMark: 256 * 1024 })
    this.#upload = upload
    this.#confirm = confirm
    this.#cut = cut
  }

  get receipt(): Receipt | undefined {
    return this.#receipt
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#orRefuse(this.#upload.write(chunk)).then(() => done(), done)
  }

  // A library may call end() and destroy(error) in one breath (ftp-srv does, on a reset), so the commit waits a turn:
  // an upload whose source broke is aborted and never committed.
  override _final(done: (error?: Error | null) => void): void {
    setImmediate(() => {
      const committed = this.destroyed ? Promise.resolve() : this.#commit()
      committed.then(() => done(), done)
    })
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
