import { type Assembled, assemble, type FoundMember } from './assembly.ts'
import { factsAt } from './candidate.ts'
import { PoolError } from './errors.ts'
import { columnsOf } from './geometry.ts'
import type { MemberFacts } from './member-facts.ts'
import { type PeekedFile, peek } from './peeked-file.ts'
import type { PoolEntry, PoolFolder } from './pool-folder.ts'
import { requestOfGuard } from './pool-plan.ts'
import { type Refusal, refusalError } from './refusal.ts'
import { judgeMembers } from './refusals.ts'
import type { Guard } from './superblock.ts'

/** An entry of the folder, looked at: what it is of a pool, or why it is nothing of one. */
interface Looked {
  readonly entry: PoolEntry
  readonly found: FoundMember<PeekedFile> | undefined
  readonly facts: MemberFacts | undefined
  readonly problem: string | undefined
  /** Nothing is where the entry leads. */
  readonly isGone: boolean
}

/** A member that is there. */
export interface PresentMember {
  readonly path: string
  readonly facts: MemberFacts
}

/** The pool in a folder, before anything of it is opened. */
export interface FolderMembers {
  readonly guard: Guard
  /** In the order of the layout; undefined where one is missing. */
  readonly members: readonly (PresentMember | undefined)[]
}

/**
 * Which members the folder has of its pool. An entry that no superblock lists is passed over: it was replaced, or never
 * joined. ERR_NOT_FOUND when a member is missing, by name; unless that is a leg of a mirror, and `degraded` is asked for.
 */
export async function membersOf(folder: PoolFolder, degraded = false): Promise<FolderMembers> {
  const looked = await Promise.all((await folder.entries()).map(lookAt))
  if (looked.length === 0) throw new PoolError('ERR_NOT_FOUND', `there is no pool in ${folder.path}`)
  const problems = looked.flatMap(({ entry, problem }) => (problem === undefined ? [] : `${entry.name} ${problem}`))
  const found = looked.flatMap((one) => one.found ?? [])
  if (found.length === 0) {
    throw new PoolError(looked.every(({ isGone }) => isGone) ? 'ERR_NOT_FOUND' : 'ERR_FORMAT', problems.join('; '))
  }
  const assembled = assembleNamed(found, degraded, problems)
  const { guard } = found[0]!
  const members = assembled.members.map(({ found }) => {
    const one = found && looked.find((each) => each.found === found)
    return one && { path: one.entry.path, facts: one.facts! }
  })
  return { guard, members }
}

/** A member that is missing has no name but a number of its own; the entries that lead nowhere say which it was. */
function assembleNamed(
  found: readonly FoundMember<PeekedFile>[],
  degraded: boolean,
  problems: readonly string[],
): Assembled<PeekedFile> {
  try {
    return assemble(found, degraded)
  } catch (error) {
    if (!(error instanceof PoolError) || problems.length === 0) throw error
    throw new PoolError(error.code, `${error.message}; ${problems.join('; ')}`, { cause: error })
  }
}

async function lookAt(entry: PoolEntry): Promise<Looked> {
  const where = entry.isOwn ? '' : ` (${entry.path})`
  try {
    const facts = factsAt(entry.path)
    const found = facts.kind === 'other' ? undefined : await peek(entry.path)
    const problem = found ? undefined : `is there${where}, but it holds no pool`
    return { entry, found, facts, problem, isGone: false }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const isGone = code === 'ENOENT' || code === 'ENXIO' || code === 'ENOTDIR'
    const problem = isGone ? `is missing${where}: ${message}` : `cannot be read${where}: ${message}`
    return { entry, found: undefined, facts: undefined, problem, isGone }
  }
}

/** Throws what a pool that exists is refused for by now. Of a member that others hold, ERR_LOCKED. */
export function refuseChanged({ guard, members }: FolderMembers): void {
  const facts = (some: FolderMembers['members']) => some.flatMap((member) => member?.facts ?? [])
  const all = facts(members)
  const mirrors = guard.geometry.legs > 1 ? columnsOf(guard.geometry, members).map(facts) : []
  throwRefused(judgeMembers(requestOfGuard(guard), all, all, mirrors))
}

export function throwRefused(refused: readonly Refusal[]): void {
  if (refused.length === 0) return
  throw refusalError(refused, refused.every(({ code }) => code === 'R17_NOT_EXCLUSIVE') ? 'ERR_LOCKED' : 'ERR_LIMITS')
}
