import {
  type Envelope,
  type ObjectStat,
  type Origin,
  type Partials,
  type Reading,
  type ResumableUpload,
  type Store,
  StoreError,
  type Upload,
} from '../../streams/index.ts'
import { COMPLETION } from './completion.ts'
import { directoryEntry, type Entry, fileEntry, MODIFIED, partialEntry } from './entry.ts'
import { envelopeOf, type Login } from './envelope.ts'
import { PartialView } from './partial-view.ts'
import { markerAt, objectAt, type Path, resolve, textOf } from './path.ts'
import { Tree } from './tree.ts'

export interface Listing {
  readonly type: Entry['type']
  readonly pages: AsyncIterable<readonly Entry[]> | Iterable<readonly Entry[]>
}

/** What a client said of an upload before it came. */
export interface Announced {
  /** Its line ends are CR LF on the way (TYPE A). */
  readonly ascii?: boolean
  /** Bytes (ALLO). */
  readonly announced?: number | undefined
}

/** What a client may do to the tree, from its current directory. Paths are as it wrote them; errors are StoreErrors. */
export class FileSystem {
  readonly #store: Store
  readonly #origin: Origin
  readonly #login: Login
  readonly #tree: Tree
  readonly #partials: Partials
  readonly #view: PartialView
  #directory: Path = []

  constructor(store: Store, partials: Partials, login: Login) {
    this.#store = store
    this.#login = login
    this.#origin = login.origin
    this.#tree = new Tree(store, login.origin)
    this.#partials = partials
    this.#view = new PartialView(partials, login.origin)
  }

  /** Who acts, for what is said of its uploads afterwards. */
  get origin(): Origin {
    return this.#origin
  }

