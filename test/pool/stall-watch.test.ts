import { beforeEach, describe, expect, test } from 'vitest'
import { type Stall, StallWatch } from '../../pool/stall-watch.ts'
import { ManualClock } from '../support/manual-clock.ts'

const LIMITS = { stallMs: 10_000, failMs: 60_000 }

describe('a stall watch', () => {
  let clock: ManualClock
  let stalls: Stall[]
  let failures: Stall[]
  let watch: StallWatch

  beforeEach(() => {
    clock = new ManualClock()
    stalls = []
    failures = []
    const hooks = { onStall: (stall: Stall) => stalls.push(stall), onFail: (stall: Stall) => failures.push(stall) }
    watch = new StallWatch(LIMITS, hooks, clock)
  })

  test('tells of a request once, when it has taken too long, and gives it up much later', () => {
    watch.begin('flush')
    clock.run(9_000)
    expect(stalls).toEqual([])
    clock.run(1_000)
    expect(stalls).toEqual([{ kind: 'flush', milliseconds: 10_000 }])
    clock.run(49_000)
    expect([stalls.length, failures.length]).toEqual([1, 0])
    clock.run(600_000)
    expect(stalls).toHaveLength(1)
    expect(failures).toEqual([{ kind: 'flush', milliseconds: 60_000 }])
  })

  test('gives every request its own time', () => {
    for (let i = 0; i < 20; i++) {
      watch.begin('write')
      clock.run(9_000)
    }
    expect(stalls).toEqual([])
    watch.begin('write')
    clock.run(10_000)
    watch.begin('write')
    clock.run(10_000)
    expect(stalls).toHaveLength(2)
  })

  test('has nothing to say of an idle device', () => {
    watch.begin('read')
    watch.end()
    clock.run(100_000)
    expect(stalls).toEqual([])
  })

  test('does not hold against a device that the process was stopped', () => {
    watch.begin('flush')
    clock.jump(3_600_000)
    expect([stalls, failures]).toEqual([[], []])
    clock.run(8_000)
    expect(stalls).toHaveLength(1)
  })

  test('ends with its timer', () => {
    watch.begin('flush')
    watch.stop()
    clock.run(100_000)
    expect(stalls).toEqual([])
    expect(clock.timers).toBe(0)
  })
})
