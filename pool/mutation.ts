/**
 * Ways to break the commit protocol on purpose. Tests switch them on one at a time and expect the crash enumerator
 * to notice; a mutation that survives means that the enumerator is blind there. Production passes none.
 */
export type Mutation =
  | 'ack-before-flush'
  | 'publish-before-data-flush'
  | 'reuse-extents-at-once'
  | 'reuse-segment-before-superblock'
  | 'snapshot-in-place'
  | 'naive-epoch'
  | 'epoch-not-flushed'
  | 'no-chain'
  | 'no-epoch'
  | 'compaction-drops-live'
  | 'flush-of-one-leg'
  | 'leg-lost-in-silence'
  | 'no-catch-up'
  | 'tail-on-one-copy'

export type Mutations = ReadonlySet<Mutation>

export const NO_MUTATIONS: Mutations = new Set()
