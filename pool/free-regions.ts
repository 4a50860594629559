/**
 * How many regions are free, counted by class. A segment takes one region for each of its runs, no two of one class, so
 * that its runs lie on distinct members. With one run the class does not matter.
 */
export class FreeRegions {
  readonly #runs: number
  readonly #ofClass = new Map<number, number>()
  #total = 0

  constructor(runs: number) {
    this.#runs = runs
  }

  get total(): number {
    return this.#total
  }

  change(regionClass: number, by: 1 | -1): void {
    this.#total += by
    this.#ofClass.set(regionClass, (this.#ofClass.get(regionClass) ?? 0) + by)
  }

  /** Segments that would find room. */
  get segments(): number {
    return this.segmentsBeside(0)
  }

  /** What is left for segments when payloads take so many regions, each from the class with the most room. */
  segmentsBeside(regions: number): number {
    if (this.#runs === 1) return Math.max(0, this.#total - regions)
    const free = [...this.#ofClass.values()]
    return segmentsIn(regions === 0 ? free : lowered(free, regions), this.#runs)
  }

  /** Those with the most free regions first; undefined stands for any. */
  classesByRoom(): (number | undefined)[] {
    if (this.#runs === 1) return [undefined]
    return [...this.#ofClass].sort(([, a], [, b]) => b - a).map(([regionClass]) => regionClass)
  }
}

/** The most segments of `runs` regions each, no two of a segment of one class, of which there are so many `free`. */
function segmentsIn(free: readonly number[], runs: number): number {
  const holds = (segments: number) => free.reduce((sum, of) => sum + Math.min(of, segments), 0) >= segments * runs
  let low = 0
  let high = Math.floor(free.reduce((sum, of) => sum + of, 0) / runs)
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (holds(middle)) low = middle
    else high = middle - 1
  }
  return low
}

/** `heights` with `by` taken away in all, each time from the highest. */
function lowered(heights: readonly number[], by: number): number[] {
  const sorted = [...heights].sort((a, b) => b - a)
  let left = by
  for (let count = 1; count <= sorted.length && left > 0; count++) {
    const step = sorted[count - 1]! - (sorted[count] ?? 0)
    const most = Math.min(step * count, left)
    for (let i = 0; i < count; i++) sorted[i]! -= Math.floor(most / count) + (i < most % count ? 1 : 0)
    left -= most
  }
  return sorted
}
