import type { Core } from './core.ts'
import type { Member } from './members.ts'
import { requireMedium, type ScrubGround } from './scrub-copies.ts'
import { structureIn } from './scrub-kind.ts'
import type { ScrubKind, ScrubSubject } from './scrub-report.ts'
import { decodeGuard, encodeGuard, encodeSuperblock, type Guard, ringOffset } from './superblock.ts'

/** A block at the ends of a member that is the same whatever becomes of the pool, or can be written anew from memory. */
interface EndBlock {
  readonly subject: ScrubSubject
  readonly offset: number
  readonly right: Buffer
  readonly note?: string
  isRight(block: Buffer): boolean
  kindOf(block: Buffer): ScrubKind
}

/**
 * Verifies the guards and the superblock rings of one member. What they hold is known: the pool was opened with it. One
 * block after the other is written and flushed, so that power failure finds at most one in flight.
 *
 * The newest superblock must be whole in both rings. An older one that is damaged is no loss, only a slot that says
 * nothing; it is blanked, and told.
 */
export class MemberScrub {
  readonly #ground: ScrubGround
  readonly #guard: Guard

  constructor(ground: ScrubGround, guard: Guard) {
    this.#ground = ground
    this.#guard = guard
  }

  /** While no superblock is written. Resolves with what keeps the member from being repaired: a write that failed. */
  async run(member: Member): Promise<unknown> {
    for (const block of [...this.#guards(member), ...this.#slots(member)]) {
      if (!member.isInSync) return undefined
      const failure = await this.#block(member, block)
      if (failure) return failure
    }
    return undefined
  }

  async #block(member: Member, block: EndBlock): Promise<unknown> {
    const { record } = this.#ground
    const found = await this.#read(member, block.offset)
    record.copiesVerified++
    record.bytesVerified += block.right.length
    if (found && block.isRight(found)) return undefined
    const kind = found ? block.kindOf(found) : 'unreadable'
    const failure = await this.#write(member, block)
    const again = failure ? undefined : await this.#read(member, block.offset)
    const isRepaired = again?.equals(block.right) === true
    const note = isRepaired
      ? block.note
      : `it could not be written anew${failure ? `: ${(failure as Error).message}` : ''}`
    record.add(isRepaired ? 'repaired' : 'damaged', {
      subject: block.subject,
      kind,
      member: this.#ground.core.members.all.indexOf(member),
      memberOffset: block.offset,
      ...(note && { note }),
    })
    return failure
  }

  async #read(member: Member, offset: number): Promise<Buffer | undefined> {
    const block = Buffer.alloc(this.#ground.core.zones.blockBytes)
    try {
      await member.device!.read(offset, block)
      return block
    } catch (error) {
      requireMedium(error, member)
      return undefined
    }
  }

  async #write({ device }: Member, { offset, right }: EndBlock): Promise<unknown> {
    try {
      await device!.write(offset, right)
      await device!.flush()
    } catch (error) {
      return error
    }
    return undefined
  }

  *#guards(member: Member): Generator<EndBlock> {
    const { uuid, device, zones } = member
    const guard: Guard = { ...this.#guard, member: uuid, deviceBytes: device!.limits.size }
    for (const offset of zones!.guards) {
      yield {
        subject: 'guard',
        offset,
        right: encodeGuard(guard),
        isRight: (block) => isGuardOf(block, guard),
        kindOf: (block) => (structureIn(block, guard.pool) ? 'misdirected' : 'checksum'),
      }
    }
  }

  *#slots(member: Member): Generator<EndBlock> {
    const zones = member.zones!
    for (const ring of zones.rings) {
      for (let slot = 0; slot < zones.ringSlots; slot++) {
        yield slotBlock(this.#ground.core, ring + slot * zones.blockBytes, slot, member)
      }
    }
  }
}

function isGuardOf(block: Buffer, { pool, member, deviceBytes }: Guard): boolean {
  try {
    const found = decodeGuard(block)
    return !!found && found.pool.equals(pool) && found.member.equals(member) && found.deviceBytes === deviceBytes
  } catch {
    return false // Its checksum is right, but it is of no version known here.
  }
}

function slotBlock({ members, pool }: Core, offset: number, slot: number, { zones }: Member): EndBlock {
  const { superblock } = members
  const { blockBytes, ringSlots } = zones!
  const newest = encodeSuperblock(superblock, pool, blockBytes)
  const isNewest = zones!.rings.some((ring) => ringOffset(zones!, ring, superblock.serial) === offset)
  const olderIn = (block: Buffer) => {
    const found = structureIn(block, pool)
    return found?.what === 'superblock' && found.serial < superblock.serial && found.serial % ringSlots === slot
  }
  const isHarmless = (block: Buffer) => olderIn(block) || block.every((byte) => byte === 0)
  const kindOf = (block: Buffer): ScrubKind => {
    if (olderIn(block)) return 'stale'
    return structureIn(block, pool) ? 'misdirected' : 'checksum'
  }
  const isRight = isNewest ? (block: Buffer) => block.equals(newest) : isHarmless
  const right = isNewest ? newest : Buffer.alloc(blockBytes)
  const note = isNewest ? undefined : 'an older superblock, which nothing needs: its slot is blank now'
  return { subject: 'superblock', offset, right, isRight, kindOf, ...(note && { note }) }
}
