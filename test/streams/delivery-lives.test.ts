import { expect, test } from 'vitest'
import { progressed } from '../../streams/delivery/subscription-state.ts'
import type { OpenStore, Sequence, SubscriptionState } from '../../streams/index.ts'
import { accepted, DeliveryRun, refused, subscription } from '../support/delivery-harness.ts'
import { type Random, seededRandom, seedOf } from '../support/random.ts'
import { named, openHarness, origin, putText, turns } from '../support/store-harness.ts'

const SEED = seedOf(Date.now() % 1_000_000)
const RUNS = 40
const LIVES = 6
const STEPS = 60

/** What a subscriber was told, over all lives of the server. */
class Heard {
  readonly accepted = new Set<Sequence>()
  /** The last record of each object that was accepted in this life. */
  #inThisLife = new Map<string, Sequence>()

  begins(): void {
    this.#inThisLife = new Map()
  }

  hear(body: string, isAccepted: boolean): void {
    const { sequence, object = '' } = JSON.parse(body) as { sequence: Sequence; object?: string }
    if (!isAccepted) return
    expect(sequence, `object ${object} in its order`).toBeGreaterThan(this.#inThisLife.get(object) ?? 0)
    this.#inThisLife.set(object, sequence)
    this.accepted.add(sequence)
  }
}

async function step(store: OpenStore, run: DeliveryRun, heard: Heard, random: Random): Promise<void> {
  if (random.chance(0.3)) await putText(store, named(random.pick(['a', 'b', 'c', 'd'])), 'x')
  else if (random.chance(0.1)) run.clock.run(10_000)
  else if (run.underway.length > 0) {
    const one = random.pick(run.underway)
    const isAccepted = random.chance(0.6)
    heard.hear(one.message.body, isAccepted)
    one.answer(isAccepted ? accepted : refused())
  }
  await turns(random.below(4))
}

/** What was noted is all that a next life knows. */
async function live(store: OpenStore, state: SubscriptionState, heard: Heard, random: Random) {
  const limits = { windowRecordsMax: 4, sendsMax: 2, attemptsMax: 3, deadLettersMax: 6, backoffMsMin: 1 }
  const run = new DeliveryRun(store, state, limits, random.next)
  let noted = state
  heard.begins()
  for (let left = STEPS; left > 0; left--) {
    await step(store, run, heard, random)
    const progress = random.chance(0.1) ? run.delivery.takeProgress() : undefined
    if (progress === undefined) continue
    if (random.chance(0.3)) run.delivery.putBack(progress)
    else {
      noted = progressed(noted, { operation: 'delivery', ...progress } as never)
      await store.noteDelivery(origin, progress)
    }
  }
  // The process is killed here: what it had sent and not noted goes again.
  void run.end()
  return noted
}

function checkNoted({ after, dead }: SubscriptionState, heard: Heard, asked: readonly Sequence[]): void {
  const letters = new Set(dead.map(({ sequence }) => sequence))
  const lost = asked.filter((sequence) => sequence <= after && !heard.accepted.has(sequence) && !letters.has(sequence))
  expect(lost, 'noted, but neither delivered nor a dead letter').toEqual([])
}

async function askedOf(store: OpenStore): Promise<Sequence[]> {
  const signal = new AbortController().signal
  const asked: Sequence[] = []
  for await (const page of store.tail(origin, { after: 0, signal })) {
    asked.push(...page.records.map(({ sequence }) => sequence))
    if (page.upToDate) break
  }
  return asked
}

test(`${RUNS} deliveries of ${LIVES} lives each lose nothing (seed ${SEED})`, async () => {
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    const random = seededRandom(seed)
    const { store } = await openHarness()
    const heard = new Heard()
    let state = subscription()
    for (let life = 0; life < LIVES; life++) {
      state = await live(store, state, heard, random)
      checkNoted(state, heard, await askedOf(store))
    }
    const asked = await askedOf(store)
    expect(
      [...heard.accepted].filter((sequence) => !asked.includes(sequence)),
      'invented',
    ).toEqual([])
    expect(heard.accepted.size, `seed ${seed}`).toBeGreaterThan(0)
  }
})
