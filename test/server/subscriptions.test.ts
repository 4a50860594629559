import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { TargetRules, type WebhookTarget } from '../../protocols/index.ts'
import { SecretSeal } from '../../server/secrets.ts'
import { Subscriptions, type SubscriptionsOptions } from '../../server/subscriptions.ts'
import {
  DELIVERY_LIMITS,
  type Message,
  type OpenStore,
  type Origin,
  type Outcome,
  type Permission,
  type Principal,
} from '../../streams/index.ts'
import { accepted, refused } from '../support/delivery-harness.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { named, openHarness, originOf, putText, refusal, turn } from '../support/store-harness.ts'

const seal = new SecretSeal(createSecretKey(Buffer.alloc(32, 7)), randomBytes, 'webhook secret')
const url = 'https://127.0.0.1/hook'

function originFor(application: string, permissions: readonly Permission[]): Origin {
  const origin = originOf(permissions)
  return { ...origin, principal: { ...origin.principal, application } }
}

const ann = originFor('ann', ['object:read', 'subscription:manage'])
const bob = originFor('bob', ['object:read', 'subscription:manage'])
const boss = originFor('boss', ['object:read', 'subscription:manage', 'application:manage'])

/** Subscriptions over a real store, whose subscriber is the test. */
class Ground {
  readonly clock = new ManualClock()
  readonly principals = new Map<string, Principal>(
    [ann, bob, boss].map(({ principal }) => [principal.application, principal]),
  )
  readonly sent: { target: WebhookTarget; message: Message }[] = []
  readonly warned: object[] = []
  readonly store: OpenStore
  outcome: Outcome = accepted
  opened!: Subscriptions

  constructor(store: OpenStore) {
    this.store = store
  }

  async open(changes: Partial<SubscriptionsOptions> = {}): Promise<Subscriptions> {
    this.opened = await Subscriptions.open({
      store: this.store,
      seal,
      rules: new TargetRules(['127.0.0.1']),
      bytes: randomBytes,
      log: { warn: (details) => this.warned.push(details) },
      sender: {
        send: async (target, message) => {
          this.sent.push({ target, message })
          return this.outcome
        },
      },
      principalOf: (application) => this.principals.get(application),
      source: 'urn:test',
      timers: this.clock,
      clock: this.clock,
      random: () => 1,
      limits: { ...DELIVERY_LIMITS, attemptsMax: 1 },
      ...changes,
    })
    onTestFinished(() => this.opened.close())
    return this.opened
  }

  get sequences(): number[] {
    return this.sent.map(({ message }) => Number(message.id.split('-')[1]))
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await turn()
  }
}

async function ground(changes: Partial<SubscriptionsOptions> = {}) {
  const { store } = await openHarness()
  const made = new Ground(store)
  return { made, subscriptions: await made.open(changes), store }
}

test('a subscription is told of what is to come, signed with its own secret', async () => {
  const { made, subscriptions, store } = await ground()
  const { id, secret, ...summary } = await subscriptions.add(ann, { url })
  expect(id).toMatch(/^SB[A-Z2-7]{16}$/)
  expect(secret).toMatch(/^whsec_/)
  expect(Buffer.from(secret.slice(6), 'base64')).toHaveLength(32)
  expect(summary).toMatchObject({ application: 'ann', url, query: '', format: 'json', after: 2, lag: 0 })
  const { sequence } = await putText(store, named('a'), 'x')
  await made.until(() => made.sent.length === 1)
  expect(made.sent[0]).toMatchObject({
    target: { url, secrets: [secret] },
    message: { id: `${id}-000000000000000${sequence}` },
  })
  await made.until(() => made.opened.summaries[0]!.health === 'idle')
  expect(await subscriptions.show(ann, id)).toMatchObject({ delivered: 1, lag: 0, lastDelivery: made.clock.now() })
})

