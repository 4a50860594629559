import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { digest, type Envelope, limiter, Pipeline, type Plain, type Stage, StoreError } from '../../streams/index.ts'
import { describeConformance, envelopeOf } from '../support/stage-conformance.ts'

const envelope = envelopeOf({ type: 'ftp', user: 'u', path: '/p', secure: false }, { size: 6 })

/** Collects its chunks as plain state. */
function collector(name: string, attribute = `${name}.text`): Stage<string> {
  return {
    name,
    start: () => '',
    step: (state, chunk) => state + Buffer.from(chunk).toString('latin1'),
    freeze: (state) => state,
    thaw: (plain) => plain as string,
    finish: (state) => ({ [attribute]: state }),
  }
}

/** Like a library that keeps its state to itself: node:crypto cannot be frozen. */
const opaque: Stage<ReturnType<typeof createHash>> = {
  name: 'opaque',
  start: () => createHash('sha1'),
  step: (state, chunk) => state.update(chunk),
  freeze: () => 'replay',
  thaw: () => {
    throw new Error('a stage that is replayed is never thawed')
  },
  finish: async (state) => ({ 'opaque.sha1': state.digest('hex') }),
}

const refusing: Stage<null> = {
  name: 'refusing',
  start: () => null,
  step: () => {
    throw new StoreError('ERR_INVALID', 'not this one')
  },
  freeze: () => null,
  thaw: () => null,
  finish: () => ({}),
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
async function* bytes(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

function folded(stages: readonly Stage[], ...texts: string[]): Pipeline {
  const pipeline = Pipeline.start(stages, envelope)
  for (const text of texts) pipeline.step(Buffer.from(text))
  return pipeline
}

describe('Pipeline', () => {
  test('steps each stage with each chunk and finishes them in order', async () => {
    const attributes = await folded([collector('one'), opaque, collector('two')], 'abc', 'def').finish()
    expect(attributes).toEqual({
      'one.text': 'abcdef',
      'opaque.sha1': createHash('sha1').update('abcdef').digest('hex'),
      'two.text': 'abcdef',
    })
    expect(Object.keys(attributes)).toEqual(['one.text', 'opaque.sha1', 'two.text'])
  })

  test('waits for a stage that finishes later before it finishes the next', async () => {
    const order: string[] = []
    const noting = (name: string, wait: () => Promise<void>): Stage<null> => ({
      ...refusing,
      name,
      finish: async () => {
        await wait()
        order.push(name)
        return {}
      },
    })
    const late = noting('late', () => new Promise((resolve) => setImmediate(resolve)))
    const next = noting('next', async () => {})
    await Pipeline.start([late, next], envelope).finish()
    expect(order).toEqual(['late', 'next'])
  })

  test('has no stages and no attributes', async () => {
    expect(await folded([], 'abc').finish()).toEqual({})
  })

  test('never lets a stage overwrite what an earlier one found', async () => {
    const pipeline = folded([collector('one', 'same'), collector('two', 'same')], 'abc')
    await expect(pipeline.finish()).rejects.toThrow('two writes same, as an earlier stage did')
  })

  test('does not take two stages of one name', () => {
    expect(() => Pipeline.start([collector('one'), collector('one')], envelope)).toThrow('same name')
  })

  test('is closed once it finished', async () => {
    const pipeline = folded([collector('one')], 'abc')
    await pipeline.finish()
    expect(() => pipeline.step(Buffer.from('d'))).toThrow('closed')
    expect(() => pipeline.freeze()).toThrow('closed')
    await expect(pipeline.finish()).rejects.toThrow('closed')
  })

  test('is closed once a stage refused, since the stages before it took the chunk', async () => {
    const pipeline = Pipeline.start([collector('one'), refusing], envelope)
    expect(() => pipeline.step(Buffer.from('abc'))).toThrow('not this one')
    expect(() => pipeline.step(Buffer.from('abc'))).toThrow('closed')
    expect(() => pipeline.freeze()).toThrow('closed')
    await expect(pipeline.finish()).rejects.toThrow('closed')
  })

  test('passes on the refusal of a stage at its end', async () => {
    await expect(folded([limiter(10)], 'abc').finish()).rejects.toMatchObject({ code: 'ERR_LENGTH_MISMATCH' })
  })
})

describe('freeze and thaw', () => {
  test('freeze gives the state of each stage by its name', () => {
    expect(folded([collector('one'), opaque, limiter(10)], 'abc').freeze()).toEqual({
      one: 'abc',
      opaque: 'replay',
      limiter: 3,
    })
  })

  test('only stages that cannot be frozen see the bytes again', async () => {
    const stages = [collector('one'), opaque, limiter(10)]
    const thawed = await Pipeline.thaw(stages, envelope, { one: 'XY', opaque: 'replay', limiter: 3 }, bytes('a', 'bc'))
    thawed.step(Buffer.from('def'))
    expect(await thawed.finish()).toEqual({
      'one.text': 'XYdef',
      'opaque.sha1': createHash('sha1').update('abcdef').digest('hex'),
    })
  })

  test('the bytes are not read when every stage was frozen', async () => {
    const replay = { [Symbol.asyncIterator]: vi.fn() }
    const thawed = await Pipeline.thaw([collector('one')], envelope, { one: 'abc' }, replay)
    expect(replay[Symbol.asyncIterator]).not.toHaveBeenCalled()
    expect(await thawed.finish()).toEqual({ 'one.text': 'abc' })
  })

  test('a state of null is a state', async () => {
    const thaw = vi.fn(() => null)
    const still: Stage<null> = { ...refusing, thaw, finish: () => ({ still: true }) }
    const thawed = await Pipeline.thaw([still], envelope, { refusing: null }, bytes('must not be read'))
    expect(thaw).toHaveBeenCalledExactlyOnceWith(null, envelope)
    expect(await thawed.finish()).toEqual({ still: true })
  })

  test('bytes are replayed as far as a stage looks', async () => {
    const read: string[] = []
    async function* replay() {
      for (const chunk of ['ab', 'cd', 'ef', 'gh']) {
        read.push(chunk)
        yield Buffer.from(chunk)
      }
    }
    const near = { ...collector('near'), sightBytes: 1 }
    const far = { ...collector('far'), sightBytes: 3 }
    await Pipeline.thaw([near, far, collector('kept')], envelope, { near: 'replay', far: 'replay', kept: '' }, replay())
    expect(read).toEqual(['ab', 'cd'])
  })

  test('an upload outlives an upgrade: a new stage is replayed, the state of one that is gone is dropped', async () => {
    const frozen: { readonly [stage: string]: Plain } = { one: 'abc', gone: { any: 'thing' } }
    const stages = [collector('new'), collector('one')]
    const thawed = await Pipeline.thaw(stages, envelope, frozen, bytes('ab', 'c'))
    thawed.step(Buffer.from('def'))
    expect(await thawed.finish()).toEqual({ 'new.text': 'abcdef', 'one.text': 'abcdef' })
  })

  test('a refusal while bytes are replayed refuses the thaw', async () => {
    await expect(Pipeline.thaw([refusing], envelope, {}, bytes('a'))).rejects.toThrow('not this one')
    await expect(Pipeline.thaw([refusing], envelope, {}, nothing())).resolves.toBeInstanceOf(Pipeline)
  })
})

const uploads: Envelope = envelopeOf({ type: 'ftp', user: 'u', path: '/p', secure: false }, { md5: '0'.repeat(32) })
describeConformance('a pipeline of frozen and replayed stages', {
  stages: [limiter(100_000), digest, opaque, collector('one')],
  envelope: uploads,
  small: randomBytes(150),
  large: randomBytes(20_000),
})
