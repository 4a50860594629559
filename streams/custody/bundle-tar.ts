import assert from 'node:assert/strict'

/*
 * The container of an evidence bundle: POSIX ustar (IEEE Std 1003.1, pax, "ustar Interchange Format"), so that tar opens
 * it, in the one form that is written here. The reader takes no other: neither another type, owner or time, nor padding
 * that is not zero, nor a byte behind the end. So no byte of a bundle can change without being noticed, and nothing that
 * tar might do with a header can be asked of it.
 */
const BLOCK_BYTES = 512
const NAME_BYTES_MAX = 100
/** Beyond 11 octal digits a size is binary, with the top bit set (as GNU tar, libarchive and Python have it). */
const OCTAL_SIZE_MAX = 8 ** 11 - 1
const END = Buffer.alloc(2 * BLOCK_BYTES)

/** A file of a bundle, on its way out. */
export interface TarFile {
  readonly name: string
  readonly size: number
  readonly content: AsyncIterable<Uint8Array> | Uint8Array
}

export async function* packed(files: AsyncIterable<TarFile>): AsyncGenerator<Uint8Array> {
  for await (const { name, size, content } of files) {
    yield headerOf(name, size)
    let left = size
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      left -= chunk.length
      yield chunk
    }
    assert(left === 0, `${name} has the size that was said`)
    const padding = paddingOf(size)
    if (padding > 0) yield Buffer.alloc(padding)
  }
  yield END
}

export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
}

/** A regular file that anybody may read, of nobody, from 1970. */
export function headerOf(name: string, size: number): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES)
  assert(Buffer.byteLength(name) <= NAME_BYTES_MAX)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  writeSize(header, size)
  header.write('00000000000\0', 136)
  header.write('        0', 148)
  header.write('ustar\x0000', 257)
  header.write('0000000\0', 329)
  header.write('0000000\0', 337)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

function writeSize(header: Buffer, size: number): void {
  if (size <= OCTAL_SIZE_MAX) header.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  else {
    header[124] = 0x80
    header.writeBigUInt64BE(BigInt(size), 128)
  }
}

/** What is no bundle, in a sentence. */
export class TarError extends Error {}

/** A file of a bundle that is being read; its bytes come next. */
export interface TarEntry {
  readonly name: string
  readonly size: number
}

/** Reads files one after the other, as much of each as is asked for. Throws a TarError for anything else. */
export class TarReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array()
  #left = 0
  #padding = 0

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#chunks = bytes[Symbol.asyncIterator]()
  }

  /** The next file; undefined at the end, behind which there is nothing. */
  async next(): Promise<TarEntry | undefined> {
    assert(this.#left === 0)
    this.#requireZeros(await this.#exactly(this.#padding), 'padding')
    const header = await this.#exactly(BLOCK_BYTES)
    const entry = header[0] === 0 ? undefined : entryOf(header)
    if (entry) {
      this.#left = entry.size
      this.#padding = paddingOf(entry.size)
    } else await this.#end(header)
    return entry
  }

  /** The bytes of the file, of which there are no more than `bytesMax`. */
  async bytes(bytesMax: number): Promise<Buffer> {
    if (this.#left > bytesMax) throw new TarError(`a file has more than ${bytesMax} bytes`)
    const bytes = await this.#exactly(this.#left)
    this.#left = 0
    return bytes
  }

  /** The bytes of the file, as they come. */
  async *content(): AsyncGenerator<Uint8Array> {
    while (this.#left > 0) {
      const chunk = await this.#some(this.#left)
      this.#left -= chunk.length
      yield chunk
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async #end(header: Buffer): Promise<void> {
    this.#requireZeros(header, 'end')
    this.#requireZeros(await this.#exactly(BLOCK_BYTES), 'end')
    if (this.#chunk.length > 0 || (await this.#more())) throw new TarError('there are bytes behind the end')
  }

  #requireZeros(bytes: Buffer, what: string): void {
    if (bytes.some((byte) => byte !== 0)) throw new TarError(`the ${what} is not zeros`)
  }

  async #exactly(length: number): Promise<Buffer> {
    const pieces: Uint8Array[] = []
    for (let left = length; left > 0; left -= pieces.at(-1)!.length) pieces.push(await this.#some(left))
    return Buffer.concat(pieces)
  }

  /** Up to so many bytes, at least one. */
  async #some(length: number): Promise<Uint8Array> {
    if (this.#chunk.length === 0 && !(await this.#more())) throw new TarError('the file ends too early')
    const some = this.#chunk.subarray(0, length)
    this.#chunk = this.#chunk.subarray(some.length)
    return some
  }

  /** False at the end of all bytes. */
  async #more(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { done, value } = await this.#chunks.next()
      if (done) return false
      this.#chunk = value
    }
    return true
  }
}

/** Throws unless the header is the very one that is written for its name and size. */
function entryOf(header: Buffer): TarEntry {
  const end = header.indexOf(0)
  const name = header.toString('latin1', 0, Math.min(end, NAME_BYTES_MAX))
  const size =
    header[124] === 0x80 ? Number(header.readBigUInt64BE(128)) : Number.parseInt(header.toString('latin1', 124, 135), 8)
  const isIts =
    Number.isSafeInteger(size) && size >= 0 && /^[\w./-]{1,100}$/.test(name) && headerOf(name, size).equals(header)
  if (!isIts) throw new TarError('a header is not as an evidence bundle has it')
  return { name, size }
}
