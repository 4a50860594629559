import type { Sequence, Staging } from '../../pool/index.ts'
import type { Change } from '../changes.ts'
import type { Draft } from '../draft.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import type { Frozen } from '../pipeline.ts'
import type { PartialUpload } from './partial-port.ts'

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
  readonly base: Sequence | undefined
}

/**
 * Makes what came of an upload its application's partial upload under the name; another one that was there is let go.
 * Draws up nothing when a version has come meanwhile: that is what the name stands for, and not what was begun before it.
 */
export function prepare({ origin, name, staging, size, stages, own, since, base }: Progress): Change {
  const { application } = origin.principal
  const { bucket, key } = name
  const place = { ...name, application }
  return {
    names: [name],
    draft(draft) {
      if ((draft.binding(name)?.version ?? 0) > since) return
      const before = draft.partial(place)
      if (before && before.prepared !== own?.prepared) draft.release(before.prepared)
      const upload = own?.upload ?? draft.nextId
      const prepared = draft.nextSequence
      const what = { upload, bucket, key, size, ...(base !== undefined && { base }) }
      draft.setPartial(place, { application, ...what, time: draft.time, prepared })
      draft.append(origin, '', { operation: 'prepare', ...what, stages }, [staging])
    },
  }
}

/** Lets a partial upload go; draws up nothing when it is another by now. */
export function abandon(origin: Origin, partial: PartialUpload, reason: string): Change {
  return {
    names: [],
    draft(draft) {
      if (draft.partial(partial)?.prepared === partial.prepared) letGo(draft, origin, partial, reason)
    },
  }
}

/**
 * Something has come to stand under the name: what was cut off before goes, whosever it is, so that it is not there again
 * when that is removed. With `until`, which is removed, what was prepared before that goes: it was gone on with when that came,
 * and by a server that was killed. What is gone on with now is its client's to end.
 */
export function overtake(draft: Draft, origin: Origin, name: ObjectName, until: Sequence = draft.nextSequence): void {
  for (const partial of draft.idlePartials(name)) if (partial.prepared < until) letGo(draft, origin, partial, OVERTAKEN)
}

export const OVERTAKEN = 'overtaken: something else came under its name'

function letGo(draft: Draft, origin: Origin, partial: PartialUpload, reason: string): void {
  const { application: owner, upload, bucket, key, prepared } = partial
  draft.release(prepared)
  draft.setPartial(partial, undefined)
  draft.append(origin, '', { operation: 'abandon', upload, owner, bucket, key, prepared, reason })
}
