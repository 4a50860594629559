import { Writable } from 'node:stream'
import type { Attributes, Receipt, Upload } from '../streams/index.ts'

/** Asked after the last byte and before the commit: what only the end can tell. Throws to refuse the upload. */
export type Confirm = () => Promise<Attributes>

/** The Node end of an Upload. 'finish' fires only once the upload is durable, with `receipt` in hand. */
export class UploadSink extends Writable {
  readonly #upload: Upload
  readonly #confirm: Confirm
  #receipt: Receipt | undefined

  constructor(upload: Upload, confirm: Confirm = async () => ({})) {
    super({ highWaterMark: 256 * 1024 })
    this.#upload = upload
    this.#confirm = confirm
  }

  get receipt(): Receipt | undefined {
    return this.#receipt
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#upload.write(chunk).then(() => done(), done)
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
    this.#receipt = await this.#upload.commit(await this.#confirm())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const aborted = this.#receipt ? Promise.resolve() : this.#upload.abort(error ?? new Error('upload ended early'))
    aborted.then(() => done(error), done)
  }
}
