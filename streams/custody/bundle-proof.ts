import type { CheckpointRecord, ObjectRecord } from '../records/record.ts'
import type { Proof } from './bundle.ts'
import type { Chained } from './bundle-files.ts'
import { rootFrom } from './merkle.ts'

/** Why a proof does not lead from a record to the root of the checkpoint; undefined when it does. */
export function proofProblem(
  checkpoint: CheckpointRecord | undefined,
  proof: Proof,
  { record, digest }: Chained<ObjectRecord>,
): string | undefined {
  if (checkpoint === undefined) return 'no checkpoint stands before it'
  if (!isProof(proof)) return 'its proof is none'
  const { sequence, covers } = checkpoint
  if (proof.checkpoint !== sequence || proof.leaves !== covers.records) return 'its proof is of another checkpoint'
  if (record.sequence < covers.first || record.sequence > covers.last) return 'its checkpoint does not cover it'
  const root = rootFrom(digest, proof.leaf, proof.leaves, proof.path)
  return root === covers.root ? undefined : 'its proof does not lead to the root that was signed'
}

function isProof({ leaf, leaves, path, checkpoint, ...more }: Proof): boolean {
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
  const isPath = Array.isArray(path) && path.every((hash) => typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash))
  return isCount(leaf) && isCount(leaves) && isPath && isCount(checkpoint) && Object.keys(more).length === 0
}
