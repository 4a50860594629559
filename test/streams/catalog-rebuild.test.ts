import { Level } from 'level'
import { expect, test } from 'vitest'
import { type CatchUpProgress, openCatalog } from '../../streams/index.ts'
import {
  blockPool,
  levelCatalog,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  temporaryDirectory,
} from '../support/store-harness.ts'

const NAMES = ['user.n', 'protocol', 'object.bucket']

test('a catalog of another format is made again from the stream, with progress, and answers the same', async () => {
  const directory = await temporaryDirectory()
  const pool = await blockPool()
  const first = await openCatalog({ directory })
  const { store } = await openHarness({ pool, catalog: first })
  for (let index = 0; index < 600; index += 1) {
    await putText(store, named(`${index}`), 'x')
    await store.annotate(origin, named(`${index}`), { 'user.n': index % 7 })
    if (index % 5 === 0) await store.remove(origin, named(`${index}`))
  }
  const asked = () =>
    Promise.all([
      store.query(origin, 'user.n:3', { sort: '-object.key' }),
      store.query(origin, 'object.key:*9 AND NOT user.n IN [1 TO 2]'),
      store.facets(origin, '', { names: NAMES }),
    ])
  const before = await asked()
  await store.close()
  await first.close()
  const level = new Level(directory)
  const position = JSON.parse((await level.get('p')) ?? '')
  await level.put('p', JSON.stringify({ ...position, format: position.format - 1 }))
  await level.close()

  const reasons: string[] = []
  const progress: CatchUpProgress[] = []
  const again = await openCatalog({ directory, onDamaged: (reason) => reasons.push(reason) })
  const reopened = await openHarness({ pool, catalog: again, onProgress: (step) => progress.push(step) })
  expect(reasons).toEqual([expect.stringContaining(`it is of format ${position.format - 1}`)])
  expect(progress.length).toBeGreaterThan(2)
  expect(progress.map(({ records }) => records)).toEqual(
    progress.map(({ records }) => records).toSorted((a, b) => a - b),
  )
  expect(progress.at(-1)).toEqual({ records: before[0].sequence, recordsTotal: before[0].sequence })
  const after = await Promise.all([
    reopened.store.query(origin, 'user.n:3', { sort: '-object.key' }),
    reopened.store.query(origin, 'object.key:*9 AND NOT user.n IN [1 TO 2]'),
    reopened.store.facets(origin, '', { names: NAMES }),
  ])
  expect(after).toEqual(before)
  await again.indexed()
  expect(await reopened.store.explain(origin, 'user.n:3')).toMatchObject({ isScan: false })
  await reopened.store.close()
  await again.close()
})

test('an index is made anew for who may manage the pool, and is as it was', async () => {
  const catalog = await levelCatalog()
  const { store } = await openHarness({ catalog })
  for (let n = 0; n < 9; n += 1) await putText(store, named(`${n}`), 'x', { attributes: { 'user.n': n % 3 } })
  const [inspecting, managing] = [originOf(['pool:inspect']), originOf(['pool:manage'])]
  const ask = () => store.query(origin, 'user.n:1', { sort: '-object.key' })
  const before = await ask()
  expect(() => store.index(managing)).toThrow(expect.objectContaining({ code: 'ERR_FORBIDDEN' }))
  await expect(store.reindex(inspecting)).rejects.toMatchObject({ code: 'ERR_FORBIDDEN' })
  expect(store.index(inspecting)).toEqual({ phase: 'whole', built: 9, objects: 9 })
  expect(await store.reindex(managing)).toMatchObject({ phase: 'clearing', objects: 9 })
  await putText(store, named('another'), 'x', { attributes: { 'user.n': 1 } })
  expect((await ask()).objects).toHaveLength(before.objects.length + 1)
  await catalog.indexed()
  expect(store.status.index).toEqual({ phase: 'whole', built: 10, objects: 10 })
  expect((await ask()).objects).toHaveLength(4)
  await store.close()
})
