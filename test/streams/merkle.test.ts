import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MerkleTree, rootFrom } from '../../streams/custody/merkle.ts'

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const digestAt = (at: number): string => sha256(Buffer.of(at & 0xff, at >> 8)).toString('hex')
const digests = (count: number): string[] => Array.from({ length: count }, (_, at) => digestAt(at))

/** RFC 9162 section 2.1.1, word for word. */
function mth(leaves: readonly string[]): Buffer {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return sha256(Buffer.of(0), Buffer.from(leaves[0]!, 'hex'))
  let k = 1
  while (2 * k < leaves.length) k *= 2
  return sha256(Buffer.of(1), mth(leaves.slice(0, k)), mth(leaves.slice(k)))
}

describe('a Merkle tree', () => {
  test('has the root that RFC 9162 defines', () => {
    for (let count = 0; count <= 70; count++)
      expect(new MerkleTree(digests(count)).root).toBe(mth(digests(count)).toString('hex'))
  })

  test('proves each leaf, with no more hashes than its height', () => {
    for (let count = 1; count <= 70; count++) {
      const tree = new MerkleTree(digests(count))
      for (let leaf = 0; leaf < count; leaf++) {
        const path = tree.pathOf(leaf)
        expect(path.length).toBeLessThanOrEqual(Math.ceil(Math.log2(count)))
        expect(rootFrom(digestAt(leaf), leaf, count, path)).toBe(tree.root)
      }
    }
  })

  test('proves nothing else: another leaf, place, size or path leads elsewhere', () => {
    const given = fc.record({ count: fc.integer({ min: 2, max: 200 }), part: fc.nat(), other: fc.nat() })
    fc.assert(
      fc.property(given, ({ count, part, other }) => {
        const tree = new MerkleTree(digests(count))
        const leaf = part % count
        const path = tree.pathOf(leaf)
        const elsewhere = (leaf + 1 + (other % (count - 1))) % count
        const longer = [...path, digestAt(other % 1000)]
        const changed = path.with(other % path.length, digestAt(999))
        expect(rootFrom(digestAt(elsewhere), leaf, count, path)).not.toBe(tree.root)
        expect(rootFrom(digestAt(leaf), elsewhere, count, path)).not.toBe(tree.root)
        expect(rootFrom(digestAt(leaf), leaf, count, path.slice(0, -1))).not.toBe(tree.root)
        expect(rootFrom(digestAt(leaf), leaf, count, longer)).not.toBe(tree.root)
        expect(rootFrom(digestAt(leaf), leaf, count, changed)).not.toBe(tree.root)
        expect(rootFrom(digestAt(leaf), count, count, path)).toBeUndefined()
      }),
    )
  })
})
