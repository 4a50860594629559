import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Pool } from '../../pool/index.ts'
import { recordsOf } from './store-harness.ts'

/** Computes every digest of a pool's stream again, and compares it with what the next record says. */
export async function assertChains(pool: Pool): Promise<void> {
  const last = { partition: '', time: 0, objects: new Map<string, string>() }
  for (const { sequence, content, record } of await recordsOf(pool)) {
    const object = 'object' in record ? record.object : undefined
    assert.equal(record.sequence, sequence)
    assert(record.time >= last.time, `record ${sequence} is older than the one before`)
    assert.equal(record.previous.partition, last.partition, `record ${sequence} breaks the partition's chain`)
    const before = object === undefined ? '' : (last.objects.get(object) ?? '')
    assert.equal(record.previous.object, before, `record ${sequence} breaks its object's chain`)
    last.partition = createHash('sha256').update(content).digest('hex')
    last.time = record.time
    if (object !== undefined) last.objects.set(object, last.partition)
  }
}
