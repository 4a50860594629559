export interface BackoffBounds {
  readonly backoffMsMin: number
  readonly backoffMsMax: number
}

/**
 * How long to wait after `attempts` in vain: twice as long each time, and of that between a half and all, so that many
 * who failed together do not come back together.
 */
export function backoffMs(
  attempts: number,
  random: () => number,
  { backoffMsMin, backoffMsMax }: BackoffBounds,
): number {
  const whole = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.max(0, attempts - 1))
  return whole * (0.5 + random() / 2)
}
