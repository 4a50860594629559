import { closeSync, constants, existsSync, openSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { atomicWriteClaim, storageFacts } from '../system/index.ts'
import { existingFolder } from './block-file.ts'
import { roundUp } from './bytes.ts'
import { hasCode, PoolError } from './errors.ts'
import type { MemberFacts } from './member-facts.ts'
import { peek } from './peeked-file.ts'
import { type Refusal, refusal } from './refusal.ts'
import { poolName } from './superblock.ts'

/** A member that is asked for. */
export interface MemberRequest {
  /** A block device, a block file, or where one is to be made; without a path it is made in the pool's folder. */
  readonly path?: string
  /** Of a block file that is to be made; rounded up to whole mebibytes. What is there already is taken as it is. */
  readonly bytes?: number
  /** Takes what holds a pool, too; that pool is lost. */
  readonly overwrite?: boolean
}

/** What may become a member, as it is now. Nothing was made of it yet. */
export interface Candidate {
  /** Absolute; of a file in the pool's folder, the folder. */
  readonly path: string
  readonly isOwn: boolean
  /** Bytes of the block file that is to be made; undefined when it is there already. */
  readonly bytes: number | undefined
  readonly facts: MemberFacts
  /** In words, the pool that it holds. */
  readonly holds: string | undefined
  readonly overwrite: boolean
}

const MIB = 1 << 20

/** Looks at what is asked for, and changes nothing. ERR_LIMITS for what is not there and has no size to be made with. */
export async function candidatesOf(members: readonly MemberRequest[], folder: string): Promise<readonly Candidate[]> {
  return await Promise.all(members.map((member, index) => candidateOf(member, folder, index)))
}

async function candidateOf(member: MemberRequest, folder: string, index: number): Promise<Candidate> {
  const { overwrite = false } = member
  if (member.path === undefined) return { ...toBeMade(folder, member.bytes, -1 - index), isOwn: true, overwrite }
  const path = resolve(member.path)
  if (!existsSync(path)) return { ...toBeMade(path, member.bytes, inodeOf(path)), isOwn: false, overwrite }
  const facts = factsAt(path)
  const holds = facts.kind === 'other' ? undefined : await holdsWhat(path)
  return { path, isOwn: false, bytes: undefined, facts, holds, overwrite }
}

function toBeMade(path: string, size: number | undefined, inode: number): Omit<Candidate, 'isOwn' | 'overwrite'> {
  if (size === undefined) {
    throw new PoolError('ERR_LIMITS', `there is nothing at ${path}: a block file is made there when its size is given`)
  }
  const bytes = roundUp(size, MIB)
  return { path, bytes, facts: { ...factsToBe(path, bytes, inode), path: `a new file at ${path}` }, holds: undefined }
}

/** No file has it, and the same path always the same. */
const inodeOf = (path: string): number =>
  -(1 + [...path].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 2 ** 32, 2 ** 20))

/** What is known of something that is there. */
export function factsAt(path: string): MemberFacts {
  const facts = storageFacts(path)
  if (facts.kind === 'other') return facts
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const claim = atomicWriteClaim(descriptor, facts.kind === 'block' ? statSync(path).rdev : undefined)
    if (!claim) return facts
    const { unitMin, unitMax, boundary } = claim
    return { ...facts, atomicWrite: { unitMin, unitMax, boundary } }
  } finally {
    closeSync(descriptor)
  }
}

/** What will be known of a block file whose zeros are written: what its folder's file system says. */
function factsToBe(path: string, bytes: number, inode: number): MemberFacts {
  const { device, readOnly, filesystem, block, backing, disks } = storageFacts(existingFolder(path))
  return {
    path,
    kind: 'file',
    device,
    inode,
    size: bytes,
    readOnly,
    allocatedBytes: bytes,
    extents: undefined,
    flags: undefined,
    filesystem,
    block,
    backing,
    disks,
    users: [],
  }
}

/** Also a guard of a version that this program does not know is somebody's. */
async function holdsWhat(path: string): Promise<string | undefined> {
  try {
    const found = await peek(path)
    return found && `member ${found.guard.member.toString('hex')} of the pool ${poolName(found.guard.pool)}`
  } catch (error) {
    if (hasCode(error, 'ERR_FORMAT')) return error.message
    throw error
  }
}

/** R25 of what holds a pool and is not to be overwritten. */
export function holdingRefusals(candidates: readonly Candidate[]): readonly Refusal[] {
  return candidates
    .filter(({ holds, overwrite }) => holds !== undefined && !overwrite)
    .map(({ path, holds }) => refusal('R25_FOREIGN', `${path} is ${holds}`, { nearest: 'overwrite it' }))
}
