import type { Sequence } from '../../pool/index.ts'
import { type AttributeChange, changed } from '../attributes.ts'
import type { Change } from '../changes.ts'
import type { Attributes, ObjectName, Origin } from '../envelope.ts'
import { quarantined } from './quarantine.ts'

/** What becomes of a version for what was found out about it. */
export type Disposition = 'keep' | 'quarantine' | 'drop'

/** What was found out about a version after it was stored: by a door, which asks nobody for leave to say so. */
export interface Verdict {
  readonly origin: Origin
  /** As it was put; it may have another name by now. */
  readonly name: ObjectName
  readonly version: Sequence
  readonly set: Attributes
  readonly disposition: Disposition
  /** Why, in words, where it is not kept. */
  readonly reason?: string
}

/**
 * What a verdict changes at `time`; nothing where the version says so already. One that is to be dropped is quarantined
 * first: if power fails before it is gone, or it is locked and stays, nobody reads it by mistake.
 */
export function verdictPlan(verdict: Verdict, attributes: Attributes, time: number): AttributeChange | undefined {
  const { set, disposition, reason = '' } = verdict
  const all = disposition === 'keep' ? set : { ...set, ...quarantined(attributes, reason, time) }
  const news = Object.entries(all).filter(([name, value]) => attributes[name] !== value)
  return news.length === 0 ? undefined : { set: Object.fromEntries(news), unset: [] }
}

/**
 * The verdict on a version that is current under the name it was put under: many of them make one transaction. `done` is
 * told when that was so; else the version is to be looked for.
 */
export function judgeCurrent(verdict: Verdict, done: () => void): Change {
  const { origin, name, version } = verdict
  const { bucket, key } = name
  return {
    names: [name],
    draft(draft) {
      const before = draft.binding(name)
      if (before?.version !== version) return
      done()
      const planned = verdictPlan(verdict, before.attributes, draft.time)
      if (planned === undefined) return
      const body = { operation: 'attributes', object: before.object, bucket, key, version, ...planned } as const
      const last = draft.append(origin, before.last, body)
      draft.bind(name, { ...before, last, attributes: changed(before.attributes, planned) })
    },
  }
}
