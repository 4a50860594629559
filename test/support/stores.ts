import { createHash } from 'node:crypto'
import type { Pool } from '../../pool/index.ts'
import type { Catalog, Stage } from '../../streams/index.ts'
import { MemoryCatalog } from './memory-catalog.ts'
import { memoryPool } from './memory-pool.ts'
import { blockPool, levelCatalog } from './store-harness.ts'

/** Each store is held to the same tests: its name, its pool and its catalog. */
export const STORES: readonly (readonly [string, () => Promise<Pool>, () => Promise<Catalog>])[] = [
  ['catalog and pool in memory', async () => memoryPool(), async () => new MemoryCatalog()],
  ['its catalog on level', async () => memoryPool(), () => levelCatalog()],
  ['its catalog on level and its pool on blocks', () => blockPool(), () => levelCatalog()],
]

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
export const md5 = (text: string) => createHash('md5').update(text).digest('hex')
export const noDigest = '0'.repeat(64)

/** Says what it counted, under the name it is given. */
export function counter(attribute: string): Stage<number> {
  return {
    name: 'counter',
    start: () => 0,
    step: (count, chunk) => count + chunk.length,
    freeze: (count) => count,
    thaw: (plain) => plain as number,
    finish: async (count) => ({ [attribute]: count }),
  }
}
