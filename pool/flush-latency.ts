/** Powers of two in microseconds: the last bucket takes everything from 67 seconds on. */
const BUCKETS = 28

/** How long flushes took: a count for each power of two of microseconds, so that it never grows. */
export class FlushLatency {
  /** `buckets[0]` counts flushes below 1 µs, `buckets[i]` those from 2^(i-1) to below 2^i, the last all beyond. */
  readonly buckets: number[] = Array.from({ length: BUCKETS }, () => 0)
  count = 0
  microsecondsTotal = 0
  microsecondsMax = 0

  record(microseconds: number): void {
    const bucket = microseconds < 1 ? 0 : Math.floor(Math.log2(microseconds)) + 1
    this.buckets[Math.min(bucket, BUCKETS - 1)]! += 1
    this.count++
    this.microsecondsTotal += microseconds
    this.microsecondsMax = Math.max(this.microsecondsMax, microseconds)
  }

  /** No more than the given fraction of flushes took longer: microseconds, rounded up to a power of two. */
  quantile(fraction: number): number {
    let left = Math.ceil(fraction * this.count)
    for (const [bucket, count] of this.buckets.entries()) {
      left -= count
      if (left <= 0) return this.count === 0 ? 0 : Math.min(2 ** bucket, this.microsecondsMax)
    }
    return this.microsecondsMax
  }
}