describe('who may see and change it', () => {
  test('are its application, and whoever manages applications', async () => {
    const { subscriptions } = await ground()
    const { id } = await subscriptions.add(ann, { url })
    expect(await subscriptions.list(ann)).toHaveLength(1)
    expect(await subscriptions.list(boss)).toHaveLength(1)
    expect(await subscriptions.list(bob)).toEqual([])
    for (const asks of [
      () => subscriptions.show(bob, id),
      () => subscriptions.deadLetters(bob, id),
      () => subscriptions.replay(bob, id, { after: 0 }),
      () => subscriptions.discard(bob, id),
      () => subscriptions.change(bob, id, { paused: true }),
      () => subscriptions.rotate(bob, id, 0),
      () => subscriptions.remove(bob, id),
    ])
      await expect(asks()).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    await subscriptions.remove(boss, id)
    expect(await subscriptions.list(ann)).toEqual([])
  })

  test('is nobody without the permission, and nobody who may not read', async () => {
    const { subscriptions } = await ground()
    const reader = originFor('ann', ['object:read'])
    await expect(subscriptions.add(reader, { url })).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
    await expect(subscriptions.list(reader)).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
    const blind = originFor('ann', ['subscription:manage'])
    await expect(subscriptions.add(blind, { url })).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
  })
})

describe('refused is', () => {
  test.each([
    ['a target within', { url: 'http://127.0.0.2/' }],
    ['a name that stands for one', { url: 'http://localhost/' }],
    ['another protocol', { url: 'ftp://127.0.0.1/' }],
    ['a query that is none', { url, query: 'a' }],
    ['a format that is none', { url, format: 'morse' }],
    ['a place beyond the end', { url, after: 99 }],
  ])('%s', async (_, request) => {
    const { subscriptions, store } = await ground({ rules: new TargetRules(['127.0.0.1']) })
    if (request.url.includes('localhost')) {
      const { subscriptions: strict } = await ground({ rules: new TargetRules([]) })
      await expect(strict.add(ann, request)).rejects.toMatchObject(refusal('ERR_INVALID'))
    } else await expect(subscriptions.add(ann, request)).rejects.toMatchObject(refusal('ERR_INVALID'))
    expect(await store.subscriptions()).toEqual([])
  })

  test('one more than there may be, also at once', async () => {
    const { subscriptions } = await ground({ subscriptionsMax: 2 })
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => subscriptions.add(ann, { url })))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    await expect(subscriptions.add(ann, { url })).rejects.toMatchObject(refusal('ERR_QUOTA'))
  })

  test('a second change while one is underway', async () => {
    const { subscriptions } = await ground()
    const { id } = await subscriptions.add(ann, { url })
    const first = subscriptions.replay(ann, id, { after: 0 })
    await expect(subscriptions.remove(ann, id)).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    await first
  })
})

describe('a restart', () => {
  test('goes on where the last life had come to', async () => {
    const pool = memoryPool()
    const { store } = await openHarness({ pool })
    const made = new Ground(store)
    const subscriptions = await made.open()
    const { id, secret } = await subscriptions.add(ann, { url, after: 0 })
    await putText(store, named('a'), 'x')
    await made.until(() => made.sent.length === 3)
    await subscriptions.close()
    await store.close()
    const { store: again } = await openHarness({ pool })
    const later = new Ground(again)
    await later.open()
    const { sequence } = await putText(again, named('a'), 'y')
    await later.until(() => later.sent.length === 1)
    expect(later.sequences).toEqual([sequence])
    expect(later.sent[0]!.target.secrets).toEqual([secret])
    expect((await later.opened.show(ann, id)).after).toBe(sequence)
  })

  test('is refused under another master key', async () => {
    const { made, subscriptions } = await ground()
    const { id } = await subscriptions.add(ann, { url })
    const other = new SecretSeal(createSecretKey(Buffer.alloc(32, 8)), randomBytes, 'webhook secret')
    const message = `the secret of subscription ${id} was sealed under another master key`
    await expect(made.open({ seal: other })).rejects.toThrow(message)
  })

  test('sends again what was not noted', async () => {
    const { made, subscriptions, store } = await ground()
    await subscriptions.add(ann, { url })
    await putText(store, named('a'), 'x')
    await made.until(() => made.sent.length === 1)
    await made.open()
    await made.until(() => made.sent.length === 2)
    expect(new Set(made.sequences).size).toBe(1)
  })
})

