import { readFileSync } from 'node:fs'
import { readCursor, type ScrubCursor, type ScrubOptions } from '../pool/index.ts'
import type { ScrubRequest } from '../streams/index.ts'
import { replaceFile } from './durable-file.ts'

/** Where the scrub of a pool is, and when the last one finished (milliseconds since 1970). */
export interface Noted {
  readonly cursor?: ScrubCursor
  readonly finished?: number
}

/**
 * A small file beside the pool. Losing it loses nothing: the next scrub begins at the beginning. It is about one pool
 * only; a cursor of another would skip what was never looked at.
 */
export class ScrubNote {
  readonly #path: string
  #known: (Noted & { readonly pool: string }) | undefined

  constructor(path: string) {
    this.#path = path
  }

  read(pool: string): Noted {
    this.#known ??= readNote(this.#path)
    return this.#known.pool === pool ? this.#known : {}
  }

  /** What a scrub is to do that is asked for now. */
  optionsFor(pool: string, { bytesPerSecond, resume }: ScrubRequest): Pick<ScrubOptions, 'bytesPerSecond' | 'cursor'> {
    const { cursor } = this.read(pool)
    return { ...(bytesPerSecond !== undefined && { bytesPerSecond }), ...(resume && cursor && { cursor }) }
  }

  /** Where a scrub is; null when it has finished, `now`. */
  async write(pool: string, cursor: ScrubCursor | null, now: number): Promise<void> {
    const finished = cursor === null ? now : this.read(pool).finished
    this.#known = { pool, ...(cursor && { cursor }), ...(finished !== undefined && { finished }) }
    await replaceFile(this.#path, `${JSON.stringify(this.#known)}\n`)
  }
}

function readNote(path: string): Noted & { readonly pool: string } {
  try {
    const { pool, cursor, finished } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    const known = readCursor(cursor)
    return {
      pool: String(pool),
      ...(known ? { cursor: known } : {}),
      ...(typeof finished === 'number' ? { finished } : {}),
    }
  } catch {
    return { pool: '' } // There is none, or none that can be read.
  }
}
