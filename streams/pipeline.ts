import assert from 'node:assert/strict'
import type { Attributes, AttributeValue, Envelope, Plain } from './envelope.ts'
import type { Derived, Stage } from './stage.ts'

/** The state of each stage by its name, taken between two chunks; 'replay' for one that must see the bytes again. */
export type Frozen = { readonly [stage: string]: Plain | 'replay' }

/**
 * The stages of one upload, stepped together.
 *
 *   OPEN ──step──▶ OPEN ──finish──▶ CLOSED
 *     │ ▲            └──a stage throws──▶ CLOSED
 *     └─┴─freeze
 *   freeze, JSON, thaw: OPEN again, here or in another process
 *
 * Invariant: while open, every stage has taken the same chunks, as far as it looks. A stage that throws midway breaks it, so that the
 * pipeline is closed for good; using it after that is a fault of the caller.
 */
export class Pipeline {
  readonly #stages: readonly Stage[]
  readonly #states: unknown[]
  #open = true

  private constructor(stages: readonly Stage[], states: unknown[]) {
    assert(new Set(stages.map(({ name }) => name)).size === stages.length, 'two stages have the same name')
    this.#stages = stages
    this.#states = states
  }

  static start(stages: readonly Stage[], envelope: Envelope): Pipeline {
    return new Pipeline(
      stages,
      stages.map((stage) => stage.start(envelope)),
    )
  }

  /**
   * Goes on from `frozen`. `replay` gives the bytes taken so far, from the first one; it is read only when a stage
   * needs them. A stage that `frozen` does not know is replayed, too, and the state of a stage that is no more is
   * dropped, so that an upload outlives an upgrade of the server.
   */
  static async thaw(
    stages: readonly Stage[],
    envelope: Envelope,
    frozen: Frozen,
    replay: AsyncIterable<Uint8Array>,
  ): Promise<Pipeline> {
    const replayed = stages.filter(({ name }) => !Object.hasOwn(frozen, name) || frozen[name] === 'replay')
    const replaying = Pipeline.start(replayed, envelope)
    if (replayed.length > 0) await replaying.#replay(replay)
    const states = stages.map((stage) => {
      const index = replayed.indexOf(stage)
      return index < 0 ? stage.thaw(frozen[stage.name]!, envelope) : replaying.#states[index]
    })
    return new Pipeline(stages, states)
  }

  /** As far as any of the stages looks. */
  async #replay(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    let left = Math.max(...this.#stages.map(({ sightBytes = Number.POSITIVE_INFINITY }) => sightBytes))
    for await (const chunk of bytes) {
      this.step(chunk)
      left -= chunk.length
      if (left <= 0) return
    }
  }

  step(chunk: Uint8Array): void {
    assert(this.#open, 'the pipeline is closed')
    this.#open = false
    for (let index = 0; index < this.#stages.length; index++)
      this.#states[index] = this.#stages[index]!.step(this.#states[index], chunk)
    this.#open = true
  }

  /** What the stages have made of the bytes so far, besides attributes; `hasEnded` when no more come. */
  derive(hasEnded: boolean): readonly Derived[] {
    assert(this.#open, 'the pipeline is closed')
    return this.#stages.flatMap((stage, index) => stage.derive?.(this.#states[index], hasEnded) ?? [])
  }

  /** Copies every stage's state; the pipeline goes on unchanged. */
  freeze(): Frozen {
    assert(this.#open, 'the pipeline is closed')
    return Object.fromEntries(this.#stages.map((stage, index) => [stage.name, stage.freeze(this.#states[index])]))
  }

  /** What the stages found, in their order; an attribute is written by one stage only. */
  async finish(): Promise<Attributes> {
    assert(this.#open, 'the pipeline is closed')
    this.#open = false
    const attributes: { [name: string]: AttributeValue } = {}
    for (let index = 0; index < this.#stages.length; index++) {
      const stage = this.#stages[index]!
      for (const [name, value] of Object.entries(await stage.finish(this.#states[index]))) {
        if (Object.hasOwn(attributes, name)) assert.fail(`${stage.name} writes ${name}, as an earlier stage did`)
        attributes[name] = value
      }
    }
    return attributes
  }
}