describe('a replay', () => {
  test('delivers everything after a record once more', async () => {
    const { made, subscriptions, store } = await ground()
    const { id } = await subscriptions.add(ann, { url, query: 'record.operation:put', after: 0 })
    for (const key of ['a', 'b', 'c']) await putText(store, named(key), 'x')
    await made.until(() => made.sent.length === 3)
    const [first = 0] = made.sequences
    await subscriptions.replay(ann, id, { after: first })
    await made.until(() => made.sent.length === 5)
    expect(made.sequences.slice(3)).toEqual(made.sequences.slice(1, 3))
  })

  test('to a place beyond the end is refused, and the delivery goes on', async () => {
    const { made, subscriptions, store } = await ground()
    const { id } = await subscriptions.add(ann, { url })
    await expect(subscriptions.replay(ann, id, { after: 999 })).rejects.toMatchObject(refusal('ERR_INVALID'))
    await putText(store, named('a'), 'x')
    await made.until(() => made.sent.length === 1)
  })

  test('of dead letters delivers them, and them alone', async () => {
    const { made, subscriptions, store } = await ground()
    const { id } = await subscriptions.add(ann, { url })
    made.outcome = refused('no')
    for (const key of ['a', 'b']) await putText(store, named(key), 'x')
    await made.until(() => made.opened.summaries[0]!.deadLetters === 2)
    const dead = await subscriptions.deadLetters(ann, id)
    expect(dead).toMatchObject([{ attempts: 1, reason: 'no' }, { attempts: 1 }])
    made.outcome = accepted
    await subscriptions.replay(ann, id, { deadLetters: true })
    await made.until(() => made.opened.summaries[0]!.deadLetters === 0)
    expect(made.sequences.slice(2)).toEqual(dead.map(({ sequence }) => sequence))
    made.clock.run(60_000)
    await made.until(() => made.opened.summaries[0]!.health === 'idle')
    await made.opened.close()
    expect((await store.subscriptions())[0]!.dead).toEqual([])
  })

  test('from before dead letters takes them with it', async () => {
    const { made, subscriptions, store } = await ground()
    const { id } = await subscriptions.add(ann, { url })
    made.outcome = refused('no')
    await putText(store, named('a'), 'x')
    await made.until(() => made.opened.summaries[0]!.deadLetters === 1)
    made.outcome = accepted
    expect(await subscriptions.replay(ann, id, { after: 0 })).toMatchObject({ deadLetters: 0 })
    await made.until(() => made.opened.summaries[0]!.delivered === 3)
  })
})

test('nothing begins anew once all are closed, though somebody has a replay made just then', async () => {
  const { made, subscriptions, store } = await ground()
  const { id } = await subscriptions.add(ann, { url })
  await putText(store, named('a'), 'x')
  await made.until(() => made.sent.length === 1)
  const replayed = subscriptions.replay(ann, id, { after: 0 })
  await subscriptions.close()
  await replayed
  await putText(store, named('b'), 'x')
  for (let turns = 0; turns < 100; turns++) await turn()
  expect(made.sent).toHaveLength(1)
})

test('dead letters that are forgotten are gone, also after a restart', async () => {
  const { made, subscriptions, store } = await ground()
  const { id } = await subscriptions.add(ann, { url })
  made.outcome = refused('no')
  await putText(store, named('a'), 'x')
  await made.until(() => made.opened.summaries[0]!.deadLetters === 1)
  expect(await subscriptions.discard(ann, id)).toBe(1)
  expect(await subscriptions.discard(ann, id)).toBe(0)
  expect(await subscriptions.deadLetters(ann, id)).toEqual([])
  expect((await store.subscriptions())[0]!.dead).toEqual([])
})