  currentDirectory(): string {
    return textOf(this.#directory)
  }

  async changeDirectory(text: string): Promise<void> {
    const path = resolve(this.#directory, text, 'allowed')
    if (!this.#tree.isWriteOnly && !(await this.#tree.isDirectory(path))) throw notFound(path, 'directory')
    this.#directory = path
  }

  /** The file or directory at `text`; `name` is its absolute path. */
  async stat(text: string): Promise<Entry> {
    const path = resolve(this.#directory, text, 'allowed')
    const file = text.endsWith('/') ? undefined : await this.#tree.fileAt(path)
    if (file) return fileEntry(textOf(path), file)
    if (await this.#tree.isDirectory(path)) return directoryEntry(textOf(path))
    throw notFound(path, 'file or directory')
  }

  /** The same, with the size of what is durable of a file that was cut off on its way here. */
  async seen(text: string): Promise<Entry> {
    const path = resolve(this.#directory, text, 'allowed')
    const partial = text.endsWith('/') ? undefined : await this.#view.find(this.#at(path))
    return partial ? partialEntry(textOf(path), partial) : this.stat(text)
  }

  async seenFile(text: string): Promise<Entry> {
    const path = this.#filePath(text)
    const partial = await this.#view.find(this.#at(path))
    return partial ? partialEntry(textOf(path), partial) : fileEntry(textOf(path), await this.file(text))
  }

  async file(text: string): Promise<ObjectStat> {
    const path = this.#filePath(text)
    const file = await this.#tree.fileAt(path)
    if (!file) throw notFound(path, 'file')
    return file
  }

  /**
   * What a directory holds, or a file alone; refused before the first page when there is neither. The current
   * directory is there for whoever stands in it, though its last file be gone.
   */
  async list(text: string): Promise<Listing> {
    const path = resolve(this.#directory, text, 'allowed')
    if (text === '' || (await this.#tree.isDirectory(path))) return this.#listing(path)
    const entry = await this.seen(text)
    if (entry.type === 'directory') return this.#listing(path) // It has come there in between.
    return { type: 'file', pages: [[{ ...entry, name: text }]] }
  }

  #listing(path: Path): Listing {
    return { type: 'directory', pages: this.#view.pages(this.#at(path), this.#tree.pages(path)) }
  }

  /** The bytes of a file from `offset` on, `length` of them or all that follow; none when it is the file's end. */
  async read(text: string, offset: number, length?: number): Promise<Reading> {
    const stat = await this.file(text)
    if (offset === 0 && (length ?? stat.size) === stat.size) return this.#store.read(this.#origin, stat)
    if (offset === stat.size) return { stat, body: nothing() }
    if (offset > stat.size) throw new StoreError('ERR_RANGE', `The file has ${stat.size} bytes`)
    const reading = await this.#store.read(this.#origin, stat, { offset, length: length ?? stat.size - offset })
    if (reading.stat.version !== stat.version) throw new StoreError('ERR_BUSY', 'The file was replaced; try again')
    return reading
  }

  /** Bytes that may be stored yet; below `text`, which must be a directory then. */
  async available(text: string): Promise<number> {
    const path = resolve(this.#directory, text, 'allowed')
    if (!this.#tree.isWriteOnly && !(await this.#tree.isDirectory(path))) throw notFound(path, 'directory')
    return this.#store.available(this.#origin)
  }

  /** One that is text on its way does not go on: its bytes here are others than at its client. */
  async beginText(text: string, announced?: number): Promise<Upload> {
    return this.#store.begin(await this.#ofFile(text, { ascii: true, announced }))
  }

  async begin(text: string, announced?: number): Promise<ResumableUpload> {
    return this.#partials.begin(await this.#ofFile(text, { announced }))
  }

  /** Goes on behind the first `offset` bytes of what there is, or behind all of it. */
  async goOn(text: string, offset?: number): Promise<ResumableUpload> {
    return this.#partials.resume(await this.#ofFile(text), offset)
  }

  /** A file, and what was cut off on its way to that name. */
  async remove(text: string): Promise<void> {
    const path = this.#filePath(text)
    const isFile = this.#at(path).length > 1
    const isRemoved = isFile && (await this.#store.remove(this.#origin, objectAt(this.#at(path))))
    const isDropped = isFile && (await this.#dropPartial(this.#at(path), isRemoved))
    if (!isRemoved && !isDropped) throw notFound(path, 'file')
    await this.#keepParent(path)
  }

  /** Where a file was removed, that an upload underway goes on is no refusal. */
  async #dropPartial(path: Path, isRemoved: boolean): Promise<boolean> {
    try {
      return await this.#partials.drop(this.#origin, this.#origin.principal.application, objectAt(path))
    } catch (error) {
      if (isRemoved && error instanceof StoreError && error.code === 'ERR_BUSY') return false
      throw error
    }
  }

  /** `time` in milliseconds since 1970. */
  async setModified(text: string, time: number): Promise<void> {
    const file = await this.file(text)
    await this.#store.annotate(this.#origin, file, { [MODIFIED]: new Date(time).toISOString() })
  }

  /** Makes a bucket or, deeper, a marker. Resolves with the directory's absolute path. */
  async makeDirectory(text: string): Promise<string> {
    const path = resolve(this.#directory, text, 'refused')
    if (path.length === 0 || !(await this.#make(path))) {
      throw new StoreError('ERR_CONFLICT', `${textOf(path)} already exists`)
    }
    return textOf(path)
  }

  async #make(path: Path): Promise<boolean> {
    const [bucket, ...more] = this.#at(path)
    if (more.length === 0) return this.#store.createBucket(this.#origin, bucket!)
    if (this.#tree.isWriteOnly) return true // As CWD takes its word: a mark could lie on what it may not see.
    if (await this.#exists(path)) return false
    await this.#mark(path)
    return true
  }

  async #exists(path: Path): Promise<boolean> {
    return (await this.#tree.isDirectory(path)) || (await this.#tree.fileAt(path)) !== undefined
  }

  async removeDirectory(text: string): Promise<void> {
    const path = resolve(this.#directory, text, 'refused')
    if (path.length === 0 || this.#at(path).length < 2)
      throw new StoreError('ERR_UNSUPPORTED', 'Buckets are not removed over FTP')
    if (!(await this.#tree.isDirectory(path))) throw notFound(path, 'directory')
    if (!(await this.#tree.isEmpty(path))) throw new StoreError('ERR_CONFLICT', `${textOf(path)} is not empty`)
    await this.#store.remove(this.#origin, markerAt(this.#at(path)))
    await this.#keepParent(path)
  }

  /** Moves a file, which may replace another, or every key of a directory in one transaction; onto no directory. */
  async rename(from: Entry, text: string): Promise<void> {
    const source = resolve([], from.name, 'refused')
    const target = resolve(this.#directory, text, 'refused')
    if (this.#at(source).length < 2 || this.#at(target).length < 2) {
      throw new StoreError('ERR_UNSUPPORTED', 'Buckets are not renamed over FTP')
    }
    if (await this.#tree.isDirectory(target)) throw new StoreError('ERR_CONFLICT', `${textOf(target)} is a directory`)
    if (from.type === 'file')
      await this.#store.rename(this.#origin, objectAt(this.#at(source)), objectAt(this.#at(target)))
    else await this.#renameDirectory(source, target)
    await this.#keepParent(source)
  }

  async #renameDirectory(source: Path, target: Path): Promise<void> {
    if (textOf(target).startsWith(`${textOf(source)}/`)) {
      throw new StoreError('ERR_INVALID', 'A directory cannot move into itself')
    }
    await this.#store.renamePrefix(this.#origin, markerAt(this.#at(source)), markerAt(this.#at(target)))
  }

  /**
   * A directory stays until RMD, also when its last name left it: clients that empty a tree remove it last.
   * What the client asked for is done by then, so a marker that cannot be written is no refusal.
   */
  async #keepParent(path: Path): Promise<void> {
    const parent = path.slice(0, -1)
    if (parent.length === 0 || this.#at(parent).length < 2) return
    try {
      if (!(await this.#tree.isDirectory(parent))) await this.#mark(parent)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
    }
  }

  async #mark(path: Path): Promise<void> {
    const upload = await this.#store.begin(envelopeOf(this.#login, markerAt(this.#at(path))))
    await upload.commit({ [COMPLETION]: 'confirmed' }) // It has no bytes whose end could be in doubt.
  }

  /** Of an upload; refused where a directory has its name. */
  async #ofFile(text: string, { ascii = false, announced }: Announced = {}): Promise<Envelope> {
    const file = this.#filePath(text)
    const path = this.#at(file)
    if (path.length < 2) throw new StoreError('ERR_INVALID', 'Files live in buckets: store to /bucket/name')
    if (await this.#tree.hasBelow(file)) throw new StoreError('ERR_CONFLICT', `${textOf(file)} is a directory`)
    const envelope = envelopeOf(this.#login, objectAt(path), ascii)
    return announced === undefined ? envelope : { ...envelope, announced }
  }

  /** From the root of the store: what the client knows begins at its home. */
  #at(path: Path): Path {
    return this.#tree.absolute(path)
  }

  #filePath(text: string): Path {
    if (/(?:^|\/)\.?$/.test(text)) throw new StoreError('ERR_INVALID', 'That is the name of a directory, not of a file')
    return resolve(this.#directory, text, 'refused')
  }
}

function notFound(path: Path, what: string): StoreError {
  return new StoreError('ERR_NOT_FOUND', `No such ${what}: ${textOf(path)}`)
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
