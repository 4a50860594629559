/** What an application has stored and what is kept of it: current versions, older ones, and uploads that were cut off. */
export interface Usage {
  readonly bytes: number
  /** Versions; an object without older ones is one, and an upload that was cut off is none. */
  readonly objects: number
}

export const NO_USAGE: Usage = Object.freeze({ bytes: 0, objects: 0 })

/** Whose a version is, and what it takes. */
export interface Owner {
  readonly application: string
  readonly bytes: number
}

/** Usage that comes and goes, by application. */
export class UsageDelta {
  readonly #deltas = new Map<string, { bytes: number; objects: number }>()

  add({ application, bytes }: Owner, by: 1 | -1): void {
    const delta = this.#deltas.get(application) ?? { bytes: 0, objects: 0 }
    delta.bytes += by * bytes
    delta.objects += by
    this.#deltas.set(application, delta)
  }

  /** What it makes of usage before; applications that it changes nothing for are left out. */
  *after(before: (application: string) => Usage): Generator<readonly [string, Usage]> {
    for (const [application, { bytes, objects }] of this.#deltas) {
      if (bytes === 0 && objects === 0) continue
      const was = before(application)
      yield [application, { bytes: was.bytes + bytes, objects: was.objects + objects }]
    }
  }
}
