import type { Sequence, Staging } from '../../pool/index.ts'
import type { Change } from '../changes.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import type { Frozen } from '../pipeline.ts'
import type { PartialUpload } from './partial-port.ts'
import { slotOf } from './partial-state.ts'

/** What came of an upload, between two of its bytes. */
export interface Progress {
  readonly origin: Origin
  readonly name: ObjectName
  readonly staging: Staging
  readonly size: number
  readonly stages: Frozen
  /** What is durable of it already. */
  readonly own: PartialUpload | undefined
  /** The last record that it can know of: a version later than that was put while it was on its way. */
  readonly since: Sequence
}

/**
 * Makes what came of an upload its application's partial upload under the name; another one that was there is let go.
 * Draws up nothing when a version has come meanwhile: that is what the name stands for, and not what was begun before it.
 */
export function prepare({ origin, name, staging, size, stages, own, since }: Progress): Change {
  const { application } = origin.principal
  const { bucket, key } = name
  const slot = slotOf(application, name)
  return {
    names: [name],
    draft(draft) {
      if ((draft.binding(name)?.version ?? 0) > since) return
      const before = draft.partial(slot)
      if (before && before.prepared !== own?.prepared) draft.release(before.prepared)
      const upload = own?.upload ?? draft.nextId
      const prepared = draft.nextSequence
      draft.setPartial(slot, { application, bucket, key, upload, size, time: draft.time, prepared })
      draft.append(origin, '', { operation: 'prepare', upload, bucket, key, size, stages }, [staging])
    },
  }
}

/** Lets a partial upload go; draws up nothing when it is another by now. */
export function abandon(origin: Origin, partial: PartialUpload, reason: string): Change {
  const { application: owner, upload, bucket, key, prepared } = partial
  const slot = slotOf(owner, partial)
  return {
    names: [],
    draft(draft) {
      if (draft.partial(slot)?.prepared !== prepared) return
      draft.release(prepared)
      draft.setPartial(slot, undefined)
      draft.append(origin, '', { operation: 'abandon', upload, owner, bucket, key, prepared, reason })
    },
  }
}
