import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Catalog, type CatalogOptions, openCatalog } from '../../streams/index.ts'
import type { CatalogModel } from './catalog-model.ts'

/** A directory that is gone when the test has finished. */
export async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cenote-catalog-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return directory
}

/** A catalog that is closed when the test has finished. */
export async function open(options: Partial<CatalogOptions> = {}): Promise<Catalog> {
  const catalog = await openCatalog({ ...options, directory: options.directory ?? (await newDirectory()) })
  onTestFinished(() => catalog.close())
  return catalog
}

/** A catalog that has folded every record of the model. */
export async function folded(model: CatalogModel, options: Partial<CatalogOptions> = {}): Promise<Catalog> {
  const catalog = await open(options)
  await foldRest(catalog, model)
  return catalog
}

export async function foldRest(catalog: Catalog, model: CatalogModel): Promise<void> {
  catalog.apply(model.records.slice(catalog.position.sequence), 1)
  await catalog.settled(model.sequence)
}

/** The keys of every page of an answer. */
export async function keysOf(catalog: Catalog, query: string, limit = 1000): Promise<readonly string[]> {
  const keys: string[] = []
  let cursor: string | null = null
  do {
    const page = await catalog.query(query, { limit, ...(cursor !== null && { cursor }) })
    keys.push(...page.objects.map(({ key }) => key))
    cursor = page.cursor
  } while (cursor !== null)
  return keys
}

/** Counts the entries that a catalog reads: pass `onRead` as its option. */
export function readCounter(): { count: number; onRead(entries: number): void } {
  return {
    count: 0,
    onRead(entries) {
      this.count += entries
    },
  }
}
