import { readFile } from 'node:fs/promises'
import { replaceFile } from './durable-file.ts'

/** What the command line needs to speak to the server of a data folder; without a door over HTTP there is no url. */
export interface CliFile {
  readonly url?: string | undefined
  readonly key?: string | undefined
  readonly secret?: string | undefined
}

export async function writeCliFile(path: string, content: CliFile): Promise<void> {
  await replaceFile(path, `${JSON.stringify(content, null, 2)}\n`)
}

/** Undefined when there is no such file. */
export async function readCliFile(path: string): Promise<CliFile | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as CliFile
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
}