describe('a change in place', () => {
  test('of the target goes on from where it was, with its dead letters', async () => {
    const { made, subscriptions, store } = await ground()
    const { id, created } = await subscriptions.add(ann, { url })
    made.outcome = refused('no')
    await putText(store, named('a'), 'x')
    await made.until(() => made.opened.summaries[0]!.deadLetters === 1)
    made.outcome = accepted
    const other = 'https://127.0.0.1/other'
    const changed = await subscriptions.change(boss, id, { url: other })
    expect(changed).toMatchObject({ url: other, application: 'ann', created, deadLetters: 1, query: '' })
    const { sequence } = await putText(store, named('b'), 'x')
    await made.until(() => made.sent.at(-1)!.target.url === other)
    expect(made.sequences.slice(1)).toContain(sequence)
    expect(made.sequences.filter((one) => one === made.sequences[0])).toHaveLength(1)
  })

  test('of the query begins after what was looked at, noted or not', async () => {
    const { made, subscriptions, store } = await ground()
    const { id } = await subscriptions.add(ann, { url, query: 'object.key:a' })
    await putText(store, named('b'), 'before')
    await made.until(() => made.opened.summaries[0]!.lag === 0)
    await subscriptions.change(ann, id, { query: 'object.key:b' })
    const { sequence } = await putText(store, named('b'), 'after')
    await made.until(() => made.sent.length === 1)
    expect(made.sequences).toEqual([sequence])
  })

  test('to what may not be is refused, and it goes on as it was', async () => {
    const { made, subscriptions, store } = await ground()
    const { id } = await subscriptions.add(ann, { url })
    for (const change of [{ url: 'ftp://127.0.0.1/' }, { url: 'https://127.0.0.2/' }, { query: 'a' }, { format: 'x' }])
      await expect(subscriptions.change(ann, id, change)).rejects.toMatchObject(refusal('ERR_INVALID'))
    await putText(store, named('a'), 'x')
    await made.until(() => made.sent.length === 1)
    expect(await subscriptions.show(ann, id)).toMatchObject({ url, query: '', format: 'json' })
  })

  test('to paused delivers nothing, also after a restart, and all of it when it is resumed', async () => {
    const { made, subscriptions, store } = await ground()
    const { id } = await subscriptions.add(ann, { url, query: 'record.operation:put' })
    expect(await subscriptions.change(ann, id, { paused: true })).toMatchObject({ health: 'paused' })
    const { sequence } = await putText(store, named('a'), 'x')
    await subscriptions.close()
    const again = await made.open()
    for (let turns = 0; turns < 100; turns++) await turn()
    expect(made.sent).toEqual([])
    expect(await again.show(ann, id)).toMatchObject({ health: 'paused', lag: 2 })
    await expect(again.replay(ann, id, { deadLetters: true })).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    await again.change(ann, id, { url: 'https://127.0.0.1/other' })
    expect(await again.show(ann, id)).toMatchObject({ health: 'paused' })
    await again.change(ann, id, { paused: false })
    await made.until(() => made.sent.length === 1)
    expect(made.sequences).toEqual([sequence])
  })
})

