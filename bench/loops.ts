/** BENCH_SMALL=1 takes an eighth of everything. */
export const SCALE = process.env.BENCH_SMALL ? 1 / 8 : 1

/** Runs `task` from `inFlight` loops until `count` have run; returns runs per second. */
export async function rateOf(inFlight: number, count: number, task: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now()
  let next = 0
  const loop = async () => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  return (count * 1000) / (performance.now() - start)
}

/** Runs `task` from `inFlight` loops for `seconds`; returns runs per second. */
export async function rateFor(
  inFlight: number,
  seconds: number,
  task: (i: number) => Promise<unknown>,
): Promise<number> {
  const start = performance.now()
  const end = start + seconds * 1000
  let runs = 0
  const loop = async () => {
    while (performance.now() < end) await task(runs++)
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  return (runs * 1000) / (performance.now() - start)
}

export async function secondsOf(task: () => unknown): Promise<number> {
  const start = performance.now()
  await task()
  return (performance.now() - start) / 1000
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
