import type { DurableRecord } from '../catalog/catalog-port.ts'
import type { Change } from '../changes.ts'
import { StoreError } from '../errors.ts'
import type { VersionStore } from '../versions/version-store.ts'
import { judgeCurrent, type Verdict, verdictPlan } from './verdict.ts'

export interface JudgingParts {
  readonly versions: VersionStore
  readonly clock: { now(): number }
  readonly changesMax: number
  /** Resolves with the records, durable; with none when there was nothing to change. */
  readonly commit: (changes: readonly Change[]) => Promise<readonly DurableRecord[]>
}

/** Puts verdicts into the streams of what they are about: those on current versions together, others one by one. */
export class Judging {
  readonly #parts: JudgingParts

  constructor(parts: JudgingParts) {
    this.#parts = parts
  }

  /** A verdict on a version that is gone is no more than forgotten. */
  async judge(verdicts: readonly Verdict[]): Promise<void> {
    const { changesMax } = this.#parts
    for (let index = 0; index < verdicts.length; index += changesMax)
      await this.#judgeSome(verdicts.slice(index, index + changesMax))
  }

  async #judgeSome(verdicts: readonly Verdict[]): Promise<void> {
    const judged = new Set<Verdict>()
    await this.#parts.commit(verdicts.map((verdict) => judgeCurrent(verdict, () => judged.add(verdict))))
    for (const verdict of verdicts) {
      if (!judged.has(verdict)) await this.#judgeElsewhere(verdict)
      if (verdict.disposition === 'drop') await this.#drop(verdict)
    }
  }

  /** It was renamed meanwhile, or is an older version of its object. */
  async #judgeElsewhere(verdict: Verdict): Promise<void> {
    const { versions, clock } = this.#parts
    const plan = (attributes: Verdict['set']) => verdictPlan(verdict, attributes, clock.now())
    await versions.note(verdict.origin, verdict.version, plan)
  }

  /** What is retained or held stays, quarantined. */
  async #drop({ origin, version, reason }: Verdict): Promise<void> {
    try {
      await this.#parts.versions.drop(origin, version, reason)
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'ERR_LOCKED') throw error
    }
  }
}