describe('a rotation of the secret', () => {
  const until = (ms: number, made: Ground) => made.clock.now() + ms
  async function sentWith(made: Ground, store: OpenStore): Promise<readonly string[]> {
    const before = made.sent.length
    await putText(store, named('a'), 'x')
    await made.until(() => made.sent.length > before)
    return made.sent.at(-1)!.target.secrets
  }

  test('has both sign for as long as was said, also after a restart, and then the new one alone', async () => {
    const { made, subscriptions, store } = await ground()
    const { id, secret } = await subscriptions.add(ann, { url, query: 'record.operation:put' })
    const rotated = await subscriptions.rotate(ann, id, 60)
    expect(rotated.secret).not.toBe(secret)
    expect(rotated.retiringSecrets).toEqual([until(60_000, made)])
    expect(await sentWith(made, store)).toEqual([rotated.secret, secret])
    await made.opened.close()
    const again = await made.open()
    expect(await sentWith(made, store)).toEqual([rotated.secret, secret])
    made.clock.run(60_000)
    expect(await sentWith(made, store)).toEqual([rotated.secret])
    expect(await again.show(ann, id)).toMatchObject({ retiringSecrets: [] })
    expect(JSON.stringify(await store.subscriptions())).not.toContain('whsec_')
  })

  test('without an overlap ends every secret before it', async () => {
    const { made, subscriptions, store } = await ground()
    const { id } = await subscriptions.add(ann, { url, query: 'record.operation:put' })
    for (let count = 0; count < 4; count++) await subscriptions.rotate(ann, id, 60)
    await expect(subscriptions.rotate(ann, id, 60)).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    expect(await sentWith(made, store)).toHaveLength(5)
    const { secret, retiringSecrets } = await subscriptions.rotate(ann, id, 0)
    expect(retiringSecrets).toEqual([])
    expect(await sentWith(made, store)).toEqual([secret])
  })

  test('makes room for others once the time of one has come', async () => {
    const { made, subscriptions } = await ground()
    const { id } = await subscriptions.add(ann, { url })
    for (let count = 0; count < 4; count++) await subscriptions.rotate(ann, id, 60 + count)
    made.clock.run(60_000)
    expect((await subscriptions.rotate(ann, id, 60)).retiringSecrets).toHaveLength(4)
    for (const seconds of [-1, 0.5, 30 * 86_400 + 1])
      await expect(subscriptions.rotate(ann, id, seconds)).rejects.toMatchObject(refusal('ERR_INVALID'))
  })

  test('is shown to nobody who follows the stream', async () => {
    const { subscriptions, store } = await ground()
    const { id } = await subscriptions.add(ann, { url })
    await subscriptions.rotate(ann, id, 60)
    const ending = new AbortController()
    for await (const { records } of store.tail(boss, { after: 0, signal: ending.signal })) {
      expect(JSON.stringify(records)).toContain(id)
      expect(JSON.stringify(records)).not.toMatch(/secret|retiring|sealed/)
      ending.abort()
    }
  })
})

describe('an application that is gone', () => {
  test('is told nothing any more, and its successor under the same id what that may see', async () => {
    const { made, subscriptions, store } = await ground({ limits: DELIVERY_LIMITS })
    const { id } = await subscriptions.add(ann, { url })
    made.principals.delete('ann')
    await putText(store, named('a'), 'x')
    await made.until(() => made.opened.summaries[0]!.health === 'failing')
    const { lastFailure } = await subscriptions.show(boss, id)
    expect(lastFailure?.reason).toBe('application ann is not what it was')
    expect(made.sent).toEqual([])
    made.principals.set('ann', { ...ann.principal, permissions: ['object:read'] })
    made.clock.run(2000)
    await made.until(() => made.sent.length === 1)
  })

  test('that comes again with fewer rights is told no more than these let it see', async () => {
    const { made, subscriptions, store } = await ground({ limits: DELIVERY_LIMITS })
    await subscriptions.add(boss, { url })
    made.principals.set('boss', ann.principal)
    const secret = { kind: 'sealed', value: '' } as const
    await store.register(originOf(), 'new', { types: ['http'], permissions: [], secret })
    const { sequence } = await putText(store, named('a'), 'x')
    await made.until(() => made.opened.summaries[0]!.health === 'failing')
    made.clock.run(2000)
    await made.until(() => made.sent.length === 1)
    expect(made.sequences).toEqual([sequence])
  })

  test('is not sent either what was read while it was there', async () => {
    const { made, subscriptions, store } = await ground({ limits: DELIVERY_LIMITS })
    await subscriptions.add(ann, { url })
    made.outcome = refused('not now')
    await putText(store, named('a'), 'x')
    await made.until(() => made.sent.length === 1)
    made.principals.set('ann', { ...ann.principal, permissions: [] })
    await turn()
    made.clock.run(2000)
    await made.until(() => made.opened.summaries[0]!.failed === 2)
    expect(made.sent).toHaveLength(1)
  })
})
