import { hash } from 'node:crypto'

/*
 * Merkle trees as in RFC 9162 section 2.1, with SHA-256. A leaf is the digest of a record (32 bytes; hex here).
 *
 *   leaf  SHA-256(00 | digest)
 *   node  SHA-256(01 | left | right)      a node without a neighbour on its right goes up as it is
 */
const LEAF = Buffer.of(0)
const NODE = Buffer.of(1)
const EMPTY = hash('sha256', Buffer.alloc(0), 'hex')

/** The tree over some digests: its root, and the way from any leaf up to it. */
export class MerkleTree {
  readonly #levels: readonly (readonly Buffer[])[]

  constructor(digests: readonly string[]) {
    const levels = [digests.map(leafOf)]
    for (let level = levels[0]!; level.length > 1; level = levels.at(-1)!) levels.push(above(level))
    this.#levels = levels
  }

  get root(): string {
    return this.#levels.at(-1)![0]?.toString('hex') ?? EMPTY
  }

  /** The inclusion proof of a leaf (section 2.1.3.1): the neighbours of its ancestors, from below. */
  pathOf(leaf: number): readonly string[] {
    const neighbours = this.#levels.map((level, height) => level[(leaf >>> height) ^ 1])
    return neighbours.flatMap((neighbour) => neighbour?.toString('hex') ?? [])
  }
}

/** The root that a leaf and its proof lead to (section 2.1.3.2); undefined when they are of no tree of that size. */
export function rootFrom(digest: string, leaf: number, leaves: number, path: readonly string[]): string | undefined {
  if (leaf >= leaves) return undefined
  let [place, last] = [leaf, leaves - 1]
  let node = leafOf(digest)
  for (const neighbour of path.map(bytesOf)) {
    if (last === 0) return undefined
    const isRight = place % 2 === 1 || place === last
    node = isRight ? nodeOf(neighbour, node) : nodeOf(node, neighbour)
    // A node that went up alone has no neighbour until it is the right one of a pair.
    for (; isRight && place % 2 === 0 && place > 0; place = half(place)) last = half(last)
    place = half(place)
    last = half(last)
  }
  return last === 0 ? node.toString('hex') : undefined
}

function above(level: readonly Buffer[]): Buffer[] {
  const nodes: Buffer[] = []
  for (let at = 0; at < level.length; at += 2) {
    const [left, right] = [level[at]!, level[at + 1]]
    nodes.push(right ? nodeOf(left, right) : left)
  }
  return nodes
}

const bytesOf = (hex: string): Buffer => Buffer.from(hex, 'hex')
const half = (count: number): number => Math.floor(count / 2)
const leafOf = (digest: string): Buffer => hash('sha256', Buffer.concat([LEAF, bytesOf(digest)]), 'buffer')
const nodeOf = (left: Buffer, right: Buffer): Buffer => hash('sha256', Buffer.concat([NODE, left, right]), 'buffer')
